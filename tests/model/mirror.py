"""What keeps mirrored tables, seen by tests: the in-memory twin and PostgreSQL, held to one contract."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from typing import Protocol

import psycopg

from cdc.event import Change, Position, Rejected
from cdc.recording import Rows
from cdc.schema import Table
from sinks.memory import MemoryTables
from sinks.postgres.connection import connect
from sinks.postgres.layout import Layout
from sinks.postgres.migrate import migrate
from sinks.postgres.writer import Outcome, Writer, WriterOptions
from tests.model.plain import in_runs

GROUP = "model"


class Mirror(Protocol):
    """Mirrored tables with a clock that a test moves (seconds, never back)."""

    def set_clock(self, now: int) -> None: ...

    def apply(self, changes: Iterable[Change], positions: Iterable[Position] = ()) -> object: ...

    def sweep(self) -> object: ...

    def purge(self) -> object: ...

    def rows(self, full_name: str) -> Rows:
        """Return what SELECT shows, as text: regular columns by primary key."""

    def clear(self) -> None:
        """Forget everything, the clock too."""

    def close(self) -> None: ...


class MemoryMirror:
    """The in-memory twin."""

    def __init__(self) -> None:
        self._tables = MemoryTables()
        self._now = 0

    def set_clock(self, now: int) -> None:
        self._now = now

    def apply(self, changes: Iterable[Change], positions: Iterable[Position] = ()) -> None:
        self._tables.apply(changes, positions)

    def sweep(self) -> None:
        self._tables.sweep(self._now)

    def purge(self) -> None:
        """Do nothing: what is in memory is gone soon enough."""

    def rows(self, full_name: str) -> Rows:
        return self._tables.rows(full_name, self._now)

    def clear(self) -> None:
        self._tables = MemoryTables()

    def close(self) -> None:
        """Do nothing."""


class PostgresMirror:
    """The tables in PostgreSQL behind the real writer. A poison row fails the test."""

    def __init__(self, dsn: str, tables: Iterable[Table], group: str = GROUP) -> None:
        self._dsn = dsn
        self._tables = list(tables)
        self._layouts = {layout.table.full_name: layout for layout in migrate(dsn, self._tables)}
        self._group = group
        self.reader: psycopg.Connection = connect(dsn)
        self._now: int | None = None
        self.writer = self.new_writer()

    def new_writer(self) -> Writer:
        """Return another session on the same tables."""
        options = WriterOptions(self._dsn, self._group, clock_at=self._now)
        return Writer(options, self._layouts.values, _refuse)

    def set_clock(self, now: int) -> None:
        self._now = now
        set_clock(self.writer, now)

    def apply(self, changes: Iterable[Change], positions: Iterable[Position] = ()) -> Outcome:
        others, plain = in_runs(changes)
        outcome = self.writer.write(self.writer.prepare(others, positions, plain))
        assert (outcome.rejected, self.writer.halted) == ([], {})
        return outcome

    def sweep(self) -> int:
        return self.writer.sweep()

    def purge(self) -> int:
        return self.writer.purge()

    def rows(self, full_name: str) -> Rows:
        layout = self._layouts[full_name]
        columns = ", ".join(f"{column.sql}::text" for column in (*layout.key, *layout.columns)).replace("%%", "%")
        width = len(layout.key)
        found = self.reader.execute(f"SELECT {columns} FROM {layout.relation}".encode()).fetchall()
        return {tuple(row[:width]): row[width:] for row in found}

    def clear(self) -> None:
        relations = [name for layout in self._layouts.values() for name in (layout.relation, layout.graveyard)]
        self.reader.execute(f"TRUNCATE {', '.join(relations)}, cdc.tombstones, cdc.offsets".encode())
        self.reader.execute("UPDATE cdc.clock SET at = 0")
        self.reader.execute("UPDATE cdc.tables SET purged_before = NULL")

    def close(self) -> None:
        self.writer.close()
        self.reader.close()

    def layout(self, full_name: str) -> Layout:
        return self._layouts[full_name]

    @property
    def layouts(self) -> Collection[Layout]:
        return self._layouts.values()


def set_clock(writer: Writer, now: int) -> None:
    """Move a writer's fixed clock, as a restart with another CDC_CLOCK__AT would."""
    object.__setattr__(writer._options, "clock_at", now)
    if writer._session is not None:
        writer._session.clock_at = now


def _refuse(rejected: Sequence[Rejected]) -> None:
    raise AssertionError(rejected)
