"""The one owner of a process's Kafka reader: polls it, queues records by slot, and knows how far each partition has come."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from functools import partial
from typing import Final

from cdc.batch import Batch
from cdc.event import Position, Skip
from cdc.fingerprint import split
from cdc.runs import RecordRun
from operators.copies import Copies
from operators.source_lane import Admission, FeedLimits, Lane, note_lost
from operators.source_start import SlotState, recovered_position, state_key
from operators.source_topics import slot_of
from runtime.kafka.reader import BEGINNING, PartitionReader, Polled, Run
from runtime.kafka.scout import TopicPartitionKey
from runtime.metrics import process_metrics, stage_time
from runtime.progress import Progress
from runtime.status import Status

STAGE: Final = "source"
COMMIT_EVERY_SECONDS: Final = 1.0
POLL_RECORDS: Final = 500  # what is read at once stays in the cache of a processor until its copies are found
IDLE_POLL_SECONDS: Final = 0.002  # 64 idle slots ask more often than an empty reader is worth asking


class Feed:
    """Hand out batches of records by slot.

    Every method may be called from any thread; none but the last `end` waits for a server.
    """

    def __init__(
        self,
        open_reader: Callable[[], PartitionReader],
        progress: Progress,
        status: Status,
        limits: FeedLimits | None = None,
        copies: Copies | None = None,
    ) -> None:
        self._open_reader = open_reader
        self._copies = copies or Copies()
        self._progress = progress
        self._status = status
        self._limits = limits or FeedLimits()
        self._age = process_metrics().checkpoint_age_seconds
        self._lag = process_metrics().replication_lag_seconds
        self._lock = threading.RLock()
        self._reader: PartitionReader | None = None
        self._lanes: dict[TopicPartitionKey, Lane] = {}
        self._slots: dict[int, list[Lane]] = {}
        self._recovered: dict[int, SlotState] = {}
        self._listed: set[int] = set()
        self._starts: dict[TopicPartitionKey, Position] = {}
        self._poll_records = self._limits.batch_records
        self._next_poll = 0.0
        self._next_commit = 0.0
        self._to_commit: dict[TopicPartitionKey, int] = {}
        self._failure: BaseException | None = None
        self.has_raised = False
        self.needs_watcher = threading.Event()
        self.ended = threading.Event()

    # --- for the slots -------------------------------------------------------------------------------------------

    def open(self, slot: int, state: SlotState) -> None:
        """Start to serve a slot; its partitions come with the watcher's next round."""
        with self._lock:
            self._slots[slot] = []
            self._recovered[slot] = dict(state)
            self.ended.clear()
        self.needs_watcher.set()

    def take(self, slot: int) -> Batch[RecordRun] | None:
        """Return what is there for a slot, None when nothing is. Raises what the watcher failed with."""
        with self._lock:
            if self._failure is not None:
                self.has_raised = True
                raise self._failure
            lanes = self._slots[slot]
            has_more = any(lane.has_more for lane in lanes)
            if not lanes or not (has_more or self._may_poll()):
                return None
            with stage_time(STAGE):
                if not has_more:
                    self._poll()
                return self._gather(slot, lanes)

    def is_idle(self, slot: int) -> bool:
        """Return whether no partition belongs to the slot now."""
        return not self._slots.get(slot)

    def is_caught_up(self, slot: int) -> bool:
        """Return whether every partition of the slot has reached its end and is handed out."""
        with self._lock:
            if slot not in self._listed:
                return False
            return all(self._at_end(lane) for lane in self._slots[slot])

    def state(self, slot: int) -> SlotState:
        """Return what the recovery store shall keep: the offset behind the last record handed out, by topic partition."""
        with self._lock:
            state = dict(self._recovered[slot])
            state.update({state_key(*lane.key): (lane.topic_id, lane.taken) for lane in self._slots[slot]})
            return state

    def positions(self, slot: int) -> list[Position]:
        """Return the same as positions of the partitions being read."""
        with self._lock:
            return [lane.position for lane in self._slots[slot]]

    def commit(self, slot: int, positions: Iterable[Position]) -> None:
        """Note offsets that every sink has behind it; they go to Kafka at most once a second, as far as the sink allows."""
        with self._lock:
            now = time.monotonic()
            for position in positions:
                offset = self._progress.committable(slot, position)
                lane = self._lanes.get((position.topic, position.partition))
                if lane is not None:
                    lane.note_committed(lane.committed if offset is None else offset, now)
                    if offset is not None:
                        self._to_commit[lane.key] = offset
            if self._to_commit and now >= self._next_commit and self._reader is not None:
                self._reader.commit(self._to_commit)
                self._to_commit = {}
                self._next_commit = now + COMMIT_EVERY_SECONDS

    def end(self, slot: int) -> bool:
        """Stop serving a slot and return whether it was the last: then the reader is closed, which may wait a few seconds."""
        with self._lock:
            if self._slots.pop(slot, None) is None:
                return False
            self._remove([lane.key for lane in self._lanes.values() if lane.slot == slot])
            self._recovered.pop(slot, None)
            self._listed.discard(slot)
            if self._slots:
                return False
            self.ended.set()
            self.needs_watcher.set()
            self._close()
            return True

    def starts(self, slot: int) -> list[Position]:
        """Return where reading began, but for partitions read from the beginning: PostgreSQL holds what stands before."""
        with self._lock:
            return [start for key, start in self._starts.items() if slot_of(*key) == slot]

    def lag_seconds(self, table: str) -> float:
        """Return the age of the newest write of a table that is committed, 0 when all that was read is."""
        with self._lock:
            behind = [lane for lane in self._lanes.values() if lane.table == table and not lane.is_settled]
        if not behind:
            return 0.0
        written_us = self._progress.newest_write(table)
        if written_us is None:
            return time.monotonic() - min(lane.moved_at for lane in behind)
        return max(0.0, time.time() - written_us / 1e6)

    # --- for the watcher -----------------------------------------------------------------------------------------

    def open_slots(self) -> set[int]:
        """Return the slots that are served now."""
        with self._lock:
            return set(self._slots)

    def listed_slots(self) -> set[int]:
        """Return the slots whose partitions have been found once."""
        with self._lock:
            return set(self._listed)

    def topic_ids(self) -> dict[TopicPartitionKey, str]:
        """Return what is being read: topic partitions and the id of the topic."""
        with self._lock:
            return {key: lane.topic_id for key, lane in self._lanes.items()}

    def recovered(self, topic: str, partition: int) -> Position | None:
        """Return what the recovery store said of a topic partition."""
        with self._lock:
            return recovered_position(self._recovered.get(slot_of(topic, partition), {}), topic, partition)

    def broken(self) -> dict[TopicPartitionKey, int]:
        """Return the partitions that Kafka serves no longer at our offset, with that offset."""
        with self._lock:
            return {key: lane.polled for key, lane in self._lanes.items() if lane.broken}

    def admit(self, admissions: Sequence[Admission], *, slots: Iterable[int]) -> None:
        """Read these partitions from now on; with them, all partitions of `slots` are found."""
        with self._lock:
            wanted = [admission for admission in admissions if slot_of(admission.topic, admission.partition) in self._slots]
            for admission in wanted:
                self._add(admission)
            if wanted:
                starts = {(a.topic, a.partition): BEGINNING if a.start is None else a.start for a in wanted}
                self._reading().assign(starts)
            for slot in self._slots.keys() & set(slots):
                self._forget_vanished(slot)

    def drop(self, keys: Iterable[TopicPartitionKey]) -> None:
        """Forget partitions that are gone, what is queued of them included."""
        with self._lock:
            self._remove(keys)

    def restart(self, key: TopicPartitionKey, log_start: int, log_end: int) -> None:
        """Read a broken partition again: from where it was, or from the first record when Kafka has that offset no more."""
        with self._lock:
            lane = self._lanes.get(key)
            if lane is None:
                return
            start = lane.polled
            if not log_start <= start <= log_end:
                note_lost(self._status, *key, start, log_start)
                lane.polled, start = log_start, BEGINNING
                self._starts.pop(key, None)
                lane.taken = lane.taken if lane.runs else log_start
            lane.broken = lane.paused = False
            self._reading().unassign([key])
            self._reading().assign({key: start})

    def fail(self, error: BaseException) -> None:
        """Let the next `take` raise an error that no retry cures."""
        self._status.failed(error)
        self._failure = error

    # --- within the lock -----------------------------------------------------------------------------------------

    def _reading(self) -> PartitionReader:
        if self._reader is None:
            self._reader = self._open_reader()
        return self._reader

    def _add(self, admission: Admission) -> None:
        key = (admission.topic, admission.partition)
        slot = slot_of(*key)
        start = admission.log_start if admission.start is None else admission.start
        lane = Lane(admission.topic, admission.partition, admission.topic_id, slot, start, start, admission.end)
        lane.committed, lane.moved_at = start, time.monotonic()
        self._age.labels(*lane.labels).set_function(lambda: time.monotonic() - lane.moved_at)
        self._lag.labels(lane.table).set_function(partial(self.lag_seconds, lane.table))
        self._lanes[key] = lane
        if admission.start is not None:
            self._starts[key] = lane.position
        self._slots[slot].append(lane)
        self._recovered[slot].pop(state_key(*key), None)

    def _forget_vanished(self, slot: int) -> None:
        """Leave behind what the recovery store remembers and Kafka, or the choice of tables, has no more."""
        self._listed.add(slot)
        for name in self._recovered[slot]:
            topic, _, partition = name.rpartition("-")
            self._status.vanished(topic, int(partition))
        self._recovered[slot] = {}

    def _remove(self, keys: Iterable[TopicPartitionKey]) -> None:
        gone = [self._lanes.pop(key) for key in keys if key in self._lanes]
        for lane in gone:
            for run in lane.runs:
                self._copies.forget(split(run.fingerprints))
            self._starts.pop(lane.key, None)
            with suppress(KeyError):  # two processes of one test may share the gauge
                self._age.remove(*lane.labels)
            if lane.slot in self._slots:
                self._slots[lane.slot].remove(lane)
        if gone and self._reader is not None:
            self._reader.unassign([lane.key for lane in gone])

    def _close(self) -> None:
        if self._reader is not None:
            self._reader.close(self._to_commit)
            self._reader = None
            self._to_commit = {}

    def _at_end(self, lane: Lane) -> bool:
        if lane.end is None:
            return True
        if lane.runs:
            return False
        if lane.polled < lane.end and self._reader is not None:
            # Control records and compaction move the position without a record to show for it.
            lane.polled = max(lane.polled, self._reader.positions([lane.key]).get(lane.key, -1))
        return lane.polled >= lane.end

    def _gather(self, slot: int, lanes: list[Lane]) -> Batch[RecordRun] | None:
        batch: Batch[RecordRun] = Batch(slot, [], [])
        room = self._limits.batch_records
        polled_at: list[float | None] = []
        for lane in lanes:
            if lane.has_more and room > 0:
                polled_at.append(lane.polled_at)
                taken = lane.take(room)
                batch.items += taken
                room -= sum(map(len, taken))
                batch.positions.append(lane.position)
                if lane.copies:
                    batch.skipped[lane.table, Skip.DUPLICATE] += lane.copies
                    lane.copies = 0
        if not batch.positions:
            return None
        batch.polled_at = min((at for at in polled_at if at is not None), default=None)
        self._resume(lanes)
        return batch

    def _may_poll(self) -> bool:
        return self._reader is not None and time.monotonic() >= self._next_poll and not self._is_full()

    def _poll(self) -> None:
        now = time.monotonic()
        for _ in range(0, self._poll_records, POLL_RECORDS):
            polled = self._reading().poll(min(POLL_RECORDS, self._poll_records))
            if not polled.runs:
                self._next_poll = now + IDLE_POLL_SECONDS
            self._take_in(polled, now)
            if sum(run.count for run in polled.runs) < POLL_RECORDS:
                break

    def _take_in(self, polled: Polled, now: float) -> None:
        if polled.runs:
            self._status.working("kafka")
            self._queue(polled.runs, now)
            self._pause()
        for key in polled.offset_lost:
            if key in self._lanes:
                self._lanes[key].broken = True
                self.needs_watcher.set()
        for trouble in polled.troubles:
            self._status.trouble("kafka", trouble)

    def _queue(self, runs: Sequence[Run], now: float) -> None:
        for run in runs:
            lane = self._lanes.get(run.origin)
            if lane is not None:
                fingerprints = run.fingerprints()
                fresh = self._copies.fresh(fingerprints)
                lane.queue(run.copy(fingerprints, fresh), run.count - len(fresh), run.next_offset, now)
        average = sum(run.size for run in runs) // sum(run.count for run in runs) + 100
        self._poll_records = max(1, min(self._limits.batch_records, self._limits.batch_bytes // average))

    def _queue_limit(self) -> int:
        return self._limits.queue_records * self._poll_records // self._limits.batch_records

    def _is_full(self) -> bool:
        return sum(lane.queued for lane in self._lanes.values()) > 2 * self._queue_limit()

    def _pause(self) -> None:
        for lanes in self._slots.values():
            if lanes and sum(lane.queued for lane in lanes) > self._queue_limit():
                full = [lane for lane in lanes if not lane.paused]
                self._reading().pause([lane.key for lane in full])
                for lane in full:
                    lane.paused = True

    def _resume(self, lanes: list[Lane]) -> None:
        paused = [lane for lane in lanes if lane.paused]
        if paused and sum(lane.queued for lane in lanes) <= self._queue_limit() // 2:
            self._reading().resume([lane.key for lane in paused])
            for lane in paused:
                lane.paused = False
