"""text, varchar and ascii."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import msgspec

from cdc.errors import UnrepresentableKey, UnrepresentableValue
from cdc.schema import CqlType
from cdc.types.base import Building, Form, NulPolicy

if TYPE_CHECKING:
    from cdc.types.registry import TypeRegistry

_encode_json = msgspec.json.Encoder().encode


def register(registry: TypeRegistry) -> None:
    """Add the text types."""
    for name in ("text", "varchar", "ascii"):
        registry.add(name, build)


def build(cql: CqlType, building: Building) -> Form:
    """Return the form of text; U+0000 is what PostgreSQL cannot hold."""
    to_text = _to_text(building)
    return Form(
        cql=cql,
        postgres="text",
        wire=str,
        to_text=to_text,
        to_json=lambda value: quote_json(to_text(value)),
        parse_text=str.encode,
        parse_json=str.encode,
        decode=bytes.decode,
        sort_key=bytes,
        parse_bound=str.encode,
        postgres_order=True,
        empty_is_value=True,
        quoted_in_array=True,
    )


def quote_json(text: str) -> str:
    """Return a JSON string."""
    return _encode_json(text).decode()


def _to_text(building: Building) -> Callable[[str], str]:
    if building.is_key:
        return _refuse_key
    return _POLICIES[building.nul_policy]


def _refuse_key(value: str) -> str:
    if "\0" in value:
        raise UnrepresentableKey("a text key holds U+0000")
    return value


def _refuse(value: str) -> str:
    if "\0" in value:
        raise UnrepresentableValue("a text value holds U+0000")
    return value


def _strip(value: str) -> str:
    return value.replace("\0", "")


def _replace(value: str) -> str:
    return value.replace("\0", "\ufffd")


_POLICIES = {NulPolicy.DEAD_LETTER: _refuse, NulPolicy.STRIP: _strip, NulPolicy.REPLACE: _replace}
