"""The thread that looks for topics while the workers read: everything that waits for a server happens here."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Final

from cdc.errors import InfrastructureError, PostgresUnavailable
from cdc.event import Position
from operators.source_feed import Feed
from operators.source_lane import Admission, note_lost
from operators.source_start import KnownOffsets, start_offset
from operators.source_topics import TopicFilter, slot_of
from runtime.kafka.scout import ClusterScout, TopicPartitionKey
from runtime.logs import get_logger
from runtime.status import Status

SETTLE_SECONDS: Final = 0.05  # slots are opened one by one; one round serves them all
RETRY_SECONDS: Final = 1.0
log = get_logger("source")

StoredPositions = Callable[[], Iterable[Position]]
"""Reads every stored position of our group from PostgreSQL. May block; raises `PostgresUnavailable`."""


@dataclass(frozen=True)
class WatchPlan:
    """What to look for, and how often. With `until_caught_up`, partitions get the end they have now and no new ones come."""

    topics: TopicFilter
    stored_positions: StoredPositions
    refresh_seconds: float = 3.0
    until_caught_up: bool = False


class TopicWatcher:
    """List topics every few seconds; tell the feed what to read, from where, and what is gone."""

    def __init__(self, feed: Feed, open_scout: Callable[[], ClusterScout], plan: WatchPlan, status: Status) -> None:
        self._feed = feed
        self._open_scout = open_scout
        self._plan = plan
        self._status = status

    def start(self) -> None:
        """Run in a thread of its own until the feed has ended."""
        threading.Thread(target=self._run, name="topic-watcher", daemon=True).start()

    def _run(self) -> None:
        try:
            with self._open_scout() as scout:
                while not self._feed.ended.is_set():
                    seconds = self._try_round(scout)
                    if self._feed.needs_watcher.wait(seconds):
                        self._feed.ended.wait(SETTLE_SECONDS)
        except Exception as error:  # noqa: BLE001 - a thread has nobody else to tell
            self._feed.fail(error)

    def _try_round(self, scout: ClusterScout) -> float:
        """Return how long to wait for the next round."""
        self._feed.needs_watcher.clear()
        try:
            self.round(scout)
        except InfrastructureError as error:
            self._status.trouble("postgres" if isinstance(error, PostgresUnavailable) else "kafka", str(error))
            return RETRY_SECONDS
        return self._plan.refresh_seconds

    def round(self, scout: ClusterScout) -> None:
        """Look once. Raises `InfrastructureError`; a repeated round is harmless."""
        slots = self._feed.open_slots()
        found = self._find(scout, slots)
        self._status.working("kafka")
        reading = self._feed.topic_ids()
        gone = [key for key, topic_id in reading.items() if found.get(key) != topic_id]
        new = [key for key in found if key not in reading or key in gone]
        if self._plan.until_caught_up:
            new = [key for key in new if slot_of(*key) not in self._feed.listed_slots()]
        admissions = self._admissions(scout, {key: found[key] for key in new})
        for key in gone:
            self._status.vanished(*key)
        self._feed.drop(gone)
        self._feed.admit(admissions, slots=slots)
        self._mend(scout)

    def _find(self, scout: ClusterScout, slots: set[int]) -> dict[TopicPartitionKey, str]:
        names = [name for name in scout.topic_names() if self._plan.topics.accepts(name)]
        return {
            (topic.name, partition): topic.id
            for topic in scout.topics(names)
            for partition in topic.partitions
            if slot_of(topic.name, partition) in slots
        }

    def _admissions(self, scout: ClusterScout, new: dict[TopicPartitionKey, str]) -> list[Admission]:
        if not new:
            return []
        stored = {(position.topic, position.partition): position for position in self._plan.stored_positions()}
        self._status.working("postgres")
        committed = scout.committed(new)
        log_starts = scout.log_starts(new)
        log_ends = scout.log_ends(new) if self._plan.until_caught_up else {}
        admissions = []
        for key, topic_id in new.items():
            if key not in log_starts:
                continue  # deleted since it was listed
            known = KnownOffsets(stored.get(key), self._feed.recovered(*key), committed.get(key))
            start = self._start(key, start_offset(topic_id, known), log_starts[key])
            _tell(key, start, known)
            admissions.append(Admission(*key, topic_id, start, log_starts[key], log_ends.get(key)))
        return admissions

    def _start(self, key: TopicPartitionKey, start: int | None, log_start: int) -> int | None:
        if start is None or start >= log_start:
            return start
        note_lost(self._status, *key, start, log_start)
        return None

    def _mend(self, scout: ClusterScout) -> None:
        broken = self._feed.broken()
        log_ends = scout.log_ends(broken)
        for key, log_start in scout.log_starts(broken).items():
            self._feed.restart(key, log_start, log_ends.get(key, log_start))


def _tell(key: TopicPartitionKey, start: int | None, known: KnownOffsets) -> None:
    """Log where reading starts (None: the beginning), and what each place that remembers offsets said."""
    topic, partition = key
    stored, recovered = (None if position is None else position.next_offset for position in (known.stored, known.recovered))
    log.info(
        "partition_admitted",
        topic=topic,
        partition=partition,
        start=start,
        stored=stored,
        recovered=recovered,
        committed=known.committed,
    )
