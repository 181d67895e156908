"""map: a jsonb object, its keys as strings in their JSON text form."""

from __future__ import annotations

import base64
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any, TypeAlias

from cdc.codec.native import read_map, write_map
from cdc.errors import InvalidValue
from cdc.schema import CqlType
from cdc.types.base import Building, Form, NulPolicy
from cdc.types.json_text import parse_jsonb
from cdc.types.parts import FindBlob, Repair, decode_part, first_blob, map_of, repair_from_blob, repaired
from cdc.types.text import quote_json

if TYPE_CHECKING:
    from cdc.types.registry import TypeRegistry

Entries: TypeAlias = Iterable[tuple[Any, Any]]


def register(registry: TypeRegistry) -> None:
    """Add map."""
    registry.add("map", build)


def build(cql: CqlType, building: Building) -> Form:
    """Return the form of a map. In a delta of a non-frozen one a null value is a removed entry."""
    frozen = cql.frozen or building.inside_frozen
    below = replace(building, inside_frozen=frozen)
    # Stripping U+0000 could make two keys one.
    key = building.form(cql.arguments[0], replace(below, nul_policy=NulPolicy.DEAD_LETTER))
    value = building.form(cql.arguments[1], below)
    entries = _entries(key)
    to_json = _object_writer(key, value, entries, frozen=frozen, ordered=building.is_key)
    find_blob = _find_blob(key, value, entries)

    def parse_json(members: Mapping[str, Any]) -> bytes:
        pairs = [(_parse_key(key, name), b"" if item is None else value.parse_json(item)) for name, item in members.items()]
        return write_map(sorted(pairs, key=lambda pair: key.sort_key(pair[0])))

    def decode(serialized: bytes) -> list[tuple[Any, Any]]:
        return [(decode_part(key, first), decode_part(value, second)) for first, second in read_map(serialized)]

    return Form(
        cql=cql,
        postgres="jsonb",
        wire=map_of(key.wire, value.wire | None),
        to_text=to_json,
        to_json=to_json,
        parse_text=lambda text: parse_json(parse_jsonb(text)),
        parse_json=parse_json,
        decode=decode,
        sort_key=_sort_key(key, value),
        parse_bound=bytes.fromhex,
        postgres_order=False,
        scalar=False,
        find_blob=find_blob,
        repair=repair_from_blob(building, find_blob, decode) if frozen else _entry_repair(key, value, entries),
    )


def _entries(key: Form) -> Callable[[Any], Entries]:
    """Return what reads the entries of a wire value: an object where keys are strings on the wire, else pairs."""

    def entries(value: Any) -> Entries:
        if not isinstance(value, dict):
            return value  # type: ignore[no-any-return]
        if key.wire is str:
            return value.items()
        if key.wire is bytes:
            return [(_decode_base64(name), item) for name, item in value.items()]
        if value:
            raise InvalidValue(f"an object where the keys are {key.cql}")
        return ()

    return entries


def _decode_base64(name: str) -> bytes:
    try:
        return base64.b64decode(name, validate=True)
    except ValueError as error:
        raise InvalidValue(f"the key of a map is not base64: {error}") from error


def _object_writer(
    key: Form, value: Form, entries: Callable[[Any], Entries], *, frozen: bool, ordered: bool
) -> Callable[[Any], str]:
    def member(name: str, item: Any) -> str:
        written = "null" if item is None else value.to_json(item)
        return (name if name.startswith('"') else quote_json(name)) + ":" + written

    def write(wire: Any) -> str:
        members = [member(_key_json(key, name), item) for name, item in entries(wire) if frozen or item is not None]
        if ordered:  # the connector's order is a hash map's
            members.sort()
        return "{" + ",".join(members) + "}"

    return write


def _key_json(key: Form, value: Any) -> str:
    if value is None:
        raise InvalidValue(f"the empty value of {key.cql} as the key of a map")
    return key.to_json(value)


def _parse_key(key: Form, name: str) -> bytes:
    return key.parse_json(name if key.scalar else parse_jsonb(name))


def _find_blob(key: Form, value: Form, entries: Callable[[Any], Entries]) -> FindBlob | None:
    finders = (key.find_blob, value.find_blob)
    if finders == (None, None):
        return None
    return lambda wire: first_blob(found for entry in entries(wire) for found in zip(finders, entry, strict=True))


def _entry_repair(key: Form, value: Form, entries: Callable[[Any], Entries]) -> Repair | None:
    if key.repair is None and value.repair is None:
        return None
    return lambda wire: [(repaired(key, name), repaired(value, item)) for name, item in entries(wire)]


def _sort_key(key: Form, value: Form) -> Callable[[bytes], tuple[Any, ...]]:
    def sort_key(serialized: bytes) -> tuple[Any, ...]:
        if not serialized:
            return ()
        pairs = read_map(serialized)
        return (tuple((key.sort_key(first or b""), value.sort_key(second or b"")) for first, second in pairs),)

    return sort_key
