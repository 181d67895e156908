"""Sinks that keep what they are given: the in-memory twins, for tests and for looking at a flow without a database."""

from __future__ import annotations

import threading
from collections.abc import Iterable
from typing import Any

from bytewax.outputs import FixedPartitionedSink, StatefulSinkPartition

from cdc.event import Batch, Position
from runtime.progress import Progress

PARTS = [f"{slot:02d}" for slot in range(64)]


class MemorySink(FixedPartitionedSink[Batch[Any], None]):
    """Keep every batch, for all workers of the process; like the real one, report positions at the snapshot."""

    def __init__(self, progress: Progress | None = None) -> None:
        self._progress = progress or Progress()
        self._lock = threading.Lock()
        self.batches: list[Batch[Any]] = []
        self.snapshots = 0

    @property
    def items(self) -> list[Any]:
        """Return the items of all batches, in the order they came."""
        with self._lock:
            return [item for batch in self.batches for item in batch.items]

    def positions(self) -> dict[tuple[str, int], int]:
        """Return the highest offset seen of each topic partition."""
        with self._lock:
            found = [
                (position.topic, position.partition, position.next_offset) for b in self.batches for position in b.positions
            ]
        return {(topic, partition): offset for topic, partition, offset in sorted(found)}

    def list_parts(self) -> list[str]:
        """Return all slots."""
        return PARTS

    def part_fn(self, item_key: str) -> int:
        """Return the slot itself: the global list of parts is sorted."""
        return int(item_key)

    def build_part(self, step_id: str, for_part: str, resume_state: None) -> MemoryPartition:  # noqa: ARG002 - Bytewax's signature
        """Return one slot's partition."""
        self._progress.sink_opened(int(for_part))
        return MemoryPartition(self, self._progress)

    def keep(self, batches: Iterable[Batch[Any]]) -> None:
        """Add batches."""
        with self._lock:
            self.batches.extend(batches)


class MemoryPartition(StatefulSinkPartition[Batch[Any], None]):
    """One slot: hand batches to the sink, report their positions at the snapshot."""

    def __init__(self, sink: MemorySink, progress: Progress) -> None:
        self._sink = sink
        self._progress = progress
        self._pending: list[Position] = []

    def write_batch(self, values: list[Batch[Any]]) -> None:
        """Keep batches."""
        self._sink.keep(values)
        self._pending.extend(position for batch in values for position in batch.positions)

    def snapshot(self) -> None:
        """Report positions, as committed."""
        self._progress.committed(self._pending)
        self._pending = []
        self._sink.snapshots += 1
