"""A batch of changes sorted by table and made ready to be written: what can be done before PostgreSQL is asked."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from itertools import groupby
from operator import attrgetter

import msgspec

from cdc.event import Change, Position, RangeDeletion
from cdc.plain_state import Row
from sinks.postgres.layout import Layout
from sinks.postgres.stage import Group, stage

_table, _what, _write_ts = attrgetter("table"), attrgetter("what"), attrgetter("write_ts")


class TableBatch(msgspec.Struct):
    """The changes of one table; `groups` are their rows, staged, `newest_write` the timestamp of the newest one."""

    layout: Layout
    changes: list[Change]
    deletions: list[RangeDeletion]
    groups: list[Group]
    newest_write: int | None


class Prepared(msgspec.Struct):
    """Everything one transaction writes: tables in the order of their ids, and the positions that it reaches.

    `polled_at` has a time for each batch of the source in it: when its oldest record was polled.
    """

    tables: list[TableBatch]
    positions: list[Position]
    polled_at: list[float] = msgspec.field(default_factory=list)

    @property
    def changes(self) -> list[Change]:
        return [change for table in self.tables for change in table.changes]


def prepare(layouts: Mapping[str, Layout], changes: Iterable[Change], positions: Iterable[Position]) -> Prepared:
    """Sort, collapse and stage the changes; later positions of a topic partition replace earlier ones."""
    by_table: dict[str, list[Change]] = defaultdict(list)
    for table, together in groupby(changes, _table):
        by_table[table.full_name] += together
    tables = [_table_batch(layouts[name], of_table) for name, of_table in by_table.items()]
    tables.sort(key=lambda table: table.layout.table_id)
    reached = {(position.topic, position.partition): position for position in positions}
    return Prepared(tables, list(reached.values()))


def _table_batch(layout: Layout, changes: list[Change]) -> TableBatch:
    deletions = [what for what in map(_what, changes) if type(what) is RangeDeletion]
    rows = rows_of(changes)
    newest_write = max(map(_write_ts, rows), default=None)
    return TableBatch(layout, changes, deletions, stage(layout, rows), newest_write)


def rows_of(changes: Iterable[Change]) -> list[Row]:
    """Return the rows of the changes; `type` is quicker than isinstance, which asks a struct's metaclass when it is none."""
    return [what for what in map(_what, changes) if type(what) is not RangeDeletion]
