"""Reads a Cassandra schema from the rows of `system_schema`, to the same values as `read_ddl` reads from `DESCRIBE`."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence, Set
from functools import cache

import msgspec

from cdc.cql.parse import parse_type
from cdc.cql.problem import CqlError
from cdc.cql.resolve import TypeResolver
from cdc.cql.statements import TypeName
from cdc.errors import SchemaError
from cdc.schema import Column, ColumnKind, CqlType, Schema, Table

TableName = tuple[str, str]
Wanted = Callable[[str, str], bool]
ReadType = Callable[["ColumnRow", bool], CqlType]


class TableRow(msgspec.Struct, frozen=True):
    """What is read of `system_schema.tables`; `cdc` is None where the node has CDC switched off."""

    keyspace_name: str
    table_name: str
    gc_grace_seconds: int
    default_time_to_live: int
    cdc: bool | None = None


class ColumnRow(msgspec.Struct, frozen=True):
    """What is read of `system_schema.columns`; `position` is -1 for static and regular columns."""

    keyspace_name: str
    table_name: str
    column_name: str
    kind: ColumnKind
    position: int
    type: str
    clustering_order: str


class TypeRow(msgspec.Struct, frozen=True):
    """What is read of `system_schema.types`."""

    keyspace_name: str
    type_name: str
    field_names: list[str]
    field_types: list[str]


class DroppedColumnRow(msgspec.Struct, frozen=True):
    """What is read of `system_schema.dropped_columns`: a column that was added again stays in it."""

    keyspace_name: str
    table_name: str
    column_name: str


class SystemSchema(msgspec.Struct, frozen=True):
    """The rows of the tables of `system_schema` that are read, each under the table's name."""

    tables: list[TableRow]
    columns: list[ColumnRow]
    types: list[TypeRow]
    dropped_columns: list[DroppedColumnRow]


def read_system_schema(rows: SystemSchema, wanted: Wanted = lambda _keyspace, _name: True) -> Schema:
    """Return the tables that are wanted. Raises `SchemaError` for a type that cannot be read, with its column."""
    columns: defaultdict[TableName, list[ColumnRow]] = defaultdict(list)
    for column in rows.columns:
        columns[column.keyspace_name, column.table_name].append(column)
    dropped: defaultdict[TableName, set[str]] = defaultdict(set)
    for gone in rows.dropped_columns:
        dropped[gone.keyspace_name, gone.table_name].add(gone.column_name)
    read_type = _type_reader(rows.types)
    names = [(row.keyspace_name, row.table_name) for row in rows.tables]
    parts = zip(names, rows.tables, strict=True)
    return Schema({name: _table(row, columns[name], dropped[name], read_type) for name, row in parts if wanted(*name)})


def _table(row: TableRow, columns: Sequence[ColumnRow], dropped: Set[str], read_type: ReadType) -> Table:
    return Table(
        row.keyspace_name,
        row.table_name,
        tuple(column for kind in ColumnKind for column in _columns(kind, columns, read_type)),
        gc_grace_seconds=row.gc_grace_seconds,
        default_time_to_live=row.default_time_to_live,
        cdc=row.cdc is not False,
        dropped_columns=frozenset(dropped - {column.column_name for column in columns}),
    )


def _columns(kind: ColumnKind, columns: Iterable[ColumnRow], read_type: ReadType) -> Iterator[Column]:
    """Yield the columns of one kind: those of the key by position, the others by name."""
    of_kind = sorted((row for row in columns if row.kind is kind), key=lambda row: (row.position, row.column_name.encode()))
    is_key = kind in (ColumnKind.PARTITION_KEY, ColumnKind.CLUSTERING)
    for position, row in enumerate(of_kind):
        yield Column(row.column_name, read_type(row, is_key), kind, position, descending=row.clustering_order == "desc")


def _type_reader(types: Iterable[TypeRow]) -> ReadType:
    """Return how the type of a column is read; most columns share a few texts."""
    fields: defaultdict[str, dict[str, dict[str, TypeName]]] = defaultdict(dict)
    written = cache(parse_type)

    @cache
    def resolved(keyspace: str, text: str, frozen: bool) -> CqlType:  # noqa: FBT001 - cached by position
        return TypeResolver(keyspace, fields[keyspace].get).resolve(written(text), frozen=frozen)

    def read_type(row: ColumnRow, is_key: bool) -> CqlType:  # noqa: FBT001
        try:
            return resolved(row.keyspace_name, row.type, is_key)
        except CqlError as problem:
            where = f"{row.keyspace_name}.{row.table_name}, column {row.column_name}"
            raise SchemaError(f"{where}: cannot read the type {row.type}: {problem.message}", hint=problem.hint) from problem

    for row in types:
        inner = [written(text) for text in row.field_types]
        fields[row.keyspace_name][row.type_name] = dict(zip(row.field_names, inner, strict=True))
    return read_type
