"""What this process knows of its own health: servers in trouble, ranges of records that are gone."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass, replace

from cdc.errors import BadRecord, CassmirrorError
from runtime.logs import get_logger
from runtime.metrics import process_metrics

log = get_logger("status")


@dataclass(frozen=True)
class LostRange:
    """Records that Kafka removed before they were read: the table needs verification."""

    topic: str
    partition: int
    first_offset: int
    next_offset: int

    @property
    def records(self) -> int:
        return self.next_offset - self.first_offset


@dataclass(frozen=True)
class Facts:
    """One look at the status. `troubles` maps a service to the last thing that went wrong there.

    `answered` names the services that have answered at least once; `failure` is the error that ends this process, empty before.
    """

    troubles: dict[str, str]
    lost_ranges: tuple[LostRange, ...]
    vanished_partitions: tuple[tuple[str, int], ...]
    lost_records: int
    answered: frozenset[str] = frozenset()
    failure: str = ""


class Status:
    """Collect facts from any thread. Bounded: of lost ranges and vanished partitions the last `keep` are remembered."""

    def __init__(self, keep: int = 1_000) -> None:
        self._lock = threading.Lock()
        self._keep = keep
        self._facts = Facts({}, (), (), 0)

    def trouble(self, service: str, reason: str) -> None:
        """Note that a service does not answer; logged when it is news."""

        def note(facts: Facts) -> Facts:
            return replace(facts, troubles={**facts.troubles, service: reason})

        if self._change(note).troubles.get(service) is None:
            log.warning("service in trouble", service=service, reason=reason)

    def working(self, service: str) -> None:
        """Note that a service answers."""
        if service not in self._facts.troubles and service in self._facts.answered:
            return  # the hot path's way out

        def note(facts: Facts) -> Facts:
            troubles = {name: reason for name, reason in facts.troubles.items() if name != service}
            return replace(facts, troubles=troubles, answered=facts.answered | {service})

        before = self._change(note)
        if service in before.troubles:
            log.info("service works again", service=service)

    def failed(self, error: BaseException) -> None:
        """Note what will end this process; of an error that may quote a row only its class."""
        failure = type(error).__name__
        if isinstance(error, CassmirrorError) and not isinstance(error, BadRecord):
            failure = f"{failure}: {error.message}"
        self._change(lambda facts: replace(facts, failure=facts.failure or failure))

    def lost(self, lost: LostRange) -> None:
        """Note records that nobody will ever read; the same range once, as whoever found it may look again."""
        if lost in self._facts.lost_ranges:
            return
        self._change(
            lambda facts: replace(
                facts,
                lost_ranges=(*facts.lost_ranges, lost)[-self._keep :],
                lost_records=facts.lost_records + lost.records,
            )
        )
        process_metrics().retention_lost.labels(lost.topic, str(lost.partition)).inc(lost.records)
        log.error(
            "records lost to retention, their table needs verification",
            topic=lost.topic,
            partition=lost.partition,
            first_offset=lost.first_offset,
            next_offset=lost.next_offset,
        )

    def vanished(self, topic: str, partition: int) -> None:
        """Note a topic partition that is not there any more."""
        self._change(
            lambda facts: replace(facts, vanished_partitions=(*facts.vanished_partitions, (topic, partition))[-self._keep :])
        )
        log.warning("topic partition vanished, no longer read", topic=topic, partition=partition)

    def facts(self) -> Facts:
        """Return what is known now."""
        return self._facts

    def _change(self, change: Callable[[Facts], Facts]) -> Facts:
        """Apply a change and return the facts before it."""
        with self._lock:
            before = self._facts
            self._facts = change(before)
        return before
