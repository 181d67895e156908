"""The DDL statements as values. Offsets point into the script, for messages."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TypeAlias


@dataclass(frozen=True, slots=True)
class Name:
    """An identifier as Cassandra stores it: lower case unless it was quoted."""

    text: str
    offset: int
    quoted: bool = False


@dataclass(frozen=True, slots=True)
class QualifiedName:
    """A table's or type's name; `keyspace` None is the keyspace in use."""

    keyspace: str | None
    name: Name


@dataclass(frozen=True, slots=True)
class TypeName:
    """A type as written: a native type, a collection with its arguments, or the name of a UDT."""

    name: QualifiedName
    arguments: tuple[TypeName | int, ...] = ()


@dataclass(frozen=True, slots=True)
class ColumnDefinition:
    """One column of CREATE TABLE or ALTER TABLE ADD, or one field of a type."""

    name: Name
    type: TypeName
    static: bool = False
    primary_key: bool = False


@dataclass(frozen=True, slots=True)
class PrimaryKey:
    """The PRIMARY KEY clause."""

    partition_key: tuple[Name, ...]
    clustering: tuple[Name, ...]


@dataclass(frozen=True, slots=True)
class TableOptions:
    """What stands behind WITH and matters here; None is "not said"."""

    descending: dict[str, bool] = field(default_factory=dict)
    gc_grace_seconds: int | None = None
    default_time_to_live: int | None = None
    cdc: bool | None = None


@dataclass(frozen=True, slots=True)
class Use:
    """USE: the keyspace of names that have none."""

    keyspace: Name


@dataclass(frozen=True, slots=True)
class CreateTable:
    """CREATE TABLE."""

    table: QualifiedName
    columns: tuple[ColumnDefinition, ...]
    primary_keys: tuple[PrimaryKey, ...]  # clauses as written: exactly one, or none with an inline one, is right
    options: TableOptions
    if_not_exists: bool = False


@dataclass(frozen=True, slots=True)
class CreateType:
    """CREATE TYPE."""

    type: QualifiedName
    fields: tuple[ColumnDefinition, ...]
    if_not_exists: bool = False


@dataclass(frozen=True, slots=True)
class Add:
    """ALTER ... ADD of columns or fields."""

    columns: tuple[ColumnDefinition, ...]
    if_not_exists: bool = False


@dataclass(frozen=True, slots=True)
class Drop:
    """ALTER TABLE ... DROP."""

    columns: tuple[Name, ...]
    if_exists: bool = False


@dataclass(frozen=True, slots=True)
class Rename:
    """ALTER ... RENAME of key columns or fields."""

    renames: tuple[tuple[Name, Name], ...]
    if_exists: bool = False


@dataclass(frozen=True, slots=True)
class Retype:
    """ALTER ... ALTER name TYPE, of old versions."""

    name: Name
    type: TypeName
    if_exists: bool = False


@dataclass(frozen=True, slots=True)
class NoChange:
    """An alteration that does not show in events, such as a column's mask."""


Alteration: TypeAlias = Add | Drop | Rename | Retype | TableOptions | NoChange


@dataclass(frozen=True, slots=True)
class AlterTable:
    """ALTER TABLE."""

    table: QualifiedName
    change: Alteration
    if_exists: bool = False


@dataclass(frozen=True, slots=True)
class AlterType:
    """ALTER TYPE."""

    type: QualifiedName
    change: Alteration
    if_exists: bool = False


@dataclass(frozen=True, slots=True)
class DropTable:
    """DROP TABLE."""

    table: QualifiedName
    if_exists: bool = False


@dataclass(frozen=True, slots=True)
class DropType:
    """DROP TYPE."""

    type: QualifiedName
    if_exists: bool = False


@dataclass(frozen=True, slots=True)
class DropKeyspace:
    """DROP KEYSPACE, with all that is in it."""

    keyspace: Name
    if_exists: bool = False


Ddl: TypeAlias = Use | CreateTable | AlterTable | CreateType | AlterType | DropTable | DropType | DropKeyspace
