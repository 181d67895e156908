"""Prints a schema as `DESCRIBE` would; `read_ddl` reads it back."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from cdc.schema import ColumnKind, CqlType, Schema, Table, quote_cql


def describe(schema: Schema) -> str:
    """Return CREATE statements for all types and tables, types before what uses them."""
    parts = []
    for keyspace in sorted({table.keyspace for table in schema.tables.values()}):
        tables = [table for _, table in sorted(schema.tables.items()) if table.keyspace == keyspace]
        parts += [describe_type(keyspace, udt) for udt in _types(tables)]
        parts += map(describe_table, tables)
    return "\n\n".join(parts) + "\n" if parts else ""


def describe_type(keyspace: str, udt: CqlType) -> str:
    """Return CREATE TYPE."""
    fields = zip(map(quote_cql, udt.field_names), udt.arguments, strict=True)
    body = ",\n".join(f"    {name} {kind}" for name, kind in fields)
    return f"CREATE TYPE {quote_cql(keyspace)}.{quote_cql(udt.udt_name or '')} (\n{body}\n);"


def describe_table(table: Table) -> str:
    """Return CREATE TABLE, behind a comment that names its dropped columns."""
    lines = [
        f"    {quote_cql(column.name)} {column.type}{' static' if column.kind is ColumnKind.STATIC else ''}"
        for column in table.columns
    ]
    partition = ", ".join(quote_cql(column.name) for column in table.partition_key)
    key = ", ".join([f"({partition})", *(quote_cql(column.name) for column in table.clustering)])
    dropped = ", ".join(map(quote_cql, sorted(table.dropped_columns)))
    comment = f"-- dropped columns: {' '.join(dropped.split())}\n" if dropped else ""
    name = f"{quote_cql(table.keyspace)}.{quote_cql(table.name)}"
    body = ",\n".join([*lines, f"    PRIMARY KEY ({key})"])
    options = "\n    AND ".join(_options(table))
    return f"{comment}CREATE TABLE {name} (\n{body}\n) WITH {options};"


def _options(table: Table) -> Iterator[str]:
    if table.clustering:
        orders = ", ".join(f"{quote_cql(c.name)} {'DESC' if c.descending else 'ASC'}" for c in table.clustering)
        yield f"CLUSTERING ORDER BY ({orders})"
    yield f"cdc = {str(table.cdc).lower()}"
    yield f"default_time_to_live = {table.default_time_to_live}"
    yield f"gc_grace_seconds = {table.gc_grace_seconds}"


def _types(tables: Iterable[Table]) -> Iterable[CqlType]:
    """Return every UDT once, those that others use first."""
    found: dict[str, CqlType] = {}

    def visit(kind: CqlType) -> None:
        for inner in kind.arguments:
            visit(inner)
        if kind.name == "udt" and (kind.udt_name not in found or not kind.frozen):  # freezing shows in its fields
            found[kind.udt_name or ""] = kind

    for table in tables:
        for column in table.columns:
            visit(column.type)
    return found.values()
