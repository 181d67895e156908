"""A small Cassandra: it keeps every write and judges them when it is read.

It never merges. A read takes all writes of a row, drops what a deletion covers and lets the best cell of each column win, as
`Cells.resolveRegular` and `LivenessInfo.supersedes` say. So it shares neither code nor method with what it judges.
"""

from __future__ import annotations

import functools
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from tests.model.kinds import Kind
from tests.model.statements import (
    DeleteColumns,
    DeletePartition,
    DeleteRange,
    DeleteRow,
    Insert,
    Key,
    ModelTable,
    Single,
    Statement,
    parts_of,
    range_holds,
)

WRITTEN_AT = 1_700_000_000
"""The second in which every statement runs: a TTL counts from here."""


@dataclass(frozen=True)
class _Write:
    """A cell or a row marker as written; `value` is None for a cell tombstone, `expires` counts in seconds."""

    timestamp: int
    value: Any = None
    expires: int | None = None
    tombstone: bool = False

    def is_live(self, now: int) -> bool:
        return not self.tombstone and (self.expires is None or now < self.expires)


class Cassandra:
    """The writes of all tables, and what SELECT makes of them."""

    def __init__(self) -> None:
        self._cells: dict[tuple[str, Key], dict[str, list[_Write]]] = defaultdict(lambda: defaultdict(list))
        self._markers: dict[tuple[str, Key], list[_Write]] = defaultdict(list)
        self._deletions: dict[str, list[DeleteRow | DeleteRange | DeletePartition]] = defaultdict(list)
        self._tables: dict[str, ModelTable] = {}

    def execute(self, statement: Statement) -> None:
        """Take the writes of one statement."""
        for part in parts_of(statement):
            self._tables[part.table.name] = part.table
            self._write(part)

    def rows(self, now: int) -> dict[str, dict[Key, dict[str, Any]]]:
        """Return what SELECT returns of every table at `now` (seconds)."""
        tables: dict[str, dict[Key, dict[str, Any]]] = {name: {} for name in self._tables}
        for name, key in dict.fromkeys([*self._cells, *self._markers]):
            row = self._row(self._tables[name], key, now)
            if row is not None:
                tables[name][key] = row
        return tables

    def _write(self, part: Single) -> None:
        if isinstance(part, DeleteRow | DeleteRange | DeletePartition):
            self._deletions[part.table.name].append(part)
            return
        place = (part.table.name, part.key)
        if isinstance(part, DeleteColumns):
            for column in part.columns:
                self._cells[place][column].append(_Write(part.timestamp, tombstone=True))
            return
        expires = None if part.ttl is None else WRITTEN_AT + part.ttl
        if isinstance(part, Insert):
            self._markers[place].append(_Write(part.timestamp, expires=expires))
        for column, value in part.values.items():
            gone = value is None
            self._cells[place][column].append(_Write(part.timestamp, value, None if gone else expires, tombstone=gone))

    def _row(self, table: ModelTable, key: Key, now: int) -> dict[str, Any] | None:
        floor = self._deleted_until(table, key)
        marker = _best(_above(floor, self._markers[table.name, key]), _compare_markers)
        values: dict[str, Any] = {}
        for column in table.regular:
            compare = functools.partial(_compare_cells, column.kind)
            cell = _best(_above(floor, self._cells[table.name, key][column.name]), compare)
            values[column.name] = cell.value if cell is not None and cell.is_live(now) else None
        visible = (marker is not None and marker.is_live(now)) or any(value is not None for value in values.values())
        return values if visible else None

    def _deleted_until(self, table: ModelTable, key: Key) -> int | None:
        """Return the newest timestamp at which a deletion covers the row, None without any."""
        partition, clustering = table.partition_of(key), key[len(table.partition_key) :]
        covering = (
            deletion.timestamp for deletion in self._deletions[table.name] if _covers(deletion, key, partition, clustering)
        )
        return max(covering, default=None)


def replay(statements: Iterable[Statement], now: int) -> dict[str, dict[Key, dict[str, Any]]]:
    """Return what SELECT returns at `now` (seconds) after these statements."""
    cassandra = Cassandra()
    for statement in statements:
        cassandra.execute(statement)
    return cassandra.rows(now)


def _covers(deletion: DeleteRow | DeleteRange | DeletePartition, key: Key, partition: Key, clustering: Key) -> bool:
    if isinstance(deletion, DeleteRow):
        return deletion.key == key
    return deletion.partition == partition and (isinstance(deletion, DeletePartition) or range_holds(deletion, clustering))


def _above(floor: int | None, writes: list[_Write]) -> list[_Write]:
    return [write for write in writes if floor is None or write.timestamp > floor]


def _best(writes: list[_Write], compare: Any) -> _Write | None:
    return max(writes, key=functools.cmp_to_key(compare), default=None)


def _compare_cells(kind: Kind, left: _Write, right: _Write) -> int:
    """Compare as `Cells.resolveRegular` does; the shorter TTL never decides, all statements run in one second."""
    if left.timestamp != right.timestamp:
        return left.timestamp - right.timestamp
    left_dies, right_dies = (write.tombstone or write.expires is not None for write in (left, right))
    if left_dies != right_dies:
        return 1 if left_dies else -1
    if left.tombstone != right.tombstone:
        return 1 if left.tombstone else -1
    if left.tombstone:
        return 0
    if left.expires is not None and right.expires is not None and left.expires != right.expires:
        return left.expires - right.expires
    mine, theirs = kind.serialize(left.value), kind.serialize(right.value)
    return (mine > theirs) - (mine < theirs)


def _compare_markers(left: _Write, right: _Write) -> int:
    """Compare as `LivenessInfo.supersedes` does."""
    if left.timestamp != right.timestamp:
        return left.timestamp - right.timestamp
    if (left.expires is None) != (right.expires is None):
        return 1 if left.expires is not None else -1
    return (left.expires or 0) - (right.expires or 0)
