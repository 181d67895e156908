"""A batch of changes sorted by table and made ready to be written: what can be done before PostgreSQL is asked."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from itertools import groupby
from operator import attrgetter

import msgspec

from cdc.event import Change, Position, RangeDeletion
from cdc.plain_state import Row, oldest_ts
from cdc.runs import PlainRun
from sinks.postgres.layout import Layout
from sinks.postgres.stage import Group, stage

_table, _what, _write_ts = attrgetter("table"), attrgetter("what"), attrgetter("write_ts")


class TableBatch(msgspec.Struct):
    """The changes of one table; `groups` are their rows, staged, `newest_write` the timestamp of the newest one.

    `oldest_ts` is the smallest timestamp in a row.
    """

    layout: Layout
    others: list[Change]
    plain: list[PlainRun]
    deletions: list[RangeDeletion]
    groups: list[Group]
    newest_write: int | None
    oldest_ts: int | None

    @property
    def count(self) -> int:
        return len(self.others) + sum(map(len, self.plain))

    @property
    def oldest_record_ms(self) -> int:
        """The smallest of Kafka's timestamps, -1 where a record has none."""
        others = [change.record.timestamp_ms for change in self.others]
        return min([*others, *(min(run.records.timestamps_ms) for run in self.plain)])

    @property
    def changes(self) -> list[Change]:
        """All changes one by one: made anew, for the few that look at them."""
        return [*self.others, *(change for run in self.plain for change in run.changes())]

    @property
    def rows(self) -> list[Row]:
        """All rows one by one."""
        return [*rows_of(self.others), *(row for run in self.plain for row in run.rows())]


class Prepared(msgspec.Struct):
    """Everything one transaction writes: tables in the order of their ids, and the positions that it reaches.

    `polled_at` has a time for each batch of the source in it: when its oldest record was polled.
    """

    tables: list[TableBatch]
    positions: list[Position]
    polled_at: list[float] = msgspec.field(default_factory=list)

    @property
    def changes(self) -> list[Change]:
        """All changes one by one, made anew."""
        return [change for table in self.tables for change in table.changes]


def prepare(
    layouts: Mapping[str, Layout], changes: Iterable[Change], positions: Iterable[Position], plain: Iterable[PlainRun] = ()
) -> Prepared:
    """Sort, collapse and stage the changes; later positions of a topic partition replace earlier ones."""
    by_table: dict[str, tuple[list[Change], list[PlainRun]]] = defaultdict(lambda: ([], []))
    for table, together in groupby(changes, _table):
        by_table[table.full_name][0].extend(together)
    for run in plain:
        by_table[run.table.full_name][1].append(run)
    tables = [_table_batch(layouts[name], *of_table) for name, of_table in by_table.items()]
    tables.sort(key=lambda table: table.layout.table_id)
    reached = {(position.topic, position.partition): position for position in positions}
    return Prepared(tables, list(reached.values()))


def _table_batch(layout: Layout, changes: list[Change], plain: list[PlainRun]) -> TableBatch:
    deletions = [what for what in map(_what, changes) if type(what) is RangeDeletion]
    rows = rows_of(changes)
    newest_write = max((*map(_write_ts, rows), *(max(run.stamps) for run in plain)), default=None)
    oldest = min((*map(oldest_ts, rows), *(min(run.stamps) for run in plain)), default=None)
    return TableBatch(layout, changes, plain, deletions, stage(layout, rows, plain), newest_write, oldest)


def rows_of(changes: Iterable[Change]) -> list[Row]:
    """Return the rows of the changes; `type` is quicker than isinstance, which asks a struct's metaclass when it is none."""
    return [what for what in map(_what, changes) if type(what) is not RangeDeletion]
