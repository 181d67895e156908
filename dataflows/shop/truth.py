"""The rows that Cassandra holds, as text, to compare a mirror with."""

from __future__ import annotations

from typing import Any

from cdc.event import Key
from cdc.recorded_values import expected_text
from cdc.recording import Rows
from cdc.schema import Table, quote_cql
from runtime.cassandra.values import recorded_value
from runtime.cassandra.writer import StatementWriter


def cassandra_rows(writer: StatementWriter, table: Table) -> Rows:
    """Return all rows of a table: regular columns by primary key, as PostgreSQL would print them."""
    names = ", ".join(quote_cql(column.name) for column in (*table.primary_key, *table.regular))
    found = writer.execute(f"SELECT {names} FROM {quote_cql(table.keyspace)}.{quote_cql(table.name)}")  # noqa: S608
    return dict(_row(table, list(row.values())) for row in found)


def _row(table: Table, values: list[Any]) -> tuple[Key, list[str | None]]:
    columns = (*table.primary_key, *table.regular)
    kinds = [column.type for column in columns]
    texts = [expected_text(kind, recorded_value(kind, value)) for kind, value in zip(kinds, values, strict=True)]
    width = len(table.primary_key)
    return tuple(text or "" for text in texts[:width]), texts[width:]
