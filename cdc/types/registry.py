"""From a CQL type to its codec."""

from __future__ import annotations

import dataclasses
import struct
from collections.abc import Callable
from functools import lru_cache
from typing import TypeVar

from cdc.errors import InvalidValue, UnrepresentableValue, UnsupportedType
from cdc.schema import CqlType
from cdc.types import binary, duration, fields, floating, identifiers, integers, lists, maps, numeric, temporal, text, vector
from cdc.types.base import Builder, Building, Form, NulPolicy, Role, TypeCodec

Source = TypeVar("Source")
Target = TypeVar("Target")


class TypeRegistry:
    """The builders of forms by CQL keyword."""

    def __init__(self) -> None:
        self._builders: dict[str, Builder] = {}

    def add(self, name: str, builder: Builder) -> None:
        self._builders[name] = builder

    @property
    def names(self) -> frozenset[str]:
        """Return the CQL keywords that have a builder."""
        return frozenset(self._builders)

    def form(self, cql: CqlType, building: Building) -> Form:
        """Return the form of a type, element types included. Raises `UnsupportedType`."""
        builder = self._builders.get(cql.name)
        if builder is None:
            raise UnsupportedType(f"the CQL type {cql} is not known")
        return builder(cql, building)

    def codec(self, cql: CqlType, nul_policy: NulPolicy) -> TypeCodec:
        """Build the codec of a column's type from its three forms."""
        building = Building(self.form, nul_policy=nul_policy)
        value = self.form(cql, building)
        clustering = self.form(cql, dataclasses.replace(building, role=Role.CLUSTERING))
        partition = self.form(cql, dataclasses.replace(building, role=Role.PARTITION))
        return TypeCodec(
            cql=cql,
            postgres=value.postgres,
            wire=value.wire,
            from_event=_from_event(value),
            key_from_event=_from_event(clustering),
            partition_key_from_event=_from_event(partition),
            serialize=value.parse_text,
            to_text=_to_text(value),
            key_to_text=_to_text(clustering),
            partition_key_to_text=_to_text(partition),
            sort_key=value.sort_key,
            from_bound=_guarded(value.parse_bound, cql),
            postgres_order=value.postgres_order,
            loses_precision=value.loses_precision,
        )


def built_in_registry() -> TypeRegistry:
    """Return a registry that knows every type that Cassandra brings."""
    registry = TypeRegistry()
    families = (text, integers, numeric, floating, temporal, identifiers, binary, duration, lists, maps, fields, vector)
    for family in families:
        family.register(registry)
    return registry


@lru_cache(maxsize=1)
def _built_in() -> TypeRegistry:
    return built_in_registry()


@lru_cache(maxsize=4096)
def codec_for(cql: CqlType, nul_policy: NulPolicy = NulPolicy.DEAD_LETTER) -> TypeCodec:
    """Return the codec of a column's type, always the same object. Raises `UnsupportedType`."""
    return _built_in().codec(cql, nul_policy)


def _from_event(form: Form) -> Callable[[object], str]:
    repair, to_text = form.repair, form.to_text
    if repair is None:
        return to_text

    def repaired(value: object) -> str:
        return to_text(repair(value))

    return repaired


def _to_text(form: Form) -> Callable[[bytes], str]:
    decode = _guarded(form.decode, form.cql)

    def to_text(serialized: bytes) -> str:
        if not serialized and not form.empty_is_value:
            raise UnrepresentableValue(f"the empty value of {form.cql} has no form in PostgreSQL")
        return form.to_text(decode(serialized))

    return to_text


def _guarded(function: Callable[[Source], Target], cql: CqlType) -> Callable[[Source], Target]:
    """Return the function with its failures on malformed input told as bad data."""

    def guarded(source: Source) -> Target:
        try:
            return function(source)
        except (ValueError, ArithmeticError, IndexError, struct.error) as error:
            raise InvalidValue(f"not a value of {cql}: {error}") from error

    return guarded
