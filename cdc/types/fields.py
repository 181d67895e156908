"""tuple and UDT: a jsonb array and a jsonb object."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import msgspec

from cdc.codec.native import read_tuple, write_tuple
from cdc.schema import CqlType
from cdc.types.base import Building, Form
from cdc.types.json_text import parse_jsonb
from cdc.types.objects import Values, struct_of
from cdc.types.parts import FindBlob, Repair, decode_part, first_blob, repair_from_blob, repaired
from cdc.types.text import quote_json

if TYPE_CHECKING:
    from cdc.types.registry import TypeRegistry

_SEPARATOR = re.compile(r"(?<!\\):").split


def register(registry: TypeRegistry) -> None:
    """Add tuple and UDT."""
    registry.add("tuple", build)
    registry.add("udt", build)


def build(cql: CqlType, building: Building) -> Form:
    """Return the form of a tuple or UDT. A tuple is always frozen; fields that an older value does not have are null."""
    frozen = cql.frozen or building.inside_frozen or cql.name == "tuple"
    fields = [building.form(argument, replace(building, inside_frozen=frozen)) for argument in cql.arguments]
    struct, wire, values = struct_of(cql, fields)
    to_json = _array_writer(fields, values) if cql.name == "tuple" else _object_writer(cql, fields, values)
    find_blob = _find_blob(fields, values)

    def parse_json(parsed: Any) -> bytes:
        items = parsed if cql.name == "tuple" else [parsed.get(name) for name in cql.field_names]
        return write_tuple(None if item is None else field.parse_json(item) for field, item in zip(fields, items, strict=True))

    def decode(serialized: bytes) -> Any:
        return struct(*map(decode_part, fields, read_tuple(serialized, len(fields))))

    return Form(
        cql=cql,
        postgres="jsonb",
        wire=wire,
        to_text=to_json,
        to_json=to_json,
        parse_text=lambda text: parse_json(parse_jsonb(text)),
        parse_json=parse_json,
        decode=decode,
        sort_key=_sort_key(fields),
        parse_bound=_bound_parser(fields),
        postgres_order=False,
        scalar=False,
        find_blob=find_blob,
        repair=repair_from_blob(building, find_blob, decode) if frozen else _field_repair(fields, values, struct),
    )


def _array_writer(fields: list[Form], values: Values) -> Callable[[Any], str]:
    writers = [field.to_json for field in fields]

    def write(struct: Any) -> str:
        pairs = zip(writers, values(struct), strict=True)
        return "[" + ",".join(["null" if value is None else to_json(value) for to_json, value in pairs]) + "]"

    return write


def _object_writer(cql: CqlType, fields: list[Form], values: Values) -> Callable[[Any], str]:
    writers = [(quote_json(name) + ":", field.to_json) for name, field in zip(cql.field_names, fields, strict=True)]

    def write(struct: Any) -> str:
        pairs = zip(writers, values(struct), strict=True)
        members = [name + ("null" if value is None else to_json(value)) for (name, to_json), value in pairs]
        return "{" + ",".join(members) + "}"

    return write


def _find_blob(fields: list[Form], values: Values) -> FindBlob | None:
    finders = [field.find_blob for field in fields]
    if not any(finders):
        return None
    return lambda struct: first_blob(zip(finders, values(struct), strict=True))


def _field_repair(fields: list[Form], values: Values, struct: type[msgspec.Struct]) -> Repair | None:
    if not any(field.repair for field in fields):
        return None
    return lambda value: struct(*map(repaired, fields, values(value)))


def _sort_key(fields: list[Form]) -> Callable[[bytes], tuple[Any, ...]]:
    def sort_key(serialized: bytes) -> tuple[Any, ...]:
        if not serialized:
            return ()
        parts = read_tuple(serialized, len(fields))
        while parts and parts[-1] is None:  # trailing nulls compare as absent
            parts.pop()
        return (tuple(() if part is None else (field.sort_key(part),) for field, part in zip(fields, parts, strict=False)),)

    return sort_key


def _bound_parser(fields: list[Form]) -> Callable[[str], bytes]:
    """Return what reads `TupleType`'s own notation: parts between colons, `@` for null, both escaped inside a part."""

    def part(field: Form, text: str) -> bytes | None:
        return None if text == "@" else field.parse_bound(text.replace("\\:", ":").replace("\\@", "@"))

    def parse(text: str) -> bytes:
        return write_tuple(map(part, fields, _checked(_SEPARATOR(text), len(fields)))) if text else b""

    return parse


def _checked(parts: list[str], count: int) -> list[str]:
    if len(parts) != count:
        raise ValueError(f"{len(parts)} parts where there are {count}")
    return parts
