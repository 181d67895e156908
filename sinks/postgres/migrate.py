"""Bring PostgreSQL to the Cassandra schema: the `cdc` schema by its migrations, mirrored tables from their definitions."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import psycopg
from alembic import command
from alembic.config import Config
from sqlalchemy import create_engine, pool
from sqlalchemy.exc import DBAPIError

from cdc.errors import SchemaError
from cdc.schema import Column, Table
from sinks.postgres.connection import DDL_LOCK, LOCK_CLASS, connect, lock_table
from sinks.postgres.layout import FIRST_COLUMN_SLOT, Layout, StoredColumn, stored_column
from sinks.postgres.naming import column_names, quote, schema_name, table_name

METADATA_DDL = (
    "_cdc_ts bigint NOT NULL",
    "_cdc_marker bigint",
    "_cdc_cells bigint[]",
    "_cdc_expires bigint[]",
    "_cdc_sweep_at bigint",
)
FILLFACTOR = 80  # room for HOT updates: every change of a row rewrites its metadata


@dataclass(frozen=True)
class _Known:
    """What `cdc.tables` and `cdc.columns` say of a table."""

    table_id: int
    schema: str
    relation: str
    version: int
    columns: dict[str, tuple[int, str, str]]  # name: slot, PostgreSQL name, CQL type
    last_slot: int


def migrate(dsn: str, tables: Iterable[Table], *, create_tables: bool = True) -> list[Layout]:
    """Create or alter what is missing and return the layouts, in order of their ids. Safe to run from many processes at once.

    Raises `SchemaError` when a table is missing and may not be created, a column changed its type, or DDL is refused.
    """
    with connect(dsn) as connection:
        try:
            upgrade_cdc_schema(connection, dsn)
            layouts = [_migrate_table(connection, table, create_tables=create_tables) for table in tables]
        except psycopg.ProgrammingError as error:  # SQLSTATE class 42: no retry will mend it
            hint = "look at the relation of that name, and at the rights of the user in CDC_POSTGRES__DSN"
            raise SchemaError(f"PostgreSQL refused DDL: {error.diag.message_primary} ({error.sqlstate})", hint=hint) from error
    return sorted(layouts, key=lambda layout: layout.table_id)


def upgrade_cdc_schema(connection: psycopg.Connection, dsn: str) -> None:
    """Run the migrations of the `cdc` schema, one process at a time."""
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations"))
    with connection.transaction(), connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(%s, %s)", (LOCK_CLASS, DDL_LOCK))
        engine = create_engine("postgresql+psycopg://", creator=lambda: psycopg.connect(dsn), poolclass=pool.NullPool)
        try:
            with engine.begin() as alchemy:
                alchemy.exec_driver_sql("CREATE SCHEMA IF NOT EXISTS cdc")
                config.attributes["connection"] = alchemy
                command.upgrade(config, "head")
        except DBAPIError as error:
            raise error.orig or error from error


def _migrate_table(connection: psycopg.Connection, table: Table, *, create_tables: bool) -> Layout:
    with connection.transaction(), connection.cursor() as cursor:
        lock_table(cursor, DDL_LOCK, shared=False)
        known = _known(cursor, table)
        if known is None and not create_tables:
            hint = "create it with `cassmirror migrate`, or set CDC_POSTGRES__CREATE_TABLES=true"
            raise SchemaError(f"table {table.full_name} is not in PostgreSQL", hint=hint)
        if known is None:
            _create(cursor, table)
        elif create_tables:
            lock_table(cursor, known.table_id, shared=False)
            _alter(cursor, table, known)
        return _layout(table, _known(cursor, table))


def _known(cursor: psycopg.Cursor, table: Table) -> _Known | None:
    cursor.execute(
        "SELECT id, pg_schema, pg_table, version FROM cdc.tables WHERE keyspace = %s AND name = %s",
        (table.keyspace, table.name),
    )
    row = cursor.fetchone()
    if row is None:
        return None
    cursor.execute("SELECT name, slot, pg_name, cql_type, dropped FROM cdc.columns WHERE table_id = %s", (row[0],))
    columns = cursor.fetchall()
    live = {name: (slot, pg_name, cql_type) for name, slot, pg_name, cql_type, dropped in columns if not dropped}
    table_id, schema, relation, version = row
    last_slot = max((slot for _, slot, *_ in columns), default=FIRST_COLUMN_SLOT - 1)
    return _Known(table_id, schema, relation, version, live, last_slot)


def _layout(table: Table, known: _Known | None) -> Layout:
    if known is None:
        raise SchemaError(f"table {table.full_name} vanished while it was being created", hint="start again")
    names = column_names(column.name for column in table.columns)
    columns = []
    for column in table.regular:
        slot, name, _ = known.columns[column.name]
        columns.append(stored_column(column, name, slot))
    key = tuple(stored_column(column, names[column.name]) for column in table.primary_key)
    return Layout(table, known.table_id, known.schema, known.relation, key, tuple(columns), known.last_slot, known.version)


def _create(cursor: psycopg.Cursor, table: Table) -> None:
    schema, relation = schema_name(table.keyspace), table_name(table.name)
    cursor.execute(
        "INSERT INTO cdc.tables (keyspace, name, pg_schema, pg_table, gc_grace_seconds)"
        " VALUES (%s, %s, %s, %s, %s) RETURNING id",
        (table.keyspace, table.name, schema, relation, table.gc_grace_seconds),
    )
    row = cursor.fetchone()
    assert row is not None  # noqa: S101  # INSERT ... RETURNING gives its row
    table_id = row[0]
    names = column_names(column.name for column in table.columns)
    for slot, column in enumerate(table.regular, FIRST_COLUMN_SLOT):
        _remember_column(cursor, table_id, slot, column, names[column.name])
    ddl = _create_statements(table, table_id, schema, relation)
    for statement in ddl:
        cursor.execute(statement, {})
    _remember_version(cursor, table_id, 1, table, ddl)


def _create_statements(table: Table, table_id: int, schema: str, relation: str) -> list[str]:
    names = column_names(column.name for column in table.columns)
    key = [stored_column(column, names[column.name]) for column in table.primary_key]
    cells = [stored_column(column, names[column.name]) for column in table.regular]
    key_ddl = [f"{_typed(column)} NOT NULL" for column in key]
    key_list = ", ".join(column.sql for column in key)
    full = f"{quote(schema)}.{quote(relation)}"
    definition = ", ".join([*key_ddl, *map(_typed, cells), *METADATA_DDL, f"PRIMARY KEY ({key_list})"])
    graveyard = f"cdc.graveyard_{table_id}"
    buried = (
        *key_ddl,
        *METADATA_DDL[:4],
        "stored_at timestamptz NOT NULL",
        f"PRIMARY KEY ({key_list})",
    )
    return [
        f"CREATE SCHEMA IF NOT EXISTS {quote(schema)}",
        f"CREATE TABLE {full} ({definition}) WITH (fillfactor = {FILLFACTOR})",
        f"CREATE INDEX ON {full} (_cdc_sweep_at) WHERE _cdc_sweep_at IS NOT NULL",
        f"CREATE TABLE {graveyard} ({', '.join(buried)})",
        f"CREATE INDEX ON {graveyard} (stored_at)",
    ]


def _alter(cursor: psycopg.Cursor, table: Table, known: _Known) -> None:
    """Add columns that are new, drop those that are gone. A type that changed is refused."""
    wanted = {column.name: column for column in table.regular}
    changed = [n for n, c in wanted.items() if n in known.columns and known.columns[n][2] != str(c.type)]
    if changed:
        hint = "Cassandra cannot change a type: the table was dropped and created again, so drop the mirrored one too"
        raise SchemaError(f"table {table.full_name}: columns {', '.join(changed)} have another type in PostgreSQL", hint=hint)
    relation = f"{quote(known.schema)}.{quote(known.relation)}"
    names = column_names(column.name for column in table.columns)
    ddl = []
    for name in sorted(known.columns.keys() - wanted.keys()):
        slot, pg_name, _ = known.columns[name]
        cursor.execute("UPDATE cdc.columns SET dropped = true WHERE table_id = %s AND slot = %s", (known.table_id, slot))
        ddl.append(f"ALTER TABLE {relation} DROP COLUMN {quote(pg_name)}")
    for slot, name in enumerate(sorted(wanted.keys() - known.columns.keys()), known.last_slot + 1):
        _remember_column(cursor, known.table_id, slot, wanted[name], names[name])
        ddl.append(f"ALTER TABLE {relation} ADD COLUMN {_typed(stored_column(wanted[name], names[name]))}")
    if ddl:
        for statement in ddl:
            cursor.execute(statement, {})
        cursor.execute("UPDATE cdc.tables SET version = version + 1 WHERE id = %s", (known.table_id,))
        _remember_version(cursor, known.table_id, known.version + 1, table, ddl)


def _typed(column: StoredColumn) -> str:
    collation = ' COLLATE "C"' if column.type == "text" else ""
    return f"{column.sql} {column.type}{collation}"


def _remember_column(cursor: psycopg.Cursor, table_id: int, slot: int, column: Column, pg_name: str) -> None:
    cursor.execute(
        "INSERT INTO cdc.columns (table_id, slot, name, pg_name, cql_type) VALUES (%s, %s, %s, %s, %s)",
        (table_id, slot, column.name, pg_name, str(column.type)),
    )


def _remember_version(cursor: psycopg.Cursor, table_id: int, version: int, table: Table, ddl: list[str]) -> None:
    definition = ", ".join(f"{column.name} {column.type} {column.kind}" for column in table.columns)
    cursor.execute(
        "INSERT INTO cdc.schema_versions (table_id, version, definition, applied_ddl) VALUES (%s, %s, %s, %s)",
        (table_id, version, definition, ddl),
    )
