"""What Cassandra holds, read back by SELECT, in the notation of recordings."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any, Final

import msgspec
from cassandra.cluster import EXEC_PROFILE_DEFAULT, Session
from cassandra.cqltypes import DateType
from cassandra.marshal import int64_unpack
from cassandra.protocol import ResultMessage, _ProtocolHandler
from cassandra.query import tuple_factory

from cdc.recording import RecordedCell, RecordedRow, RecordedTable
from cdc.schema import Column, ColumnKind, CqlType, Table, quote_cql
from runtime.embedded.cassandra import CassandraServer


class EpochMilliseconds(DateType):  # type: ignore[misc]
    """A `timestamp` as Cassandra stores it: most of its range is none of Python's."""

    typename = "timestamp"

    @staticmethod
    def deserialize(byts: bytes, protocol_version: int) -> int:
        milliseconds: int = int64_unpack(byts)
        return milliseconds


class _Results(ResultMessage):  # type: ignore[misc]
    type_codes = ResultMessage.type_codes | {0x000B: EpochMilliseconds}


class _Protocol(_ProtocolHandler):  # type: ignore[misc]
    message_types_by_opcode = _ProtocolHandler.message_types_by_opcode | {ResultMessage.opcode: _Results}


@contextmanager
def reading(cassandra: CassandraServer) -> Iterator[Session]:
    """Yield a session that reads `timestamp`s as numbers."""
    with cassandra.session() as session:
        session.client_protocol_handler = _Protocol
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


def recorded_value(cql: CqlType, value: Any) -> Any:
    """Return a value of the driver in the recorded notation."""
    if value is None:
        return None
    if cql.name == "map":
        keys, items = cql.arguments
        return [[recorded_value(keys, key), recorded_value(items, item)] for key, item in value.items()]
    if cql.name in ("udt", "tuple"):
        parts = [recorded_value(part, item) for part, item in zip(cql.arguments, _filled(cql, value), strict=True)]
        return dict(zip(cql.field_names, parts, strict=True)) if cql.name == "udt" else parts
    if cql.arguments:
        return [recorded_value(cql.arguments[0], item) for item in value]
    return _SCALARS.get(cql.name, lambda plain: plain)(value)


def _filled(cql: CqlType, value: Any) -> list[Any]:
    """Return all parts, null for those that a value written before an ALTER TYPE has not."""
    parts = list(value)
    return parts + [None] * (len(cql.arguments) - len(parts))


def _float(value: float) -> float | str:
    if math.isfinite(value):
        return value
    return "NaN" if math.isnan(value) else "Infinity" if value > 0 else "-Infinity"


def _duration(value: Any) -> dict[str, int]:
    return {"months": value.months, "days": value.days, "nanoseconds": value.nanoseconds}


_SCALARS: Final[dict[str, Callable[[Any], Any]]] = {
    "blob": lambda value: "0x" + value.hex(),
    "date": lambda value: value.days_from_epoch,
    "time": lambda value: value.nanosecond_time,
    "decimal": str,
    "varint": str,
    "uuid": str,
    "timeuuid": str,
    "inet": str,
    "float": _float,
    "double": _float,
    "duration": _duration,
}
