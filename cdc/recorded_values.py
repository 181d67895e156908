"""Values as recordings hold them (`expected.json`) beside values as PostgreSQL prints them.

This is the second opinion on `cdc.types`, so it shares nothing with it. Recorded notation: blob `0x..`, date in days, timestamp
in ms, time in ns, decimal and varint as text, map as pairs, tuple as array, UDT and duration as object, NaN as text.
"""

from __future__ import annotations

import ipaddress
import json
import re
import struct
from collections.abc import Callable, Iterator
from decimal import Decimal
from typing import Any, Final

from cdc.schema import CqlType

_CONTAINERS: Final = frozenset({"list", "set", "map", "tuple", "udt", "vector"})
_MS_PER_DAY: Final = 86_400_000
_INTERVAL = re.compile(r"P(?:(-?\d+)Y)?(?:(-?\d+)M)?(?:(-?\d+)D)?(?:T(?:(-?\d+)H)?(?:(-?\d+)M)?(?:(-?\d*\.?\d+)S)?)?")
_ELEMENT = re.compile(r'"((?:[^"\\]|\\.)*)"|([^",{}]+)', re.DOTALL)


def expected_text(cql: CqlType, value: Any) -> str | None:
    """Return a recorded value as PostgreSQL prints it (jsonb: but for spaces and the order of members)."""
    if value is None:
        return None
    if cql.name in _CONTAINERS:
        return _array(cql, value) if is_array(cql) else json.dumps(_json(cql, value), ensure_ascii=False)
    return _WRITERS.get(cql.name, str)(value)


def comparable(cql: CqlType, text: str | None) -> Any:
    """Return something that equals that of another text of the same value, whether typed in or printed by PostgreSQL."""
    if text is None:
        return None
    if is_array(cql):
        return [comparable(cql.arguments[0], element) for element in _elements(text)]
    if cql.name in _CONTAINERS:
        return _comparable_json(cql, json.loads(text, parse_float=Decimal, parse_int=Decimal))
    return _READERS.get(cql.name, str)(text)


def is_array(cql: CqlType) -> bool:
    """Return whether the type is an array in PostgreSQL: a list, set or vector of scalars."""
    return cql.name in ("list", "set", "vector") and cql.arguments[0].name not in _CONTAINERS


def _array(cql: CqlType, values: list[Any]) -> str:
    elements = (expected_text(cql.arguments[0], value) for value in values)
    return "{" + ",".join("NULL" if text is None else _quoted(text) for text in elements) + "}"


def _quoted(text: str) -> str:
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


def _elements(literal: str) -> Iterator[str | None]:
    for match in _ELEMENT.finditer(literal, 1, len(literal) - 1):
        quoted, bare = match.groups()
        yield re.sub(r"\\(.)", r"\1", quoted, flags=re.DOTALL) if quoted is not None else None if bare == "NULL" else bare


def _json(cql: CqlType, value: Any) -> Any:
    """Return a recorded value as it stands inside jsonb."""
    if value is None:
        return None
    if cql.name == "map":
        return {_member_name(cql.arguments[0], key): _json(cql.arguments[1], item) for key, item in value}
    if cql.name == "udt":
        return {name: _json(field, value.get(name)) for name, field in zip(cql.field_names, cql.arguments, strict=True)}
    if cql.name == "tuple":
        return [_json(field, item) for field, item in zip(cql.arguments, value, strict=True)]
    if cql.name in _CONTAINERS:
        return [_json(cql.arguments[0], item) for item in value]
    return value if cql.name == "blob" else expected_text(cql, value)


def _member_name(cql: CqlType, key: Any) -> str:
    return expected_text(cql, key) or "" if cql.name not in _CONTAINERS else json.dumps(_json(cql, key), ensure_ascii=False)


def _comparable_json(cql: CqlType, value: Any) -> Any:
    if value is None:
        return None
    if cql.name == "map":
        return {_comparable_name(cql.arguments[0], name): _comparable_json(cql.arguments[1], value[name]) for name in value}
    if cql.name == "udt":
        fields = zip(cql.field_names, cql.arguments, strict=True)
        return {name: _comparable_json(field, value.get(name)) for name, field in fields}
    if cql.name == "tuple":
        return [_comparable_json(field, item) for field, item in zip(cql.arguments, value, strict=True)]
    if cql.name in _CONTAINERS:
        return [_comparable_json(cql.arguments[0], item) for item in value]
    return comparable(cql, str(value).lower() if isinstance(value, bool) else str(value))


