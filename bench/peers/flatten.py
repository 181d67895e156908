"""The connector's events in the forms that other tools can read, as a team's own transformation makes them.

A cell `{"value": ..., "deletion_ts": ..., "set": true}` becomes its value. What is lost with that, no tool behind it can know:
when each cell was written, and, in a flat row, whether a column was set to null or left alone.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator
from datetime import UTC, datetime
from decimal import Decimal
from enum import StrEnum
from functools import cache
from typing import Any, TypeAlias

import msgspec

Record: TypeAlias = tuple[bytes, bytes | None]
Columns: TypeAlias = dict[str, Any]

UUID, TIME = "io.debezium.data.Uuid", "io.debezium.time.ZonedTimestamp"
DECIMAL = {"name": "org.apache.kafka.connect.data.Decimal", "version": 1, "parameters": {"scale": "2"}}
KEY: dict[str, dict[str, Any]] = {"id": {"type": "string", "name": UUID}, "seq": {"type": "int32"}}
FIELDS: dict[str, dict[str, Any]] = {
    "count": {"type": "int32"},
    "name": {"type": "string"},
    "note": {"type": "string"},
    "paid": {"type": "boolean"},
    "parent": {"type": "string", "name": UUID},
    "price": {"type": "bytes", **DECIMAL},
    "ratio": {"type": "double"},
    "total": {"type": "int64"},
    "updated": {"type": "string", "name": TIME},
}
"""Kafka Connect's types of the columns."""


class Form(StrEnum):
    """How the records of a topic look."""

    CONNECTOR = "connector"  # as the Debezium Cassandra connector writes them
    FLAT = "flat"  # a value a column, null where the event says nothing; a delete is a tombstone
    TOUCHED = "touched"  # only the columns that the event says something of, each record with its schema
    CHANGES = "changes"  # a flat row, also for a delete, and whether it is one


class _Cell(msgspec.Struct):
    value: Any = None


class _Event(msgspec.Struct):
    op: str
    after: dict[str, _Cell | None]


_decode = msgspec.json.Decoder(_Event).decode
_encode = msgspec.json.Encoder(decimal_format="number").encode


def flatten(form: Form, records: Iterable[tuple[bytes, bytes]]) -> Iterator[Record]:
    """Return the connector's records in another form."""
    transform = _FORMS[form]
    for key, value in records:
        event = _decode(value)
        columns = {name: one and one.value for name, one in event.after.items() if one is not None or name in FIELDS}
        yield transform(key, event, columns)


def _flat(key: bytes, event: _Event, columns: Columns) -> Record:
    return key, None if event.op == "d" else _encode(_for_connect(columns))


def _touched(key: bytes, event: _Event, columns: Columns) -> Record:
    if event.op == "d":
        return key, None
    names = tuple(name for name in columns if event.after[name] is not None)
    row = {name: columns[name] for name in names}
    return key, b'{"schema":%s,"payload":%s}' % (connect_schema(names), _encode(_for_connect(row)))


def _changes(key: bytes, event: _Event, columns: Columns) -> Record:
    return key, _encode(columns | _time(columns) | {"deleted": event.op == "d"})


def _for_connect(columns: Columns) -> Columns:
    price = columns.get("price")
    return columns | _time(columns) | ({} if price is None else {"price": Decimal(price)})


def _time(columns: Columns) -> Columns:
    updated_ms = columns.get("updated")
    if updated_ms is None:
        return {}
    at = datetime.fromtimestamp(updated_ms / 1000, UTC)
    return {"updated": f"{at:%Y-%m-%dT%H:%M:%S}.{updated_ms % 1000:03}Z"}


@cache
def connect_schema(names: tuple[str, ...]) -> bytes:
    """Return Kafka Connect's schema of a record with these columns, as its JSON converter reads it."""
    fields = [{"field": name, "optional": name in FIELDS, **(FIELDS.get(name) or KEY[name])} for name in names]
    return json.dumps({"type": "struct", "optional": False, "fields": fields}, separators=(",", ":")).encode()


_FORMS: dict[Form, Callable[[bytes, _Event, Columns], Record]] = {
    Form.FLAT: _flat,
    Form.TOUCHED: _touched,
    Form.CHANGES: _changes,
}
