"""Read the connector's topics: a Bytewax source of 64 fixed slots, whose items are batches of records."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Final

from bytewax.inputs import FixedPartitionedSource, StatefulSourcePartition

from cdc.batch import Batch
from cdc.event import Position
from cdc.runs import RecordRun
from operators.copies import Copies
from operators.source_feed import Feed
from operators.source_lane import FeedLimits
from operators.source_start import SlotState
from operators.source_topics import SLOTS, owned_slots, slot_key
from operators.source_watch import TopicWatcher, WatchPlan
from runtime.kafka.client import KafkaClient
from runtime.kafka.reader import PartitionReader
from runtime.kafka.scout import ClusterScout
from runtime.progress import Progress
from runtime.status import Status

Keyed = tuple[str, Batch[RecordRun]]
IDLE: Final = timedelta(milliseconds=5)
WITHOUT_PARTITIONS: Final = timedelta(milliseconds=100)


class KafkaSource(FixedPartitionedSource[Keyed, SlotState]):
    """Every slot is a partition of the dataflow in every process, because Bytewax fixes its partitions at the start.

    Slots of other shards stay empty until the end. Items are `(two-digit slot, batch)`. `is_stopping` ends all slots;
    `before_end` is called when the last one has drained, and may raise what the process shall end with.
    """

    def __init__(
        self,
        client: KafkaClient,
        group_id: str,
        *,
        plan: WatchPlan,
        progress: Progress,
        status: Status,
        is_stopping: Callable[[], bool],
        slots: frozenset[int] = owned_slots(0, 1),
        limits: FeedLimits | None = None,
        copies: Copies | None = None,
        before_end: Callable[[], None] = lambda: None,
    ) -> None:
        self._feed = Feed(lambda: PartitionReader(client, group_id), progress, status, limits, copies)
        self._watcher = TopicWatcher(self._feed, lambda: ClusterScout(client, group_id), plan, status)
        self._until_caught_up = plan.until_caught_up
        self._is_stopping = is_stopping
        self._before_end = before_end
        self._slots = slots
        self._ending: set[int] = set()
        self._watching = False

    def starts(self, slot: int) -> list[Position]:
        """Return where this process began to read the slot: what dedupe may build on."""
        return self._feed.starts(slot)

    def fail(self, error: BaseException) -> None:
        """Let the source end the process with an error that was found elsewhere."""
        self._feed.fail(error)

    @property
    def has_raised(self) -> bool:
        """Return whether the engine unwinds because of what `fail` was told."""
        return self._feed.has_raised

    @property
    def is_draining(self) -> bool:
        """Return whether slots wait for their last snapshot: what they handed out shall be committed with it."""
        return bool(self._ending)

    def list_parts(self) -> list[str]:
        """Return all slots, whatever the shard."""
        return [slot_key(slot) for slot in range(SLOTS)]

    def build_part(
        self,
        step_id: str,  # noqa: ARG002 - Bytewax's signature
        for_part: str,
        resume_state: SlotState | None,
    ) -> StatefulSourcePartition[Keyed, SlotState]:
        """Return the slot's partition; nothing waits here, so a signal finds the process listening."""
        slot = int(for_part)
        if slot not in self._slots:
            return ForeignSlot(resume_state or {}, lambda: self._until_caught_up or self._is_stopping())
        self._feed.open(slot, resume_state or {})
        if not self._watching:  # Bytewax builds partitions one after the other, under the interpreter's lock
            self._watching = True
            self._watcher.start()
        return Slot(
            slot, self._feed, self._is_stopping, self._before_end, until_caught_up=self._until_caught_up, draining=self._ending
        )


class Slot(StatefulSourcePartition[Keyed, SlotState]):
    """One slot of ours.

    Bytewax calls `next_batch` after `snapshot` only when every sink has finished that epoch: only then are offsets committed.
    So a slot that wants to end waits, empty, for its next snapshot, commits behind it, and raises StopIteration only then.
    """

    def __init__(
        self,
        slot: int,
        feed: Feed,
        is_stopping: Callable[[], bool],
        before_end: Callable[[], None] = lambda: None,
        *,
        until_caught_up: bool = False,
        draining: set[int] | None = None,
    ) -> None:
        self._slot = slot
        self._draining = set() if draining is None else draining
        self._key = slot_key(slot)
        self._feed = feed
        self._is_stopping = is_stopping
        self._before_end = before_end
        self._until_caught_up = until_caught_up
        self._in_epoch: list[Position] | None = None  # of the last snapshot, not committed yet
        self._ending = False
        self._final_snapshot = False
        self._state: SlotState = {}
        self._awake: timedelta | None = IDLE

    def next_batch(self) -> list[Keyed]:
        """Return at most one batch."""
        if self._in_epoch is not None:
            self._feed.commit(self._slot, self._in_epoch)
            self._in_epoch = None
        if self._final_snapshot:
            self._draining.discard(self._slot)
            if self._feed.end(self._slot):
                self._before_end()
            raise StopIteration
        if self._ending or self._is_stopping():
            self._end()
            return self._nothing()
        batch = self._feed.take(self._slot)
        if batch is None:
            if self._until_caught_up and self._feed.is_caught_up(self._slot):
                self._end()
            return self._nothing()
        self._awake = None
        return [(self._key, batch)]

    def next_awake(self) -> datetime | None:
        """Return when to ask again."""
        return None if self._awake is None else datetime.now(UTC) + self._awake

    def snapshot(self) -> SlotState:
        """Return the offsets behind the last batch."""
        if not self._final_snapshot:
            self._state = self._feed.state(self._slot)
            self._in_epoch = self._feed.positions(self._slot)
            self._final_snapshot = self._ending
        return self._state

    def close(self) -> None:
        """Let go of the slot."""
        self._feed.end(self._slot)

    def _end(self) -> None:
        self._ending = True
        self._draining.add(self._slot)

    def _nothing(self) -> list[Keyed]:
        self._awake = WITHOUT_PARTITIONS if self._feed.is_idle(self._slot) and not self._ending else IDLE
        return []


class ForeignSlot(StatefulSourcePartition[Keyed, SlotState]):
    """A slot of another shard: empty until the end, its state left as it is."""

    def __init__(self, state: SlotState, is_over: Callable[[], bool]) -> None:
        self._state = state
        self._is_over = is_over

    def next_batch(self) -> list[Keyed]:
        """Return nothing."""
        if self._is_over():
            raise StopIteration
        return []

    def next_awake(self) -> datetime:
        """Return when to ask again."""
        return datetime.now(UTC) + WITHOUT_PARTITIONS

    def snapshot(self) -> SlotState:
        """Return the state as it was."""
        return self._state
