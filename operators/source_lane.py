"""One topic partition on its way through the source: how it is admitted, what is queued of it, what of it is lost."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field

from cdc.event import Position
from cdc.runs import RecordRun
from runtime.kafka.scout import TopicPartitionKey
from runtime.logs import get_logger
from runtime.status import LostRange, Status

log = get_logger("source")


@dataclass(frozen=True)
class FeedLimits:
    """Bounds of what is read at once and of what waits for one slot; twice that may wait in all.

    They are meant for records of a few KB: of larger ones, as many fewer are taken as keeps a batch near `batch_bytes`.
    """

    batch_records: int = 5_000
    batch_bytes: int = 8_388_608
    queue_records: int = 5_000


@dataclass(frozen=True)
class Admission:
    """A topic partition that is to be read, and from where; `end` is set where the reading is to stop there."""

    topic: str
    partition: int
    topic_id: str
    start: int | None  # None: the beginning
    log_start: int = 0
    end: int | None = None


@dataclass(slots=True)
class Lane:
    """One topic partition being read: what is queued of it, and the offsets behind what was polled and handed out."""

    topic: str
    partition: int
    topic_id: str
    slot: int
    polled: int
    taken: int
    end: int | None
    runs: deque[RecordRun] = field(default_factory=deque)
    queued: int = 0  # records in `runs`
    copies: int = 0  # left out of `runs` since the last were handed out
    polls: deque[tuple[int, float]] = field(default_factory=deque)  # of what is queued: the offset behind it, and when it came
    paused: bool = False
    broken: bool = False  # Kafka refused its offset, or it is gone: the watcher looks after it
    committed: int = -1
    moved_at: float = 0.0  # when `committed` last moved, or nothing was left to commit

    @property
    def key(self) -> TopicPartitionKey:
        return self.topic, self.partition

    @property
    def table(self) -> str:
        return ".".join(self.topic.split(".")[-2:])

    @property
    def labels(self) -> tuple[str, str]:
        """The metric labels: table and partition."""
        return self.table, str(self.partition)

    @property
    def has_more(self) -> bool:
        """Return whether something was read that is not handed out, copies that are left out included."""
        return self.taken < self.polled

    @property
    def polled_at(self) -> float | None:
        """Return when the oldest of what is queued was polled, None where nothing is."""
        return self.polls[0][1] if self.polls else None

    def queue(self, run: RecordRun, copies: int, next_offset: int, now: float) -> None:
        """Take in what was polled, copies left out."""
        self.copies += copies
        self.polled = next_offset
        if len(run):
            self.runs.append(run)
            self.queued += len(run)
        if len(run) or not self.polls:  # as many as runs at most: copies alone need no mark of their own
            self.polls.append((next_offset, now))

    def take(self, limit: int) -> list[RecordRun]:
        """Return the next records, at most `limit`; with the last of them, everything that was read is handed out."""
        taken: list[RecordRun] = []
        while self.runs and limit:
            run = self.runs.popleft()
            if len(run) > limit:
                self.runs.appendleft(run.part(limit, len(run)))
                run = run.part(0, limit)
            taken.append(run)
            limit -= len(run)
            self.queued -= len(run)
        self.taken = taken[-1].next_offset if self.runs else self.polled
        while self.polls and (not self.runs or self.polls[0][0] <= self.taken):
            self.polls.popleft()
        return taken

    @property
    def is_settled(self) -> bool:
        """Return whether everything that was read of it is committed."""
        return self.committed >= self.polled

    def note_committed(self, offset: int, now: float) -> None:
        """Note how far the group may be told that we are."""
        if offset != self.committed or offset == self.polled:
            self.committed, self.moved_at = offset, now

    @property
    def position(self) -> Position:
        return Position(self.topic, self.partition, self.topic_id, self.taken)


def note_lost(status: Status, topic: str, partition: int, wanted: int, log_start: int) -> None:
    """Say what is missing when a log starts behind the offset that is wanted, or ends before it."""
    if wanted < log_start:
        status.lost(LostRange(topic, partition, wanted, log_start))
    else:
        log.warning("log ends before our offset, read again", topic=topic, partition=partition, offset=wanted)
