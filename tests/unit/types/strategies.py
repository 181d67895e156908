"""Hypothesis strategies: CQL types, and values of them as a connector without faults would write them."""

from __future__ import annotations

import base64
import ipaddress
import uuid
from typing import Any

from hypothesis import strategies as st

from cdc.schema import CqlType

_text = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=12)
_ipv6 = st.integers(0, (1 << 128) - 1).filter(lambda number: number >> 32 != 0xFFFF)
_numbers = st.one_of(st.integers(-300, 300), st.integers(-(10**40), 10**40))
_special = st.sampled_from(["NaN", "Infinity", "-Infinity"])


def _decimal(unscaled: int, scale: int) -> str:
    digits = str(abs(unscaled)).rjust(scale + 1, "0")
    sign = "-" if unscaled < 0 else ""
    return sign + (f"{digits[:-scale]}.{digits[-scale:]}" if scale else digits)


def _uuid(version: int) -> st.SearchStrategy[str]:
    def build(number: int) -> str:
        return str(uuid.UUID(int=number & ~(0xF << 76) | version << 76))

    return st.integers(0, (1 << 128) - 1).map(build)


SCALARS: dict[str, st.SearchStrategy[Any]] = {
    "text": _text,
    "ascii": st.text(st.characters(min_codepoint=1, max_codepoint=127), max_size=12),
    "boolean": st.booleans(),
    "tinyint": st.integers(-(1 << 7), (1 << 7) - 1),
    "smallint": st.integers(-(1 << 15), (1 << 15) - 1),
    "int": st.integers(-(1 << 31), (1 << 31) - 1),
    "bigint": st.integers(-(1 << 63), (1 << 63) - 1),
    "counter": st.integers(-(1 << 63), (1 << 63) - 1),
    "varint": _numbers.map(str),
    "decimal": st.builds(_decimal, _numbers, st.integers(0, 40)),
    "float": st.one_of(st.floats(width=32, allow_nan=False, allow_infinity=False), _special),
    "double": st.one_of(st.floats(allow_nan=False, allow_infinity=False), _special),
    "blob": st.binary(max_size=12).map(lambda octets: base64.b64encode(octets).decode()),
    "uuid": st.one_of(_uuid(4), _uuid(1), _uuid(7)),
    "timeuuid": _uuid(1),
    "inet": st.one_of(
        st.integers(0, (1 << 32) - 1).map(lambda number: f"/{ipaddress.IPv4Address(number)}"),
        _ipv6.map(lambda number: f"/{ipaddress.IPv6Address(number).exploded}"),
    ),
    "date": st.one_of(st.integers(-800_000, 3_000_000), st.integers(-2_440_588, 2_145_042_905)),
    "time": st.integers(0, 86_400_000_000_000 - 1),
    "timestamp": st.one_of(st.integers(-(10**14), 10**14), st.integers(-210_866_803_200_000, 9_224_318_015_999_999)),
    "duration": st.integers(-(1 << 63), (1 << 63) - 1),
}
_KEYS = sorted(SCALARS.keys() - {"counter", "duration"})
_ELEMENTS = sorted(SCALARS.keys() - {"counter"})
_NO_BLOBS = [name for name in _ELEMENTS if name != "blob"]
_STRING_KEYS = frozenset({"text", "ascii", "varint", "decimal", "uuid", "timeuuid", "inet", "blob"})


def scalar_types() -> st.SearchStrategy[CqlType]:
    return st.sampled_from(sorted(SCALARS)).map(CqlType)


def container_types(*, blobs: bool = False) -> st.SearchStrategy[CqlType]:
    """Frozen collections, tuples and UDTs of up to three levels."""
    names = _ELEMENTS if blobs else _NO_BLOBS
    scalars = st.sampled_from(names).map(CqlType)
    keys = st.sampled_from([name for name in names if name in _KEYS]).map(CqlType)
    nested = st.recursive(scalars, lambda inner: _containers(inner, keys), max_leaves=5)
    return _containers(nested, keys)


def _containers(inner: st.SearchStrategy[CqlType], keys: st.SearchStrategy[CqlType]) -> st.SearchStrategy[CqlType]:
    fields = st.lists(inner, min_size=1, max_size=3).map(tuple)
    names = ("camelCase", "with space", 'q"uote')
    return st.one_of(
        inner.map(lambda element: CqlType("list", (element,), True)),
        inner.map(lambda element: CqlType("set", (element,), True)),
        st.builds(lambda key, value: CqlType("map", (key, value), True), keys, inner),
        fields.map(lambda parts: CqlType("tuple", parts)),
        fields.map(lambda parts: CqlType("udt", parts, True, "u", names[: len(parts)])),
    )


def wire_values(cql: CqlType) -> st.SearchStrategy[Any]:
    """Values as JSON has them."""
    if cql.name in SCALARS:
        return SCALARS[cql.name]
    if cql.name in ("list", "set"):
        return st.lists(wire_values(cql.arguments[0]), max_size=4)
    if cql.name == "map":
        return _maps(*cql.arguments)
    fields = zip(field_names(cql), cql.arguments, strict=True)
    return st.fixed_dictionaries({name: st.none() | wire_values(part) for name, part in fields})


def field_names(cql: CqlType) -> tuple[str, ...]:
    """Return the names of a UDT's or tuple's fields on the wire."""
    return cql.field_names or tuple(f"field{number}" for number in range(1, len(cql.arguments) + 1))


def _maps(key: CqlType, value: CqlType) -> st.SearchStrategy[Any]:
    if key.name in _STRING_KEYS and key.name != "blob":
        return st.dictionaries(wire_values(key), wire_values(value), max_size=4)
    return st.lists(st.tuples(wire_values(key), wire_values(value)), max_size=4, unique_by=lambda pair: repr(pair[0]))


def typed_values(types: st.SearchStrategy[CqlType]) -> st.SearchStrategy[tuple[CqlType, Any]]:
    return types.flatmap(lambda cql: st.tuples(st.just(cql), wire_values(cql)))
