"""timestamp, date and time."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import TYPE_CHECKING, Annotated

import msgspec

from cdc.errors import UnrepresentableKey, ValueOutOfRange
from cdc.schema import CqlType
from cdc.types.base import Building, Form
from cdc.types.calendar import days_from_text, iso_date, postgres_date
from cdc.types.integers import decode_signed, of_width, signed_order

if TYPE_CHECKING:
    from cdc.types.registry import TypeRegistry

MS_PER_DAY = 86_400_000
NS_PER_DAY = 86_400_000_000_000
_FIRST_DAY = -2_440_588  # 4714-11-24 BC, Julian day 0: where PostgreSQL's dates and timestamps begin
_LAST_DAY = 2_145_042_905  # 5874897-12-31
_FIRST_MS = _FIRST_DAY * MS_PER_DAY
_END_MS = 106_762_940 * MS_PER_DAY  # 294277-01-01
_MINUTES = tuple(f"{minute // 60:02d}:{minute % 60:02d}:" for minute in range(1_440))
_TWO_DIGITS = tuple(f"{number:02d}" for number in range(60))  # look-ups: formatting would cost half of the time
_THREE_DIGITS = tuple(f"{number:03d}" for number in range(1_000))
_TIMESTAMP = re.compile(r"([+-]?[0-9]+-[0-9]+-[0-9]+)[ T]([0-9:.]+)(?:Z|\+00)?( BC)?").fullmatch


def register(registry: TypeRegistry) -> None:
    """Add instants, days and times of day."""
    registry.add("timestamp", build_timestamp)
    registry.add("date", build_date)
    registry.add("time", build_time)


def build_timestamp(cql: CqlType, building: Building) -> Form:  # noqa: ARG001 - an instant is the same in every role
    """Return the form of timestamp: milliseconds since 1970 on the wire and in Cassandra."""
    return Form(
        cql=cql,
        postgres="timestamp with time zone",
        wire=Annotated[int, msgspec.Meta(ge=-(1 << 63), le=(1 << 63) - 1)],
        to_text=_timestamp_text,
        to_json=lambda value: f'"{iso_date(value // MS_PER_DAY)} {_clock(value % MS_PER_DAY)}Z"',
        parse_text=_parse_timestamp,
        parse_json=_parse_timestamp,
        decode=lambda serialized: decode_signed(serialized, 8),
        sort_key=signed_order,
        parse_bound=lambda text: _parse_timestamp(text) if text else b"",
        postgres_order=True,
        quoted_in_array=True,
        fixed_length=8,
    )


def build_date(cql: CqlType, building: Building) -> Form:  # noqa: ARG001 - a day is the same in every role
    """Return the form of date: days since 1970 on the wire, unsigned with 2^31 in the middle in Cassandra."""
    return Form(
        cql=cql,
        postgres="date",
        wire=Annotated[int, msgspec.Meta(ge=-(1 << 31), le=(1 << 31) - 1)],
        to_text=_date_text,
        to_json=lambda value: f'"{iso_date(value)}"',
        parse_text=_parse_date,
        parse_json=_parse_date,
        decode=lambda serialized: int.from_bytes(of_width(serialized, 4), "big") - (1 << 31),
        sort_key=bytes,
        parse_bound=lambda text: _parse_date(text) if text else b"",
        postgres_order=True,
        quoted_in_array=True,
    )


def build_time(cql: CqlType, building: Building) -> Form:
    """Return the form of time: nanoseconds since midnight on the wire and in Cassandra, microseconds in PostgreSQL."""
    return Form(
        cql=cql,
        postgres="time without time zone",
        wire=Annotated[int, msgspec.Meta(ge=0, le=NS_PER_DAY - 1)],
        to_text=_time_key if building.is_key else _time_text,
        to_json=lambda value: f'"{_nine_digits(value)}"',
        parse_text=_parse_time,
        parse_json=_parse_time,
        decode=_decode_time,
        sort_key=bytes,
        parse_bound=lambda text: _parse_time(text) if text else b"",
        postgres_order=True,
        loses_precision=_has_nanoseconds,
    )


def _timestamp_text(value: int) -> str:
    if not _FIRST_MS <= value < _END_MS:
        raise ValueOutOfRange(f"the timestamp {value} ms lies outside 4714-11-24 BC to 294276-12-31")
    minute, ms = divmod(value, 60_000)
    begin, era = _minute_text(minute)
    return f"{begin}{_TWO_DIGITS[ms // 1_000]}.{_THREE_DIGITS[ms % 1_000]}+00{era}"


@lru_cache(maxsize=16_384)  # eleven days: most instants are of late
def _minute_text(minutes: int) -> tuple[str, str]:
    """Return an instant as PostgreSQL reads it up to its seconds, and the era that stands behind it (empty or ` BC`)."""
    days, minute = divmod(minutes, 1_440)
    day, era = postgres_date(days)
    return f"{day} {_MINUTES[minute]}", era


def _clock(ms_of_day: int) -> str:
    minute, ms = divmod(ms_of_day, 60_000)
    return f"{_MINUTES[minute]}{_TWO_DIGITS[ms // 1_000]}.{_THREE_DIGITS[ms % 1_000]}"


def _parse_timestamp(text: str) -> bytes:
    match = _TIMESTAMP(text)
    if match is None:
        raise ValueError(text)
    day, clock, era = match.groups()
    ms = days_from_text(day + (era or "")) * MS_PER_DAY + _parse_clock(clock) // 1_000_000
    return ms.to_bytes(8, "big", signed=True)


def _date_text(value: int) -> str:
    if not _FIRST_DAY <= value <= _LAST_DAY:
        raise ValueOutOfRange(f"the date {value} days from 1970 lies outside 4714-11-24 BC to 5874897-12-31")
    day, era = postgres_date(value)
    return day + era


def _parse_date(text: str) -> bytes:
    return (days_from_text(text) + (1 << 31)).to_bytes(4, "big")


def _time_text(value: int) -> str:
    minute, us = divmod(value // 1_000, 60_000_000)
    return f"{_MINUTES[minute]}{_TWO_DIGITS[us // 1_000_000]}.{us % 1_000_000:06d}"


def _time_key(value: int) -> str:
    if value % 1_000:
        raise UnrepresentableKey(f"the time {_nine_digits(value)} in a key has nanoseconds")
    return _time_text(value)


def _decode_time(serialized: bytes) -> int:
    value = decode_signed(serialized, 8)
    if not 0 <= value < NS_PER_DAY:
        raise ValueError(f"a time of {value} ns")
    return value


def _has_nanoseconds(value: int) -> bool:
    return value % 1_000 != 0


def _nine_digits(value: int) -> str:
    minute, ns = divmod(value, 60_000_000_000)
    return f"{_MINUTES[minute]}{ns // 1_000_000_000:02d}.{ns % 1_000_000_000:09d}"


def _parse_time(text: str) -> bytes:
    return _parse_clock(text).to_bytes(8, "big", signed=True)


def _parse_clock(text: str) -> int:
    hours, minutes, seconds = text.split(":")
    whole, _, fraction = seconds.partition(".")
    return (int(hours) * 3_600 + int(minutes) * 60 + int(whole)) * 1_000_000_000 + int(fraction.ljust(9, "0")[:9])
