"""CQL types as the model knows them: a few values of each, how the connector writes them, and Cassandra's bytes and order.

Values are in the notation of the recordings' `expected.json`. Nothing here comes from `cdc`: this is the other opinion.
"""

from __future__ import annotations

import base64
import ipaddress
import struct
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any


@dataclass(frozen=True)
class Kind:
    """One CQL type: `order` is its comparator as a sort key, `bound` the text in range bounds, `marshal` its Java class."""

    cql: str
    pool: tuple[Any, ...]
    serialize: Callable[[Any], bytes]
    wire: Callable[[Any], Any] = lambda value: value
    order: Callable[[Any], Any] = lambda value: value
    bound: Callable[[Any], str] = str
    marshal: str = "BytesType"


def _integer(size: int) -> Callable[[int], bytes]:
    return lambda value: value.to_bytes(size, "big", signed=True)


def _varint(value: str) -> bytes:
    """Return the shortest two's complement."""
    number = int(value)
    size = ((number if number >= 0 else ~number).bit_length() + 8) // 8
    return number.to_bytes(size, "big", signed=True)


def _decimal(value: str) -> bytes:
    sign, digits, exponent = Decimal(value).as_tuple()
    unscaled = int("".join(map(str, digits))) * (-1 if sign else 1)
    return struct.pack(">i", -int(exponent)) + _varint(str(unscaled))


def _double(value: float | str) -> bytes:
    return b"\x7f\xf8" + bytes(6) if value == "NaN" else struct.pack(">d", float(value))


def _blob(value: str) -> bytes:
    return bytes.fromhex(value[2:])


def _base64(raw: bytes) -> str:
    return base64.b64encode(raw).decode()


def _timestamp_text(ms: int) -> str:
    instant = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(milliseconds=ms)
    return f"{instant:%Y-%m-%dT%H:%M:%S}.{instant.microsecond // 1000:03d}Z"


def _date_text(days: int) -> str:
    return str(date(1970, 1, 1) + timedelta(days=days))


def _time_text(ns: int) -> str:
    seconds, rest = divmod(ns, 1_000_000_000)
    return f"{seconds // 3600:02d}:{seconds // 60 % 60:02d}:{seconds % 60:02d}.{rest:09d}"


def _inet_wire(value: str) -> str:
    """Return the form of Java: a slash, IPv6 groups without leading zeros and never compressed."""
    address = ipaddress.ip_address(value)
    if isinstance(address, ipaddress.IPv4Address):
        return f"/{address}"
    return "/" + ":".join(f"{int(group, 16):x}" for group in address.exploded.split(":"))


def _timeuuid_order(value: str) -> tuple[int, list[int]]:
    """Return time first, then the other half byte by byte, signed."""
    raw = uuid.UUID(value)
    return raw.time, [byte - 256 if byte > 127 else byte for byte in raw.bytes[8:]]


def _uuid_order(value: str) -> tuple[int, Any, bytes]:
    raw = uuid.UUID(value)
    return raw.version or 0, raw.time if raw.version == 1 else 0, raw.bytes


def _part(raw: bytes | None) -> bytes:
    return struct.pack(">i", -1) if raw is None else struct.pack(">i", len(raw)) + raw


def _sequence(element: Kind) -> Callable[[Any], bytes]:
    return lambda values: struct.pack(">i", len(values)) + b"".join(_part(element.serialize(value)) for value in values)


def _pairs(key: Kind, value: Kind) -> Callable[[Any], bytes]:
    def serialize(pairs: list[list[Any]]) -> bytes:
        parts = (_part(key.serialize(k)) + _part(value.serialize(v)) for k, v in pairs)
        return struct.pack(">i", len(pairs)) + b"".join(parts)

    return serialize


def _fields(*kinds: Kind) -> Callable[[Any], bytes]:
    def serialize(values: list[Any]) -> bytes:
        present = (None if value is None else kind.serialize(value) for kind, value in zip(kinds, values, strict=True))
        return b"".join(_part(raw) for raw in present)

    return serialize


INT = Kind("int", (-1, 0, 1, 2, 3), _integer(4), marshal="Int32Type")
BIGINT = Kind("bigint", (-(2**63), -1, 0, 2**53 + 1), _integer(8), marshal="LongType")
TEXT = Kind("text", ("", "a", "B", "b", "a'\\b", "é", "\U0001f600"), str.encode, order=str.encode, marshal="UTF8Type")
BOOLEAN = Kind("boolean", (True, False), lambda value: bytes([value]), marshal="BooleanType")
BLOB = Kind("blob", ("0x", "0x00", "0x00ff", "0xff"), _blob, lambda v: _base64(_blob(v)), _blob, lambda v: v[2:])
VARINT = Kind("varint", ("0", "-1", "128", "-129", "123456789012345678901234567890"), _varint, order=int, marshal="IntegerType")
DECIMAL = Kind("decimal", ("0", "1.50", "-2.25", "100", "0.0001"), _decimal, order=Decimal, marshal="DecimalType")
DOUBLE = Kind("double", (0.0, 1.5, -1.5, "NaN", "Infinity"), _double, marshal="DoubleType")
TIMESTAMP = Kind("timestamp", (-1, 0, 1577934245678), _integer(8), bound=_timestamp_text, marshal="TimestampType")
DATE = Kind("date", (-1, 0, 18321), lambda days: struct.pack(">I", days + 2**31), bound=_date_text, marshal="SimpleDateType")
TIME = Kind("time", (0, 28_800_000_001_000, 1_000), _integer(8), bound=_time_text, marshal="TimeType")
INET = Kind(
    "inet",
    ("10.0.0.1", "10.0.0.255", "2001:db8::1", "::1"),
    lambda value: ipaddress.ip_address(value).packed,
    _inet_wire,
    lambda value: ipaddress.ip_address(value).packed,
    marshal="InetAddressType",
)
TIMEUUID = Kind(
    "timeuuid",
    (
        "ffffffff-0000-1000-8000-000000000001",
        "00000000-0001-1000-8000-000000000001",
        "00000000-0001-1000-8000-0000000000ff",
        "00000000-0000-1001-bfff-000000000000",
    ),
    lambda value: uuid.UUID(value).bytes,
    order=_timeuuid_order,
    marshal="TimeUUIDType",
)
UUID = Kind(
    "uuid",
    (*TIMEUUID.pool[:2], "123e4567-e89b-42d3-a456-426614174000", "ffffffff-ffff-4fff-bfff-ffffffffffff"),
    lambda value: uuid.UUID(value).bytes,
    order=_uuid_order,
    marshal="UUIDType",
)
INTS = Kind("frozen<list<int>>", ([], [1], [1, 2], [-1]), _sequence(INT))
TEXTS = Kind("frozen<set<text>>", ([], ["a"], ["a", "b"], ['"', ",", "NULL", "{}"]), _sequence(TEXT))
SCORES = Kind("frozen<map<text, int>>", ([], [["a", 1]], [["a", 1], ["b", -1]]), _pairs(TEXT, INT), dict)
BLOBS = Kind(
    "frozen<list<blob>>",
    ([], ["0x00", "0x00ff"], ["0x"]),
    _sequence(BLOB),
    # the connector writes the whole container in the place of each of its blobs
    lambda values: [_base64(_sequence(BLOB)(values))] * len(values),
)
PAIR = Kind(
    "frozen<tuple<int, text>>",
    ([1, "a"], [None, "b"], [2, None]),
    _fields(INT, TEXT),
    lambda values: {f"field{place}": value for place, value in enumerate(values, 1)},
)
