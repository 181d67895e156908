"""The in-memory twin of the PostgreSQL sink's tables: the same contract, without a server.

It holds every row that it was ever told of, so it is for tests and for trying things out.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from functools import cached_property

from cdc.event import Change, Key, Position, RangeDeletion, RowState
from cdc.ordering import cells_of, collapse, is_visible, merge, row_state, strip, visible_values
from cdc.plain_state import Row, state_of
from cdc.ranges import ClusteringOrder
from cdc.schema import CqlType, Table
from cdc.types.base import TypeCodec
from cdc.types.registry import codec_for

CodecOf = Callable[[CqlType], TypeCodec]


class MemoryTables:
    """The tables as the merge leaves them. `apply` is idempotent and takes changes in any order; not for several threads."""

    def __init__(self, codec_of: CodecOf = codec_for) -> None:
        self._codec_of = codec_of
        self._tables: dict[str, _MemoryTable] = {}
        self._offsets: dict[tuple[str, int], int] = {}

    def apply(self, changes: Iterable[Change], positions: Iterable[Position] = ()) -> None:
        """Merge the changes of one batch, and remember how far its partitions have been read."""
        by_table: dict[str, list[Change]] = defaultdict(list)
        for change in changes:
            by_table[change.table.full_name].append(change)
        for name, mine in by_table.items():
            self._tables.setdefault(name, _MemoryTable(mine[0].table, self._codec_of)).apply([change.what for change in mine])
        for position in positions:
            place = (position.topic, position.partition)
            self._offsets[place] = max(self._offsets.get(place, 0), position.next_offset)

    def rows(self, full_name: str, now: int) -> dict[Key, list[str | None]]:
        """Return the rows that are visible at `now` (seconds): regular columns by primary key."""
        table = self._tables.get(full_name)
        return {} if table is None else table.rows(now)

    def sweep(self, now: int) -> None:
        """Erase the values that have expired at `now` (seconds)."""
        for table in self._tables.values():
            table.sweep(now)

    @property
    def offsets(self) -> dict[tuple[str, int], int]:
        """The next offset by topic and partition."""
        return dict(self._offsets)


class _MemoryTable:
    """One table: the state of each row, and the range deletions of each partition."""

    def __init__(self, table: Table, codec_of: CodecOf) -> None:
        self._table = table
        self._clustering = [codec_of(column.type) for column in table.clustering]
        self._serializers = [codec_of(column.type).serialize for column in table.regular]
        self._width = len(table.partition_key)
        self._rows: dict[Key, RowState] = {}
        self._deletions: dict[Key, set[RangeDeletion]] = defaultdict(set)

    def apply(self, parts: Sequence[Row | RangeDeletion]) -> None:
        """Store the range deletions, then merge the rows that they leave."""
        new = {part for part in parts if isinstance(part, RangeDeletion)}
        for deletion in new:
            self._deletions[deletion.partition].add(deletion)
        self._strip_rows(new)
        rows = [state_of(self._table, part) for part in parts if not isinstance(part, RangeDeletion)]
        states = collapse(rows, self._serializers)
        for key, state in states.items():
            left = self._stripped(key, state, self._deletions.get(key[: self._width], ()))
            if left is not None:
                known = self._rows.get(key)
                self._rows[key] = left if known is None else merge(known, left, self._serializers)

    def rows(self, now: int) -> dict[Key, list[str | None]]:
        return {key: visible_values(state, now) for key, state in self._rows.items() if is_visible(state, now)}

    def sweep(self, now: int) -> None:
        self._rows = {key: _erased(state, now) for key, state in self._rows.items()}

    def _strip_rows(self, deletions: set[RangeDeletion]) -> None:
        partitions = {deletion.partition for deletion in deletions}
        for key in [key for key in self._rows if key[: self._width] in partitions]:
            left = self._stripped(key, self._rows[key], deletions)
            if left is None:
                del self._rows[key]
            else:
                self._rows[key] = left

    def _stripped(self, key: Key, state: RowState | None, deletions: Iterable[RangeDeletion]) -> RowState | None:
        """Return what the deletions of the row's partition leave of it, None for nothing."""
        row = None
        for deletion in deletions:
            if state is None or deletion.partition != key[: self._width]:
                continue
            row = row or [codec.serialize(text) for codec, text in zip(self._clustering, key[self._width :], strict=True)]
            if self._order.covers(deletion, row):
                state = strip(state, deletion.deletion_ts)
        return state

    @cached_property
    def _order(self) -> ClusteringOrder:
        sort_keys = [codec.sort_key for codec in self._clustering]
        return ClusteringOrder(sort_keys, [column.descending for column in self._table.clustering])


def _erased(state: RowState, now: int) -> RowState:
    """Return the state without the values that have expired; their timestamps and expiries still count in ties."""
    cells = [
        cell._replace(value=None) if cell is not None and cell.expires is not None and cell.expires <= now else cell
        for cell in cells_of(state)
    ]
    marker = None if state.marker is None else (state.marker, state.marker_expires)
    return row_state(state.key, cells, marker, state.deletion)
