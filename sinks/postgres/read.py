"""Read what is mirrored: the rows, how many there are, and how far the events were applied."""

from __future__ import annotations

from types import TracebackType

from psycopg import sql

from cdc.recording import Rows
from sinks.postgres.connection import connect
from sinks.postgres.layout import Layout


class MirrorReader:
    """One read-only look at a mirror, from outside of it. Not for two threads at once."""

    def __init__(self, dsn: str) -> None:
        self._connection = connect(dsn)
        self._connection.execute("SET default_transaction_read_only = on")

    def __enter__(self) -> MirrorReader:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._connection.close()

    def applied(self, group_id: str) -> dict[str, int]:
        """Return how many records of each topic the group has behind it, counted from offset 0; none before the first start."""
        if not self._has("cdc.offsets"):
            return {}
        query = "SELECT topic, sum(next_offset)::bigint FROM cdc.offsets WHERE group_id = %s GROUP BY topic"
        return dict(self._connection.execute(query, (group_id,)).fetchall())

    def row_counts(self) -> dict[str, int]:
        """Return the number of visible rows by `keyspace.table`; none before the first start."""
        if not self._has("cdc.tables"):
            return {}
        known = self._connection.execute("SELECT keyspace || '.' || name, pg_schema, pg_table FROM cdc.tables").fetchall()
        counts = [
            sql.SQL("SELECT {}, count(*) FROM {}").format(sql.Literal(name), sql.Identifier(schema, relation))
            for name, schema, relation in known
        ]
        return dict(self._connection.execute(sql.SQL(" UNION ALL ").join(counts)).fetchall()) if counts else {}

    def rows(self, layout: Layout) -> Rows:
        """Return all visible rows of a table, as text: regular columns by primary key."""
        columns = ", ".join(f"{column.sql}::text" for column in (*layout.key, *layout.columns)).replace("%%", "%")
        relation = layout.relation.replace("%%", "%")
        width = len(layout.key)
        found = self._connection.execute(f"SELECT {columns} FROM {relation}".encode())
        return {tuple(row[:width]): row[width:] for row in found}

    def _has(self, relation: str) -> bool:
        """Return whether the first start has made a relation already."""
        return self._connection.execute("SELECT to_regclass(%s)", (relation,)).fetchone() != (None,)
