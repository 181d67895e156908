"""What this process knows of its own health: servers in trouble, ranges of records that are gone."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass, replace

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
    """One look at the status. `troubles` maps a service to the last thing that went wrong there."""

    troubles: dict[str, str]
    lost_ranges: tuple[LostRange, ...]
    vanished_partitions: tuple[tuple[str, int], ...]
    lost_records: int


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
        if service not in self._facts.troubles:
            return  # the hot path's way out
        before = self._change(lambda facts: replace(facts, troubles={k: v for k, v in facts.troubles.items() if k != service}))
        if service in before.troubles:
            log.info("service works again", service=service)

    def lost(self, lost: LostRange) -> None:
        """Note records that nobody will ever read."""
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