def _comparable_name(cql: CqlType, name: str) -> Any:
    if cql.name not in _CONTAINERS:
        return comparable(cql, name)
    return repr(_comparable_json(cql, json.loads(name, parse_float=Decimal, parse_int=Decimal)))


def _date(days: int) -> str:
    """Return a day of the proleptic Gregorian calendar; PostgreSQL counts years before 1 as BC."""
    shifted = days + 719_468
    era, day_of_era = divmod(shifted, 146_097)
    year = (day_of_era - day_of_era // 1_460 + day_of_era // 36_524 - day_of_era // 146_096) // 365
    day_of_year = day_of_era - (365 * year + year // 4 - year // 100)
    month = (5 * day_of_year + 2) // 153
    day = day_of_year - (153 * month + 2) // 5 + 1
    month = month + 3 if month < 10 else month - 9
    year += era * 400 + (month <= 2)
    return f"{year:04d}-{month:02d}-{day:02d}" if year > 0 else f"{1 - year:04d}-{month:02d}-{day:02d} BC"


def _clock(ns: int) -> str:
    """Return a time of day as PostgreSQL holds it: microseconds, rounded down."""
    seconds, rest = divmod(ns, 1_000_000_000)
    clock = f"{seconds // 3_600:02d}:{seconds // 60 % 60:02d}:{seconds % 60:02d}"
    return f"{clock}.{rest // 1_000:06d}".rstrip("0").rstrip(".") if rest >= 1_000 else clock


def _timestamp(ms: int) -> str:
    days, rest = divmod(ms, _MS_PER_DAY)
    day, space, era = _date(days).partition(" ")
    return f"{day} {_clock(rest * 1_000_000)}+00{space}{era}"


def _duration(parts: dict[str, int]) -> str:
    us = parts["nanoseconds"] // 1_000
    return f"P{parts['months']}M{parts['days']}DT{Decimal(us) / 1_000_000:f}S"


def _comparable_interval(text: str) -> tuple[int, int, Decimal]:
    match = _INTERVAL.fullmatch(text)
    if match is None:
        raise ValueError(f"not an interval: {text!r}")
    years, months, days, hours, minutes, seconds = (Decimal(part or 0) for part in match.groups())
    return int(years * 12 + months), int(days), hours * 3_600 + minutes * 60 + seconds


def _comparable_decimal(text: str) -> Any:
    number = Decimal(text)
    return number.as_tuple() if number.is_finite() else str(number)


def _comparable_float(form: str) -> Callable[[str], Any]:
    return lambda text: "NaN" if text.lower() == "nan" else struct.pack(form, float(text))


def _comparable_clock(text: str) -> str:
    """Return date and clock without the letters and zeros that mean nothing; JSON keeps nine digits, PostgreSQL six."""
    clock, _, fraction = text.replace("T", " ").removesuffix("Z").replace("+00", "").partition(".")
    digits, space, era = fraction.partition(" ")
    digits = digits.rstrip("0")
    return clock + (f".{digits}" if digits else "") + space + era


_WRITERS: Final[dict[str, Callable[[Any], str]]] = {
    "boolean": lambda value: str(value).lower(),
    "blob": lambda value: "\\x" + value[2:],
    "decimal": lambda value: f"{Decimal(value):f}",
    "date": _date,
    "time": _clock,
    "timestamp": _timestamp,
    "duration": _duration,
}
_READERS: Final[dict[str, Callable[[str], Any]]] = {
    **dict.fromkeys(("tinyint", "smallint", "int", "bigint", "counter", "varint"), int),
    "decimal": _comparable_decimal,
    "float": _comparable_float(">f"),
    "double": _comparable_float(">d"),
    "boolean": {"true": True, "false": False, "t": True, "f": False}.__getitem__,
    "blob": lambda text: text.removeprefix("\\x").removeprefix("0x"),  # the latter inside jsonb
    "uuid": str.lower,
    "timeuuid": str.lower,
    "inet": lambda text: ipaddress.ip_address(text.partition("/")[0]),
    "timestamp": _comparable_clock,
    "time": _comparable_clock,
    "duration": _comparable_interval,
}
