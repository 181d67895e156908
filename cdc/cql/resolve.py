"""Turns types as written into `CqlType`: UDTs resolved to their fields, frozen spread inwards as Cassandra does."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from cdc.cql.problem import CqlError
from cdc.cql.statements import TypeName
from cdc.schema import NATIVE_TYPES, CqlType

_SHAPES = {"frozen": 1, "list": 1, "set": 1, "map": 2, "tuple": None, "vector": None}  # number of type arguments
_MAX_DEPTH = 64  # far beyond what Cassandra takes; keeps a type that contains itself from recursing for ever

Fields = Mapping[str, TypeName]


@dataclass(frozen=True)
class TypeResolver:
    """Resolves the types of one keyspace. `find_udt` returns a UDT's fields by its name, or None."""

    keyspace: str
    find_udt: Callable[[str], Fields | None]

    def resolve(self, written: TypeName, *, frozen: bool = False, depth: int = 0) -> CqlType:
        """Return the type. Raises `CqlError` for an unknown type or wrong arguments."""
        name, offset = written.name.name.text, written.name.name.offset
        if depth > _MAX_DEPTH:
            raise CqlError(f"type {name} is nested too deep", offset, hint="does a type contain itself?")
        if written.name.name.quoted or written.name.keyspace or name not in (*_SHAPES, *NATIVE_TYPES):
            return self._other(written, frozen=frozen, depth=depth)
        if name in NATIVE_TYPES:
            self._arguments(written, 0)
            return CqlType("text" if name == "varchar" else name)
        if name == "vector":
            return self._vector(written, depth=depth)
        arguments = self._arguments(written, _SHAPES[name])
        if name == "frozen":
            return self.resolve(arguments[0], frozen=True, depth=depth + 1)
        frozen = frozen or name == "tuple"
        return CqlType(name, tuple(self.resolve(item, frozen=frozen, depth=depth + 1) for item in arguments), frozen=frozen)

    def _vector(self, written: TypeName, *, depth: int) -> CqlType:
        match written.arguments:
            case (TypeName() as element, int() as dimension) if dimension > 0:
                return CqlType("vector", (self.resolve(element, frozen=True, depth=depth + 1),), dimension=dimension)
        raise CqlError("a vector is written vector<type, dimension>", written.name.name.offset)

    def _other(self, written: TypeName, *, frozen: bool, depth: int) -> CqlType:
        """Return a UDT, or a Java class, which nothing can mirror but messages can name."""
        if written.name.name.text.startswith("'") and not written.name.name.quoted:
            return CqlType(written.name.name.text)
        name, keyspace = written.name.name, written.name.keyspace or self.keyspace
        fields = self.find_udt(name.text) if keyspace == self.keyspace else None
        if fields is None:
            hint = f"put CREATE TYPE {keyspace}.{name.text} into the file; a type belongs to one keyspace"
            raise CqlError(f"unknown type {name.text} in keyspace {self.keyspace}", name.offset, hint=hint)
        self._arguments(written, 0)
        types = tuple(self.resolve(item, frozen=frozen, depth=depth + 1) for item in fields.values())
        return CqlType("udt", types, frozen=frozen, udt_name=name.text, field_names=tuple(fields))

    @staticmethod
    def _arguments(written: TypeName, count: int | None) -> tuple[TypeName, ...]:
        """Return the type arguments; `count` None wants at least one."""
        types = tuple(item for item in written.arguments if isinstance(item, TypeName))
        right = len(types) == count if count is not None else bool(types)
        if not right or len(types) != len(written.arguments):
            wanted = "some" if count is None else count or "no"
            raise CqlError(f"{written.name.name.text} takes {wanted} type arguments", written.name.name.offset)
        return types
