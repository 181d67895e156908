"""The rows that Cassandra holds, as text, to compare a mirror with."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any, Final

from cdc.event import Key
from cdc.recorded_values import expected_text
from cdc.recording import Rows
from cdc.schema import CqlType, Table, quote_cql
from runtime.cassandra.writer import StatementWriter

_EPOCH = datetime(1970, 1, 1)  # the instants of the driver are UTC without saying so


def cassandra_rows(writer: StatementWriter, table: Table) -> Rows:
    """Return all rows of a table: regular columns by primary key, as PostgreSQL would print them."""
    names = ", ".join(quote_cql(column.name) for column in (*table.primary_key, *table.regular))
    found = writer.execute(f"SELECT {names} FROM {quote_cql(table.keyspace)}.{quote_cql(table.name)}")  # noqa: S608
    return dict(_row(table, list(row.values())) for row in found)


def _row(table: Table, values: list[Any]) -> tuple[Key, list[str | None]]:
    columns = (*table.primary_key, *table.regular)
    texts = [expected_text(column.type, recorded(column.type, value)) for column, value in zip(columns, values, strict=True)]
    width = len(table.primary_key)
    return tuple(text or "" for text in texts[:width]), texts[width:]


def recorded(cql: CqlType, value: Any) -> Any:
    """Return a value of the driver in the notation of recordings."""
    if value is None:
        return None
    if cql.name in ("list", "set"):
        return [recorded(cql.arguments[0], item) for item in value]
    if cql.name == "map":
        return [[recorded(kind, part) for kind, part in zip(cql.arguments, pair, strict=True)] for pair in value.items()]
    if cql.name in ("tuple", "udt"):
        parts = [recorded(kind, part) for kind, part in zip(cql.arguments, value, strict=True)]
        return dict(zip(cql.field_names, parts, strict=True)) if cql.name == "udt" else parts
    return _WRITERS.get(cql.name, _plain)(value)


def _plain(value: Any) -> Any:
    return value if isinstance(value, bool | int) else str(value)


_WRITERS: Final[dict[str, Callable[[Any], Any]]] = {
    "blob": lambda value: "0x" + value.hex(),
    "date": lambda value: value.days_from_epoch,
    "time": lambda value: value.nanosecond_time,
    "timestamp": lambda value: (value - _EPOCH) // timedelta(milliseconds=1),
}
