"""Mirrored tables of a test's own, written through the real writer."""

from __future__ import annotations

import secrets
from collections.abc import Iterable, Mapping
from threading import Event
from typing import Any

from cdc.codec.partition_key import serialize_partition_key
from cdc.ddl import read_ddl
from cdc.event import ABSENT, Bound, Change, Key, Position, RangeDeletion, Record, Rejected, RowState, Value
from cdc.schema import Table
from sinks.postgres.connection import connect
from sinks.postgres.layout import Layout
from sinks.postgres.migrate import migrate
from sinks.postgres.writer import Writer, WriterOptions
from tests.model.plain import perhaps_plain

TOPIC_ID = "id-1"


class SinkTables:
    """The tables of a CQL schema in PostgreSQL; `letters` are the dead letters that were confirmed."""

    def __init__(self, dsn: str, ddl: str) -> None:
        self.dsn = dsn
        self.tables: list[Table] = list(read_ddl(ddl).tables.values())
        self.group = f"g{secrets.token_hex(4)}"
        self.letters: list[Rejected] = []
        self.layouts = self.read_layouts()
        self.reader = connect(dsn)
        self._writers: list[Writer] = []

    def read_layouts(self) -> list[Layout]:
        return migrate(self.dsn, self.tables)

    def layout(self, name: str) -> Layout:
        return next(layout for layout in self.layouts if layout.table.name == name)

    def writer(self, *, gives_up: Event | None = None, **options: Any) -> Writer:
        """Return a new writer, closed with the tables."""
        settings = WriterOptions(self.dsn, self.group, **{"retry_initial": 0.01, "retry_max": 0.1, **options})
        writer = Writer(settings, self.read_layouts, self.letters.extend, gives_up)
        self._writers.append(writer)
        return writer

    def rows(self, name: str) -> dict[Key, tuple[str | None, ...]]:
        """Return what SELECT shows, as text: regular columns by primary key."""
        layout = self.layout(name)
        columns = ", ".join(f"{column.sql}::text" for column in (*layout.key, *layout.columns))
        found = self.query(f"SELECT {columns} FROM {layout.relation}".replace("%%", "%"))
        return {row[: len(layout.key)]: row[len(layout.key) :] for row in found}

    def query(self, statement: str, *parameters: Any) -> list[tuple[Any, ...]]:
        return self.reader.execute(statement.encode(), parameters or None).fetchall()

    def run(self, statement: str, *parameters: Any) -> None:
        self.reader.execute(statement.encode(), parameters or None)

    def offset(self, name: str) -> int | None:
        """Return the stored offset of a table's topic."""
        found = self.query("SELECT next_offset FROM cdc.offsets WHERE group_id = %s AND topic = %s", self.group, topic_of(name))
        return found[0][0] if found else None

    def close(self) -> None:
        for writer in self._writers:
            writer.close()
        self.reader.close()


def topic_of(name: str) -> str:
    return f"cdc.{name}"


def position(name: str, next_offset: int, topic_id: str = TOPIC_ID) -> Position:
    return Position(topic_of(name), 0, topic_id, next_offset)


def change(
    layout: Layout,
    key: Key,
    ts: int,
    values: Mapping[str, str | None] = {},  # never changed
    *,
    marker: bool = True,
    deletion: int | None = None,
    expires: int | None = None,
    offset: int = 0,
    timestamp_ms: int = -1,
) -> Change:
    """Return an INSERT (`marker`), UPDATE or row deletion as a change, perhaps plain; all of it expires at `expires`."""
    cells: list[Value] = [values.get(column.name, ABSENT) for column in layout.columns]
    expiries = [None if cell is ABSENT or expires is None else expires for cell in cells]
    state = RowState(
        key,
        ts,
        cells,
        marker=ts if marker else None,
        expires=expiries if expires is not None else None,
        marker_expires=expires if marker else None,
        deletion=deletion,
    )
    return perhaps_plain(Change(layout.table, state, _record(layout, offset, timestamp_ms)))


def range_deletion(layout: Layout, partition: Key, ts: int, start: Bound = Bound(), end: Bound = Bound()) -> Change:  # noqa: B008  # frozen
    """Return a range deletion; with both bounds open a partition deletion."""
    what = RangeDeletion(partition, serialize_partition_key(layout.table, partition), start, end, ts)
    return Change(layout.table, what, _record(layout, 0, -1))


def bound(layout: Layout, *values: str, inclusive: bool = True) -> Bound:
    """Return a bound of the first clustering columns, given as text."""
    clustering = layout.key[layout.partition_length :]
    return Bound(tuple(c.codec.serialize(v) for c, v in zip(clustering, values, strict=False)), inclusive)


def keys(rows: Iterable[Key]) -> set[str]:
    """Return the last column of each key."""
    return {key[-1] for key in rows}


def _record(layout: Layout, offset: int, timestamp_ms: int) -> Record:
    return Record(topic_of(layout.table.name), 0, offset, timestamp_ms, None, None)
