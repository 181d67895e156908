"""Any value of any type, there and back."""

from __future__ import annotations

import base64
from typing import Any

import msgspec
from hypothesis import given, settings

from cdc.schema import CqlType
from cdc.types.base import Building
from cdc.types.registry import built_in_registry, codec_for
from tests.unit.types.strategies import container_types, field_names, scalar_types, typed_values


def decoded(cql: CqlType, value: Any) -> Any:
    return msgspec.json.decode(msgspec.json.encode(value), type=codec_for(cql).wire)


@settings(deadline=None)
@given(typed_values(scalar_types() | container_types()))
def test_bytes_survive_as_text(typed: tuple[CqlType, Any]) -> None:
    cql, value = typed
    codec = codec_for(cql)

    serialized = codec.serialize(codec.from_event(decoded(cql, value)))

    assert codec.serialize(codec.to_text(serialized)) == serialized


@settings(deadline=None)
@given(typed_values(container_types(blobs=True)))
def test_a_container_with_blobs_is_read_from_the_bytes_in_their_place(typed: tuple[CqlType, Any]) -> None:
    cql, value = typed
    codec = codec_for(cql)
    registry = built_in_registry()
    unrepaired = registry.form(cql, Building(registry.form))
    serialized = unrepaired.parse_text(unrepaired.to_text(decoded(cql, value)))
    written = with_blobs(cql, value, base64.b64encode(serialized).decode())

    got = codec.serialize(codec.from_event(decoded(cql, written)))

    assert got == serialized


@settings(deadline=None)
@given(typed_values(scalar_types() | container_types()))
def test_every_serialised_value_has_a_place_in_the_order(typed: tuple[CqlType, Any]) -> None:
    cql, value = typed
    codec = codec_for(cql)
    key = codec.sort_key(codec.serialize(codec.from_event(decoded(cql, value))))

    assert codec.sort_key(b"") <= key


def with_blobs(cql: CqlType, value: Any, written: str) -> Any:
    """Return a value with every blob in it replaced."""
    if value is None:
        return None
    if cql.name == "blob":
        return written
    if cql.name in ("list", "set"):
        return [with_blobs(cql.arguments[0], element, written) for element in value]
    if cql.name == "map":
        pairs = value.items() if isinstance(value, dict) else value
        replaced = [
            tuple(with_blobs(part, item, written) for part, item in zip(cql.arguments, pair, strict=True)) for pair in pairs
        ]
        return dict(replaced) if isinstance(value, dict) else replaced
    if isinstance(value, dict):
        types = dict(zip(field_names(cql), cql.arguments, strict=True))
        return {name: with_blobs(types[name], item, written) for name, item in value.items()}
    return value
