"""duration: months, days and nanoseconds in Cassandra, nanoseconds only in events, microseconds in PostgreSQL's interval."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Annotated, TypeAlias

import msgspec

from cdc.codec.native import read_vints, write_vints
from cdc.schema import CqlType
from cdc.types.base import Building, Form

if TYPE_CHECKING:
    from cdc.types.registry import TypeRegistry

Span: TypeAlias = tuple[int, int, int]
"""Months, days and nanoseconds, all of one sign."""

_INTERVAL = re.compile(
    r"P(?:(-?\d+)Y)?(?:(-?\d+)M)?(?:(-?\d+)W)?(?:(-?\d+)D)?(?:T(?:(-?\d+)H)?(?:(-?\d+)M)?(?:(-?)(\d+)(?:\.(\d+))?S)?)?"
).fullmatch
_CQL = re.compile(
    r"(-?)(?:(\d+)y)?(?:(\d+)mo)?(?:(\d+)w)?(?:(\d+)d)?(?:(\d+)h)?(?:(\d+)m)?(?:(\d+)s)?(?:(\d+)ms)?(?:(\d+)us)?(?:(\d+)ns)?"
).fullmatch
_NS_OF_UNIT = {"h": 3_600_000_000_000, "m": 60_000_000_000, "s": 1_000_000_000, "ms": 1_000_000, "us": 1_000, "ns": 1}


def register(registry: TypeRegistry) -> None:
    """Add duration."""
    registry.add("duration", build)


def build(cql: CqlType, building: Building) -> Form:  # noqa: ARG001 - a duration is in no key
    """Return the form of duration. An event's months are 30 days already; `decode` gives the true parts."""
    return Form(
        cql=cql,
        postgres="interval",
        wire=Annotated[int, msgspec.Meta(ge=-(1 << 63), le=(1 << 63) - 1)],
        to_text=_interval,
        to_json=lambda value: f'"{_cql_notation(value)}"',
        parse_text=_parse_interval,
        parse_json=_parse_cql,
        decode=_decode,
        sort_key=bytes,
        parse_bound=lambda text: _parse_cql(text) if text else b"",
        postgres_order=False,
        loses_precision=lambda value: _parts(value)[2] % 1_000 != 0,
    )


def _parts(value: int | Span) -> Span:
    return (0, 0, value) if isinstance(value, int) else value


def _interval(value: int | Span) -> str:
    months, days, ns = _parts(value)
    sign = "-" if ns < 0 else ""
    seconds, us = divmod(abs(ns) // 1_000, 1_000_000)
    minutes, seconds = divmod(seconds, 60)
    calendar = f"{months}M{days}D" if months or days else ""
    return f"P{calendar}T{sign}{minutes // 60}H{sign}{minutes % 60}M{sign}{seconds}.{us:06d}S"


def _parse_interval(text: str) -> bytes:
    match = _INTERVAL(text)
    if match is None:
        raise ValueError(text)
    *whole, sign, seconds, fraction = match.groups()
    years, months, weeks, days, hours, minutes = (int(part or 0) for part in whole)
    ns = int(seconds or 0) * 1_000_000_000 + int((fraction or "").ljust(9, "0")[:9])
    ns = (hours * 60 + minutes) * 60_000_000_000 + (-ns if sign else ns)
    return write_vints((years * 12 + months, weeks * 7 + days, ns))


def _cql_notation(value: int | Span) -> str:
    months, days, ns = (abs(part) for part in _parts(value))
    units = [(months // 12, "y"), (months % 12, "mo"), (days, "d")]
    for unit, size in _NS_OF_UNIT.items():
        count, ns = divmod(ns, size)
        units.append((count, unit))
    text = "".join(f"{count}{unit}" for count, unit in units if count)
    return ("-" if min(_parts(value)) < 0 else "") + (text or "0s")


def _parse_cql(text: str) -> bytes:
    match = _CQL(text)
    if match is None:
        raise ValueError(text)
    sign = -1 if match[1] else 1
    years, months, weeks, days, *clock = (sign * int(part or 0) for part in match.groups()[1:])
    ns = sum(count * size for count, size in zip(clock, _NS_OF_UNIT.values(), strict=True))
    return write_vints((years * 12 + months, weeks * 7 + days, ns))


def _decode(serialized: bytes) -> Span:
    months, days, ns = read_vints(serialized)
    return months, days, ns
