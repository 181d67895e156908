"""list and set: arrays of scalars, else jsonb arrays."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, TypeAlias

from cdc.codec.native import read_list, write_list
from cdc.schema import CqlType
from cdc.types.array_text import array_writer, parse_array
from cdc.types.base import Building, Form
from cdc.types.json_text import array_json, parse_jsonb
from cdc.types.parts import FindBlob, Repair, decode_part, first_blob, list_of, repair_from_blob, repaired

if TYPE_CHECKING:
    from cdc.types.registry import TypeRegistry

Elements: TypeAlias = Sequence[Any]


def register(registry: TypeRegistry) -> None:
    """Add list and set."""
    registry.add("list", build)
    registry.add("set", build)


def build(cql: CqlType, building: Building) -> Form:
    """Return the form of a list or set. In a delta of a non-frozen one a null element is a removed one."""
    frozen = cql.frozen or building.inside_frozen
    element = building.form(cql.arguments[0], replace(building, inside_frozen=frozen))
    find_blob = _find_blob(element)
    to_json = _writer(array_json(element.to_json), frozen=frozen)
    write = _serializer(element, ordered=cql.name == "set")

    def decode(serialized: bytes) -> list[Any]:
        return [decode_part(element, part) for part in read_list(serialized)]

    def parse_json(values: Elements) -> bytes:
        return write(values, element.parse_json)

    return Form(
        cql=cql,
        postgres=f"{element.postgres}[]" if element.scalar else "jsonb",
        wire=list_of(element.wire | None),
        to_text=_writer(array_writer(element), frozen=frozen) if element.scalar else to_json,
        to_json=to_json,
        parse_text=_text_parser(element, write),
        parse_json=parse_json,
        decode=decode,
        sort_key=_sort_key(element),
        parse_bound=bytes.fromhex,
        postgres_order=element.scalar and element.postgres_order,
        scalar=False,
        find_blob=find_blob,
        repair=repair_from_blob(building, find_blob, decode) if frozen else _element_repair(element),
        loses_precision=any_loses(element),
    )


def any_loses(element: Form) -> Callable[[Elements], bool] | None:
    """Return what tells whether an array loses digits of any element."""
    loses = element.loses_precision
    if loses is None or not element.scalar:
        return None
    return lambda values: any(value is not None and loses(value) for value in values)


def _writer(write: Callable[[Elements], str], *, frozen: bool) -> Callable[[Elements], str]:
    if frozen:
        return write
    return lambda values: write([value for value in values if value is not None])


_Write: TypeAlias = Callable[[Iterable[Any], Callable[[Any], bytes]], bytes]


def _serializer(element: Form, *, ordered: bool) -> _Write:
    def write(values: Iterable[Any], parse: Callable[[Any], bytes]) -> bytes:
        parts = [b"" if value is None else parse(value) for value in values]
        return write_list(sorted(set(parts), key=element.sort_key) if ordered else parts)

    return write


def _text_parser(element: Form, write: _Write) -> Callable[[str], bytes]:
    if element.scalar:
        return lambda text: write(parse_array(text), element.parse_text)
    return lambda text: write(parse_jsonb(text), element.parse_json)


def _find_blob(element: Form) -> FindBlob | None:
    find = element.find_blob
    if find is None:
        return None
    return lambda values: first_blob((find, value) for value in values)


def _element_repair(element: Form) -> Repair | None:
    if element.repair is None:
        return None
    return lambda values: [repaired(element, value) for value in values]


def _sort_key(element: Form) -> Callable[[bytes], tuple[Any, ...]]:
    def sort_key(serialized: bytes) -> tuple[Any, ...]:
        if not serialized:
            return ()
        return (tuple(element.sort_key(part or b"") for part in read_list(serialized)),)

    return sort_key
