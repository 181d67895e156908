"""float and double."""

from __future__ import annotations

import math
import struct
from collections.abc import Callable
from contextlib import suppress
from typing import TYPE_CHECKING, Literal, SupportsFloat

from cdc.errors import UnrepresentableKey, ValueOutOfRange
from cdc.schema import CqlType
from cdc.types.base import Builder, Building, Form

if TYPE_CHECKING:
    from cdc.types.registry import TypeRegistry

WIRE = float | Literal["NaN", "Infinity", "-Infinity"]
Floating = float | str
_REAL_FROM, _REAL_TO = 1e-37, 3.4e38  # surely within float's normal range
_JAVA_NAN = {4: bytes.fromhex("7fc00000"), 8: bytes.fromhex("7ff8000000000000")}
_FORMAT = {4: ">f", 8: ">d"}


def register(registry: TypeRegistry) -> None:
    """Add the floating-point types."""
    registry.add("float", _builder("real", 4, _real))
    registry.add("double", _builder("double precision", 8, _double))


def _builder(postgres: str, width: int, to_text: Callable[[Floating], str]) -> Builder:
    pack = struct.Struct(_FORMAT[width]).pack

    def parse(number: SupportsFloat | str) -> bytes:
        value = float(number)
        return _JAVA_NAN[width] if math.isnan(value) else pack(value)

    def parse_bound(text: str) -> bytes:
        return parse(text) if text else b""

    def decode(serialized: bytes) -> Floating:
        value: float = struct.unpack(_FORMAT[width], serialized)[0]
        if not math.isfinite(value):
            return _name(value)
        return float(shortest_real(value)) if width == 4 else value

    def canonical(value: Floating) -> str:
        return to_text(decode(parse(to_text(value))))

    def build(cql: CqlType, building: Building) -> Form:
        checked = _one_to_one(canonical) if building.is_key else to_text
        return Form(
            cql=cql,
            postgres=postgres,
            wire=WIRE,
            to_text=checked,
            to_json=lambda value: _json(checked(value)),
            parse_text=parse,
            parse_json=parse,
            decode=decode,
            sort_key=float_order,
            parse_bound=parse_bound,
            postgres_order=True,
            fixed_length=width,
        )

    return build


def float_order(serialized: bytes) -> bytes:
    """Return bytes whose unsigned order is Java's `Float.compare`: -0.0 before 0.0, every NaN equal and last."""
    if not serialized:
        return b""
    if math.isnan(struct.unpack(_FORMAT[len(serialized)], serialized)[0]):
        serialized = _JAVA_NAN[len(serialized)]
    if serialized[0] & 0x80:
        return bytes(octet ^ 0xFF for octet in serialized)
    return bytes((serialized[0] ^ 0x80,)) + serialized[1:]


def shortest_real(value: float) -> str:
    """Return the shortest text that reads back as this single-precision number."""
    single = struct.pack(">f", value)
    for digits in range(1, 9):
        text = f"{value:.{digits}g}"
        with suppress(OverflowError):  # few digits may round beyond the largest number
            if struct.pack(">f", float(text)) == single:
                return text
    return f"{value:.9g}"


def _double(value: Floating) -> str:
    return value if isinstance(value, str) else repr(value)


def _real(value: Floating) -> str:
    if isinstance(value, str):
        return value
    if not _REAL_FROM < abs(value) < _REAL_TO:
        _check_real(value)
    return repr(value)


def _check_real(value: float) -> None:
    try:
        single = struct.pack(">f", value)
    except OverflowError as error:
        raise ValueOutOfRange("a float is beyond single precision") from error
    if value and not any(single[1:]) and single[0] & 0x7F == 0:
        raise ValueOutOfRange("a float is below single precision")


def _one_to_one(to_text: Callable[[Floating], str]) -> Callable[[Floating], str]:
    def checked(value: Floating) -> str:
        if value == "NaN" or (value == 0 and math.copysign(1, value) < 0):
            raise UnrepresentableKey(f"a floating-point key is {value}")
        return to_text(value)

    return checked


def _json(text: str) -> str:
    # jsonb has no NaN and no infinity, and its numbers have no negative zero
    return f'"{text}"' if text in ("NaN", "Infinity", "-Infinity", "-0.0") else text


def _name(value: float) -> str:
    if math.isnan(value):
        return "NaN"
    return "Infinity" if value > 0 else "-Infinity"
