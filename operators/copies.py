"""Copies of events, found where they are read: three replicas write three of each, and the connector adds its own.

Most records are copies, so of these nothing is made but a hash, while their bytes are still in the processor's cache. Like
dedupe it only saves work, and what is not known any more goes on to it.
"""

from __future__ import annotations

from collections.abc import Callable, Container, Iterable, Iterator, Sequence
from typing import Final

from cdc.envelope import payload_of
from cdc.fingerprint import UNKNOWN, Fingerprints

IN_FLIGHT: Final = 1 << 15  # more than wait between the source and dedupe
Known = tuple[Container[bytes], Container[bytes]]


class Copies:
    """The fingerprints of what was read and is not refused: those on their way here, those of older events by `known`.

    `known` gives the fingerprints that dedupe has let through in a slot.
    """

    def __init__(self, known: Callable[[int], Known] = lambda _slot: ((), ())) -> None:
        self.known = known
        self._fingerprints: dict[str, Fingerprints] = {}
        self._young: dict[bytes, None] = {}
        self._old: dict[bytes, None] = {}

    def fresh(self, slot: int, topic: str, values: Sequence[bytes | None]) -> Iterator[tuple[int, bytes]]:
        """Yield the place and the fingerprint of each value that is no copy of one before, and remember it."""
        fingerprint = self._fingerprints.get(topic) or self._fingerprints.setdefault(topic, Fingerprints(topic))
        known, still_known = self.known(slot)
        if len(self._young) > IN_FLIGHT:
            self._young, self._old = {}, self._young
        young, old = self._young, self._old
        for place, value in enumerate(values):
            if value is None:
                yield place, UNKNOWN
                continue
            print_ = fingerprint(value)
            if print_ == UNKNOWN:
                print_ = fingerprint(payload_of(value))
            if print_ in young or print_ in known or print_ in still_known or print_ in old:
                continue
            if print_ != UNKNOWN:
                young[print_] = None
            yield place, print_

    def forget(self, fingerprints: Iterable[bytes]) -> None:
        """Let the next copies through: what they are copies of was not applied."""
        for print_ in fingerprints:
            self._young.pop(print_, None)
            self._old.pop(print_, None)
