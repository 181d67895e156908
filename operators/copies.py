"""Copies of events, found where they are read: three replicas write three of each, and the connector adds its own.

Most records are copies, so of these nothing is made but a hash, while their bytes are still in the processor's cache. Like
dedupe it only saves work, and what is not known any more goes on to it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Final

from cdc.event import UNKNOWN

IN_FLIGHT: Final = 1 << 15  # more than wait between the source and dedupe
Known = tuple[Iterable[bytes], Iterable[bytes]]  # dicts or sets: others are walked through


class Copies:
    """The fingerprints of what was read and is not refused: those on their way here, those of older events by `known`.

    `known` gives the fingerprints that dedupe has let through in a slot.
    """

    def __init__(self, known: Callable[[int], Known] = lambda _slot: ((), ())) -> None:
        self.known = known
        self._young: dict[bytes, None] = {}
        self._old: dict[bytes, None] = {}

    def fresh(self, slot: int, prints: Sequence[bytes]) -> list[int]:
        """Return the places of the events that are no copies of one before, and remember them."""
        if len(self._young) > IN_FLIGHT:
            self._young, self._old = {}, self._young
        known, still_known = self.known(slot)
        first_places = dict(zip(reversed(prints), range(len(prints) - 1, -1, -1), strict=True))
        new = set(first_places).difference(self._young).difference(known).difference(still_known).difference(self._old)
        new.discard(UNKNOWN)
        places = [first_places[print_] for print_ in new]
        if UNKNOWN in first_places:
            places += [place for place, print_ in enumerate(prints) if print_ == UNKNOWN]
        self._young |= dict.fromkeys(new)
        return sorted(places)

    def forget(self, fingerprints: Iterable[bytes]) -> None:
        """Let the next copies through: what they are copies of was not applied."""
        for print_ in fingerprints:
            self._young.pop(print_, None)
            self._old.pop(print_, None)
