"""How far the sink of this process has come: what the source may tell Kafka, and what status shows."""

from __future__ import annotations

import threading
from collections.abc import Iterable

from cdc.event import Position


class Progress:
    """Offsets that PostgreSQL holds, by topic partition. One per process, shared by its workers.

    The engine calls a source's `next_batch` after its snapshot only when every sink has taken its own of that epoch, with which
    dead letters are confirmed. PostgreSQL may be behind it: while more is to come its sink does not wait for commits, and the
    offsets of a halted table stay. That is what this bound is for.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._sink_slots: set[int] = set()
        self._next_offsets: dict[tuple[str, int], tuple[str, int]] = {}
        self._newest_writes: dict[str, int] = {}

    def sink_opened(self, slot: int) -> None:
        """Note that this process writes the slot: from now on only what it reports may be committed to Kafka."""
        with self._lock:
            self._sink_slots.add(slot)

    def committed(self, positions: Iterable[Position]) -> None:
        """Note what PostgreSQL has committed. Idempotent; lower offsets of one topic id change nothing."""
        with self._lock:
            for position in positions:
                key = (position.topic, position.partition)
                topic_id, offset = self._next_offsets.get(key, ("", -1))
                if topic_id != position.topic_id or offset < position.next_offset:
                    self._next_offsets[key] = (position.topic_id, position.next_offset)

    def wrote(self, table: str, write_timestamp_us: int) -> None:
        """Note a write of `keyspace.table` that PostgreSQL has committed; an older one changes nothing."""
        with self._lock:
            self._newest_writes[table] = max(write_timestamp_us, self._newest_writes.get(table, write_timestamp_us))

    def newest_write(self, table: str) -> int | None:
        """Return the timestamp of the newest committed write, None before the first."""
        return self._newest_writes.get(table)

    def committable(self, slot: int, position: Position) -> int | None:
        """Return how far the group offset may go towards `position`, or None: not at all."""
        with self._lock:
            if slot not in self._sink_slots:
                return position.next_offset  # another process of the cluster writes this slot
            topic_id, offset = self._next_offsets.get((position.topic, position.partition), ("", -1))
        if topic_id != position.topic_id:
            return None
        return min(offset, position.next_offset)

    def offsets(self) -> dict[tuple[str, int], int]:
        """Return every offset reported so far."""
        with self._lock:
            return {key: offset for key, (_, offset) in self._next_offsets.items()}
