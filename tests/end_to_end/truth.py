"""What Cassandra holds, read back by SELECT, in the notation of recordings."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import msgspec
from cassandra.cluster import EXEC_PROFILE_DEFAULT, Session
from cassandra.query import tuple_factory

from cdc.recording import RecordedCell, RecordedRow, RecordedTable
from cdc.schema import Column, ColumnKind, CqlType, Table, quote_cql
from runtime.cassandra.values import read_whole_timestamps, recorded_value
from runtime.embedded.cassandra import CassandraServer


@contextmanager
def reading(cassandra: CassandraServer) -> Iterator[Session]:
    """Yield a session that reads `timestamp`s as numbers."""
    with cassandra.session() as session:
        read_whole_timestamps(session)
        yield session


def read_table(session: Session, table: Table) -> RecordedTable:
    """Return all rows of a table, each value with its write timestamp and its TTL where the type has one of each."""
    selected = [*(quote_cql(column.name) for column in table.primary_key), *(_cell_terms(column) for column in table.regular)]
    query = f"SELECT {', '.join(selected)} FROM {quote_cql(table.keyspace)}.{quote_cql(table.name)}"
    as_tuples = session.execution_profile_clone_update(EXEC_PROFILE_DEFAULT, row_factory=tuple_factory)
    return RecordedTable(
        partition_key=[column.name for column in table.partition_key],
        clustering=[(column.name, "desc" if column.descending else "asc") for column in table.clustering],
        static=[],
        types={column.name: str(column.type) for column in (*table.primary_key, *table.regular)},
        rows=[_row(table, list(row)) for row in session.execute(query, execution_profile=as_tuples)],
    )


def timestamps_table(table: Table) -> Table:
    """Return a table of the same keys, with the write timestamp of each value in the value's place."""
    stamps = (Column(f"writetime({column.name})", CqlType("bigint"), ColumnKind.REGULAR) for column in table.regular)
    return replace(table, columns=(*table.primary_key, *stamps))


def timestamps_of(recorded: RecordedTable) -> RecordedTable:
    """Return what `timestamps_table` holds of what was read; None where there is no value, or its type has many of them."""
    rows = [
        RecordedRow(row.key, {f"writetime({name})": RecordedCell(cell.writetime) for name, cell in row.columns.items()})
        for row in recorded.rows
    ]
    return msgspec.structs.replace(recorded, rows=rows)


def expires_soon(recorded: RecordedTable, seconds: int) -> bool:
    """Return whether a value is still to expire within so many seconds."""
    ttls = [cell.ttl for row in recorded.rows for cell in row.columns.values()]
    return any(ttl is not None and ttl <= seconds for ttl in ttls)


def await_expiry(read: Callable[[], list[RecordedTable]], seconds: int) -> None:
    """Wait until Cassandra itself shows nothing any more that expires within so many seconds."""
    while any(expires_soon(recorded, seconds) for recorded in read()):
        time.sleep(0.1)


def _cell_terms(column: Column) -> str:
    name = quote_cql(column.name)
    return name if column.type.is_multicell else f"{name}, WRITETIME({name}), TTL({name})"


def _row(table: Table, values: list[Any]) -> RecordedRow:
    key = {column.name: recorded_value(column.type, values.pop(0)) for column in table.primary_key}
    cells = {}
    for column in table.regular:
        value, *more = (values.pop(0) for _ in range(1 if column.type.is_multicell else 3))
        cells[column.name] = RecordedCell(recorded_value(column.type, value), *more)
    return RecordedRow(key, cells)
