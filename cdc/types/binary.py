"""blob and boolean."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cdc.schema import CqlType
from cdc.types.base import Building, Form
from cdc.types.integers import of_width

if TYPE_CHECKING:
    from cdc.types.registry import TypeRegistry


def register(registry: TypeRegistry) -> None:
    """Add blob and boolean."""
    registry.add("blob", build_blob)
    registry.add("boolean", build_boolean)


def build_blob(cql: CqlType, building: Building) -> Form:  # noqa: ARG001 - a blob is the same in every role
    """Return the form of blob; msgspec reads the base64."""
    return Form(
        cql=cql,
        postgres="bytea",
        wire=bytes,
        to_text=lambda value: "\\x" + value.hex(),
        to_json=lambda value: f'"0x{value.hex()}"',
        parse_text=lambda text: bytes.fromhex(text[2:]),
        parse_json=lambda text: bytes.fromhex(text[2:]),
        decode=bytes,
        sort_key=bytes,
        parse_bound=bytes.fromhex,
        postgres_order=True,
        empty_is_value=True,
        quoted_in_array=True,
        find_blob=bytes,
    )


def build_boolean(cql: CqlType, building: Building) -> Form:  # noqa: ARG001 - a boolean is the same in every role
    """Return the form of boolean."""
    return Form(
        cql=cql,
        postgres="boolean",
        wire=bool,
        to_text=lambda value: "t" if value else "f",
        to_json=lambda value: "true" if value else "false",
        parse_text=_parse,
        parse_json=lambda value: _parse(value) if isinstance(value, str) else bytes((value,)),
        decode=lambda serialized: of_width(serialized, 1) != b"\0",
        sort_key=lambda serialized: bytes((serialized[0] != 0,)) if serialized else b"",
        parse_bound=_parse_bound,
        postgres_order=True,
        fixed_length=1,
    )


def _parse(text: str) -> bytes:
    return b"\x01" if text.startswith("t") else b"\x00"


def _parse_bound(text: str) -> bytes:
    if text not in ("true", "false", ""):
        raise ValueError(text)
    return _parse(text) if text else b""
