"""tinyint, smallint, int, bigint and counter."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, SupportsInt

import msgspec

from cdc.schema import CqlType
from cdc.types.base import Builder, Building, Form

if TYPE_CHECKING:
    from cdc.types.registry import TypeRegistry


def register(registry: TypeRegistry) -> None:
    """Add the integers of fixed width."""
    # Cassandra's vectors count tinyint and smallint as variable: neither overrides valueLengthIfFixed.
    registry.add("tinyint", _builder("smallint", 1, fixed=False))
    registry.add("smallint", _builder("smallint", 2, fixed=False))
    registry.add("int", _builder("integer", 4, fixed=True))
    registry.add("bigint", _builder("bigint", 8, fixed=True))
    registry.add("counter", _builder("bigint", 8, fixed=True))


def signed_order(serialized: bytes) -> bytes:
    """Return bytes whose unsigned order is the order of a big-endian signed integer; empty stays first."""
    return bytes((serialized[0] ^ 0x80,)) + serialized[1:] if serialized else b""


def of_width(serialized: bytes, width: int) -> bytes:
    """Return the bytes of a value of fixed width. Raises ValueError when they are more or fewer."""
    if len(serialized) != width:
        raise ValueError(f"{len(serialized)} bytes where there are {width}")
    return serialized


def decode_signed(serialized: bytes, width: int) -> int:
    """Return the value of a big-endian signed integer. Raises ValueError when it has another width."""
    return int.from_bytes(of_width(serialized, width), "big", signed=True)


def _builder(postgres: str, width: int, *, fixed: bool) -> Builder:
    limit = 1 << (8 * width - 1)
    wire = Annotated[int, msgspec.Meta(ge=-limit, le=limit - 1)]

    def parse(number: SupportsInt | str) -> bytes:
        return int(number).to_bytes(width, "big", signed=True)

    def build(cql: CqlType, building: Building) -> Form:  # noqa: ARG001 - an integer is the same in every role
        return Form(
            cql=cql,
            postgres=postgres,
            wire=wire,
            to_text=str,
            to_json=str,
            parse_text=parse,
            parse_json=parse,
            decode=lambda serialized: decode_signed(serialized, width),
            sort_key=signed_order,
            parse_bound=lambda text: parse(text) if text else b"",
            postgres_order=True,
            fixed_length=width if fixed else None,
        )

    return build
