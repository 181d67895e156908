"""Values as the driver returns them, in the notation of recordings: what a mirror is compared with."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, Final

from cassandra.cluster import Session
from cassandra.cqltypes import DateType
from cassandra.marshal import int64_unpack
from cassandra.protocol import ResultMessage, _ProtocolHandler

from cdc.schema import CqlType


class EpochMilliseconds(DateType):  # type: ignore[misc]
    """A `timestamp` as Cassandra stores it: most of its range is none of Python's."""

    typename = "timestamp"

    @staticmethod
    def deserialize(byts: bytes, protocol_version: int) -> int:  # noqa: ARG004 - the driver's signature
        milliseconds: int = int64_unpack(byts)
        return milliseconds


class _Results(ResultMessage):  # type: ignore[misc]
    type_codes = ResultMessage.type_codes | {0x000B: EpochMilliseconds}


class _Protocol(_ProtocolHandler):  # type: ignore[misc]
    message_types_by_opcode = _ProtocolHandler.message_types_by_opcode | {ResultMessage.opcode: _Results}


def read_whole_timestamps(session: Session) -> None:
    """Let a session return `timestamp`s as milliseconds since 1970."""
    session.client_protocol_handler = _Protocol


def recorded_value(cql: CqlType, value: Any) -> Any:
    """Return a value of the driver in the recorded notation (`cdc/recorded_values.py`); `timestamp`s are milliseconds."""
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
