"""vector: an array of scalars, known from Cassandra only, for the connector does not write it."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from cdc.codec.native import read_vector, write_vector
from cdc.errors import UnsupportedType
from cdc.schema import CqlType
from cdc.types.array_text import array_writer, parse_array
from cdc.types.base import Building, Form
from cdc.types.json_text import array_json, parse_jsonb
from cdc.types.lists import any_loses
from cdc.types.parts import list_of

if TYPE_CHECKING:
    from cdc.types.registry import TypeRegistry


def register(registry: TypeRegistry) -> None:
    """Add vector."""
    registry.add("vector", build)


def build(cql: CqlType, building: Building) -> Form:
    """Return the form of a vector. Raises `UnsupportedType` for a type without a dimension."""
    if cql.dimension is None:
        raise UnsupportedType(f"{cql.name} without a dimension")
    dimension = cql.dimension
    element = building.form(cql.arguments[0], replace(building, inside_frozen=True))
    length = element.fixed_length
    to_json = array_json(element.to_json)

    def parse(values: Iterable[Any], parse_element: Callable[[Any], bytes]) -> bytes:
        return write_vector([parse_element(value) for value in values], length)

    return Form(
        cql=cql,
        postgres=f"{element.postgres}[]" if element.scalar else "jsonb",
        wire=list_of(element.wire),
        to_text=array_writer(element) if element.scalar else to_json,
        to_json=to_json,
        parse_text=(
            (lambda text: parse(parse_array(text), element.parse_text))
            if element.scalar
            else (lambda text: parse(parse_jsonb(text), element.parse_json))
        ),
        parse_json=lambda values: parse(values, element.parse_json),
        decode=lambda serialized: [element.decode(part) for part in read_vector(serialized, dimension, length)],
        sort_key=lambda serialized: (
            tuple(map(element.sort_key, read_vector(serialized, dimension, length))) if serialized else ()
        ),
        parse_bound=bytes.fromhex,
        postgres_order=element.scalar and element.postgres_order,
        scalar=False,
        fixed_length=None if length is None else length * dimension,
        loses_precision=any_loses(element),
    )
