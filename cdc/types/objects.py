"""The wire's objects with a field for each part of a tuple or UDT."""

from __future__ import annotations

import operator
import re
from collections.abc import Callable, Sequence
from typing import Any, TypeAlias

import msgspec

from cdc.errors import InvalidValue
from cdc.schema import CqlType
from cdc.types.base import Form

Values: TypeAlias = Callable[[Any], Sequence[Any]]
_unfit_for_a_struct = re.compile(r'["\\\x00-\x1f]').search  # msgspec refuses such names


def struct_of(cql: CqlType, fields: Sequence[Form]) -> tuple[type[msgspec.Struct], Any, Values]:
    """Return a struct of the fields f0, f1..., the annotation to decode the object with, and what gives their values."""
    names = cql.field_names or tuple(f"field{number}" for number in range(1, len(fields) + 1))
    if any(map(_unfit_for_a_struct, names)):
        struct = _struct(fields, {})
        return struct, dict[str, msgspec.Raw], _values_by_name(names, fields)
    struct = _struct(fields, {f"f{index}": name for index, name in enumerate(names)})
    return struct, struct, _values(len(fields))


def _struct(fields: Sequence[Form], names: dict[str, str]) -> type[msgspec.Struct]:
    members: list[tuple[str, Any, Any]] = [(f"f{index}", field.wire | None, None) for index, field in enumerate(fields)]
    return msgspec.defstruct("Fields", members, rename=names, forbid_unknown_fields=True)


def _values(count: int) -> Values:
    if count == 1:
        return lambda struct: (struct.f0,)
    return operator.attrgetter(*(f"f{index}" for index in range(count)))


def _values_by_name(names: Sequence[str], fields: Sequence[Form]) -> Values:
    """Return the slower way, for UDTs with a field whose name no struct can have."""
    decoders = [(name, msgspec.json.Decoder(field.wire | None)) for name, field in zip(names, fields, strict=True)]
    attributes = _values(len(fields))

    def values(value: Any) -> Sequence[Any]:
        if not isinstance(value, dict):
            return attributes(value)
        if unknown := value.keys() - set(names):
            raise InvalidValue(f"fields {sorted(unknown)} of a UDT that the schema does not have")
        try:
            return [decoder.decode(value.get(name, b"null")) for name, decoder in decoders]
        except msgspec.MsgspecError as error:
            raise InvalidValue(f"a field of a UDT: {error}") from error

    return values
