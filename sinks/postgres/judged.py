"""Which failing statements say something of the data, and which only that the mirror's view of a table is old."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager

import msgspec
import psycopg

from sinks.postgres.layout import Layout

TABLES = """
    SELECT t.id, t.version, (extract(epoch FROM t.purged_before) * 1000)::bigint,
           (SELECT max(x.deletion_ts) FROM cdc.tombstones AS x WHERE x.table_id::bigint = t.id AND x.id > 0)
    FROM cdc.tables AS t WHERE t.id = ANY(%s)
"""


class StatementFailed(Exception):  # noqa: N818  # a judgement on one table's statement, not a kind of error
    """A COPY, merge or tombstone statement of one table failed: the only errors that are judged as data."""

    def __init__(self, layout: Layout, error: psycopg.Error) -> None:
        super().__init__(layout.table.full_name, error.sqlstate)
        self.layout = layout
        self.error = error


class LayoutChanged(Exception):  # noqa: N818  # a state, mended by reading the layouts again
    """Another process altered or removed a table: its layout must be read again."""


class TableNow(msgspec.Struct, frozen=True):
    """What `cdc.tables` says of a table under its lock, and the timestamp of its newest stored range deletion."""

    table_id: int
    version: int
    purged_before_ms: int | None
    newest_deletion: int | None


@contextmanager
def judged(layout: Layout) -> Iterator[None]:
    """Raise `StatementFailed` for an error of PostgreSQL."""
    try:
        yield
    except psycopg.Error as error:
        raise StatementFailed(layout, error) from error


def tables_now(cursor: psycopg.Cursor, layouts: Iterable[Layout]) -> dict[int, TableNow]:
    """Return the state of each table by its id. The caller holds their locks. Raises `LayoutChanged`."""
    versions = {layout.table_id: layout.version for layout in layouts}
    cursor.execute(TABLES, (list(versions),))
    found = {row[0]: TableNow(*row) for row in cursor}
    if versions != {table_id: now.version for table_id, now in found.items()}:
        raise LayoutChanged(", ".join(layout.table.full_name for layout in layouts))
    return found
