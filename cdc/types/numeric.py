"""varint and decimal: PostgreSQL's numeric, exact, the scale kept."""

from __future__ import annotations

import re
import struct
from collections.abc import Callable
from decimal import Decimal
from typing import TYPE_CHECKING

from cdc.errors import InvalidValue, UnrepresentableKey, ValueOutOfRange
from cdc.schema import CqlType
from cdc.types.base import Building, Form, Role

if TYPE_CHECKING:
    from cdc.types.registry import TypeRegistry

MAX_INTEGER_DIGITS = 131_072  # of PostgreSQL's numeric
MAX_FRACTION_DIGITS = 16_383
_SURELY_IN_RANGE = 16_000
_varint = re.compile(r"-?(?:0|[1-9][0-9]*)").fullmatch
_decimal = re.compile(r"-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?").fullmatch
_scale = struct.Struct(">i")


def register(registry: TypeRegistry) -> None:
    """Add the numbers without bounds."""
    registry.add("varint", build_varint)
    registry.add("decimal", build_decimal)


def build_varint(cql: CqlType, building: Building) -> Form:  # noqa: ARG001 - a varint is the same in every role
    """Return the form of varint, a string on the wire (`varint.handling.mode=string`)."""
    return Form(
        cql=cql,
        postgres="numeric",
        wire=str,
        to_text=_varint_text,
        to_json=_varint_text,
        parse_text=_serialize_varint,
        parse_json=_serialize_varint,
        decode=lambda serialized: integer_text(decode_varint(serialized)),
        sort_key=lambda serialized: (decode_varint(serialized),) if serialized else (),
        parse_bound=lambda text: _serialize_varint(_varint_text(text)) if text else b"",
        postgres_order=True,
    )


def build_decimal(cql: CqlType, building: Building) -> Form:
    """Return the form of decimal, a string in plain notation on the wire (`decimal.handling.mode=string`)."""
    to_text = _DECIMAL_TEXT[building.role]
    return Form(
        cql=cql,
        postgres="numeric",
        wire=str,
        to_text=to_text,
        to_json=to_text,
        parse_text=_serialize_decimal,
        parse_json=_serialize_decimal,
        decode=_plain,
        sort_key=lambda serialized: (_decode_decimal(serialized),) if serialized else (),
        parse_bound=lambda text: _serialize_decimal(text) if text else b"",
        postgres_order=True,
    )


def encode_varint(value: int) -> bytes:
    """Return the shortest big-endian two's complement, as Java's `BigInteger.toByteArray`."""
    magnitude = value if value >= 0 else ~value
    return value.to_bytes(magnitude.bit_length() // 8 + 1, "big", signed=True)


def decode_varint(serialized: bytes) -> int:
    """Return the value of a big-endian two's complement of any length."""
    return int.from_bytes(serialized, "big", signed=True)


def integer_text(value: int) -> str:
    """Return the digits of an integer of any length."""
    return format(Decimal(value), "f")


def _varint_text(value: str) -> str:
    if not _varint(value):
        raise _invalid("varint", value)
    if len(value) > _SURELY_IN_RANGE and len(value.lstrip("-")) > MAX_INTEGER_DIGITS:
        raise ValueOutOfRange(f"a varint of {len(value)} digits is more than numeric holds")
    return value


def _serialize_varint(value: str | Decimal) -> bytes:
    return encode_varint(int(Decimal(value)))


def _decimal_text(value: str) -> str:
    if not _decimal(value):
        raise _invalid("decimal", value)
    if len(value) > _SURELY_IN_RANGE:
        whole, _, fraction = value.lstrip("-").partition(".")
        _check_range(len(whole), len(fraction))
    return value


def _clustering_text(value: str) -> str:
    """Return the one text of all decimals that compare equal, which are one row in Cassandra."""
    text = _decimal_text(value)
    if "." in text:
        text = text.rstrip("0").rstrip(".")
    return "0" if text == "-0" else text


def _partition_text(value: str) -> str:
    text = _decimal_text(value)
    if text != _clustering_text(text):
        raise UnrepresentableKey(
            f"the decimal {_shortened(text)} in a partition key: Cassandra tells it from {_clustering_text(text)}"
        )
    return text


_DECIMAL_TEXT: dict[Role, Callable[[str], str]] = {
    Role.VALUE: _decimal_text,
    Role.CLUSTERING: _clustering_text,
    Role.PARTITION: _partition_text,
}


def _serialize_decimal(value: str | Decimal) -> bytes:
    sign, digits, exponent = Decimal(value).as_tuple()
    if not isinstance(exponent, int):
        raise InvalidValue("a decimal is not finite")
    return _scale.pack(-exponent) + encode_varint(int(Decimal((sign, digits, 0))))


def _decode_decimal(serialized: bytes) -> Decimal:
    sign, digits, _ = Decimal(decode_varint(serialized[4:])).as_tuple()
    return Decimal((sign, digits, -_scale.unpack(serialized[:4])[0]))


def _plain(serialized: bytes) -> str:
    scale: int = _scale.unpack(serialized[:4])[0]
    sign, digits, _ = Decimal(decode_varint(serialized[4:])).as_tuple()
    if digits == (0,):  # 0E+5 is 0 in plain notation
        scale = max(scale, 0)
    _check_range(len(digits) - scale, scale)
    return format(Decimal((sign, digits, -scale)), "f")


def _check_range(integer_digits: int, fraction_digits: int) -> None:
    if integer_digits > MAX_INTEGER_DIGITS or fraction_digits > MAX_FRACTION_DIGITS:
        raise ValueOutOfRange(f"a decimal of {integer_digits} and {fraction_digits} digits is more than numeric holds")


def _invalid(kind: str, value: str) -> InvalidValue:
    return InvalidValue(f"not a {kind}: {_shortened(value)!r}")


def _shortened(value: str) -> str:
    return value if len(value) <= 40 else value[:37] + "..."
