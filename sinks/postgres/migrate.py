"""Bring PostgreSQL to the Cassandra schema: the `cdc` schema by its migrations, mirrored tables from their definitions."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import psycopg

from cdc.errors import SchemaError
from cdc.schema import Column, Table, quote_cql
from sinks.postgres.cdc_schema import upgrade_cdc_schema
from sinks.postgres.connection import DDL_LOCK, connect, lock_table
from sinks.postgres.layout import FIRST_COLUMN_SLOT, Layout, stored_column
from sinks.postgres.naming import column_names, quote, schema_name, table_name
from sinks.postgres.table_ddl import add_column, create_table, drop_column

OnRefused = Callable[[Table, SchemaError], None]

NO_RETRY_MENDS = ("42", "54", "0A", "3F")  # SQLSTATE classes: definition, limits, not supported, schema name


@dataclass(frozen=True)
class _Known:
    """What `cdc.tables` and `cdc.columns` say of a table."""

    table_id: int
    schema: str
    relation: str
    version: int
    primary_key: str | None
    columns: dict[str, tuple[int, str, str]]  # name: slot, PostgreSQL name, CQL type
    last_slot: int


def migrate(
    dsn: str, tables: Iterable[Table], *, create_tables: bool = True, on_refused: OnRefused | None = None
) -> list[Layout]:
    """Create or alter what is missing and return the layouts, in order of their ids. Safe to run from many processes at once.

    Raises `SchemaError` when a table is missing and may not be created, a column changed its type, or DDL is refused; where
    `on_refused` is given, it is told that and the table is left out.
    """
    layouts = []
    with connect(dsn) as connection:
        with _refusing_ddl():
            upgrade_cdc_schema(connection, dsn)
        for table in tables:
            try:
                with _refusing_ddl():
                    layouts.append(_migrate_table(connection, table, create_tables=create_tables))
            except SchemaError as error:
                if on_refused is None:
                    raise
                on_refused(table, error)
    return sorted(layouts, key=lambda layout: layout.table_id)


@contextmanager
def _refusing_ddl() -> Iterator[None]:
    """Raise `SchemaError` for what no other try would mend."""
    try:
        yield
    except psycopg.Error as error:
        if (error.sqlstate or "")[:2] not in NO_RETRY_MENDS:
            raise
        hint = "look at the relation of that name, and at the rights of the user in CDC_POSTGRES__DSN"
        raise SchemaError(f"PostgreSQL refused DDL: {error.diag.message_primary} ({error.sqlstate})", hint=hint) from error


def _migrate_table(connection: psycopg.Connection, table: Table, *, create_tables: bool) -> Layout:
    with connection.transaction(), connection.cursor() as cursor:
        lock_table(cursor, DDL_LOCK, shared=False)
        known = _known(cursor, table)
        if known is None and not create_tables:
            hint = "create it with `cassmirror migrate`, or set CDC_POSTGRES__CREATE_TABLES=true"
            raise SchemaError(f"table {table.full_name} is not in PostgreSQL", hint=hint)
        if known is None:
            _create(cursor, table)
        else:
            lock_table(cursor, known.table_id, shared=False)
            _alter(cursor, table, known, create_tables=create_tables)
        return _layout(table, _known(cursor, table))


def _known(cursor: psycopg.Cursor, table: Table) -> _Known | None:
    cursor.execute(
        "SELECT id, pg_schema, pg_table, version, primary_key FROM cdc.tables WHERE keyspace = %s AND name = %s",
        (table.keyspace, table.name),
    )
    row = cursor.fetchone()
    if row is None:
        return None
    cursor.execute("SELECT name, slot, pg_name, cql_type, dropped FROM cdc.columns WHERE table_id = %s", (row[0],))
    columns = cursor.fetchall()
    live = {name: (slot, pg_name, cql_type) for name, slot, pg_name, cql_type, dropped in columns if not dropped}
    last_slot = max((slot for _, slot, *_ in columns), default=FIRST_COLUMN_SLOT - 1)
    table_id, schema, relation, version, primary_key = row
    return _Known(table_id, schema, relation, version, primary_key, live, last_slot)


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
        "INSERT INTO cdc.tables (keyspace, name, pg_schema, pg_table, gc_grace_seconds, primary_key)"
        " VALUES (%s, %s, %s, %s, %s, %s) RETURNING id",
        (table.keyspace, table.name, schema, relation, table.gc_grace_seconds, _primary_key(table)),
    )
    row = cursor.fetchone()
    assert row is not None  # noqa: S101  # INSERT ... RETURNING gives its row
    table_id = row[0]
    names = column_names(column.name for column in table.columns)
    for slot, column in enumerate(table.regular, FIRST_COLUMN_SLOT):
        _remember_column(cursor, table_id, slot, column, names[column.name])
    ddl = create_table(table, table_id, schema, relation)
    _make_schema(cursor, schema)
    for statement in ddl:
        cursor.execute(statement, {})
    _remember_version(cursor, table_id, 1, table, ddl)


def _alter(cursor: psycopg.Cursor, table: Table, known: _Known, *, create_tables: bool) -> None:
    """Add columns that are new, drop those that Cassandra dropped. What cannot be followed is refused."""
    _require_same_key(cursor, table, known)
    wanted = {column.name: column for column in table.regular}
    gone = sorted(known.columns.keys() - wanted.keys())
    new = sorted(wanted.keys() - known.columns.keys())
    _require_same_types(table, known, wanted)
    _require_dropped(table, gone)
    if (gone or new) and not create_tables:
        hint = "alter it with `cassmirror migrate`, or set CDC_POSTGRES__CREATE_TABLES=true"
        raise SchemaError(f"table {table.full_name} lacks or has left over: {', '.join(new + gone)}", hint=hint)
    names = column_names(column.name for column in table.columns)
    ddl = []
    for name in gone:
        slot, pg_name, _ = known.columns[name]
        cursor.execute("UPDATE cdc.columns SET dropped = true WHERE table_id = %s AND slot = %s", (known.table_id, slot))
        ddl.append(drop_column(known.schema, known.relation, pg_name))
    for slot, name in enumerate(new, known.last_slot + 1):
        _remember_column(cursor, known.table_id, slot, wanted[name], names[name])
        ddl.append(add_column(known.schema, known.relation, stored_column(wanted[name], names[name])))
    if ddl:
        for statement in ddl:
            cursor.execute(statement, {})
        cursor.execute("UPDATE cdc.tables SET version = version + 1 WHERE id = %s", (known.table_id,))
        _remember_version(cursor, known.table_id, known.version + 1, table, ddl)


def _require_same_key(cursor: psycopg.Cursor, table: Table, known: _Known) -> None:
    if known.primary_key is None:  # made before keys were remembered
        cursor.execute("UPDATE cdc.tables SET primary_key = %s WHERE id = %s", (_primary_key(table), known.table_id))
    elif known.primary_key != _primary_key(table):
        raise SchemaError(
            f"table {table.full_name}: the primary key is {_primary_key(table)}, in PostgreSQL it is {known.primary_key}",
            hint="a key cannot be altered: rename the mirrored table away and delete its row of cdc.tables, it is made anew",
        )


def _require_same_types(table: Table, known: _Known, wanted: dict[str, Column]) -> None:
    changed = [n for n, c in wanted.items() if n in known.columns and known.columns[n][2] != str(c.type)]
    if changed:
        hint = "Cassandra cannot change a type: the table was dropped and created again, so drop the mirrored one too"
        raise SchemaError(f"table {table.full_name}: columns {', '.join(changed)} have another type in PostgreSQL", hint=hint)


def _require_dropped(table: Table, gone: Iterable[str]) -> None:
    """Refuse to drop what the schema has never heard of: another process may know a newer one."""
    unknown = [name for name in gone if name not in table.dropped_columns]
    if unknown:
        hint = "this schema is older than the one PostgreSQL was made from; a dropped column needs its ALTER TABLE ... DROP"
        raise SchemaError(f"table {table.full_name}: PostgreSQL has columns {', '.join(unknown)} too", hint=hint)


def _remember_column(cursor: psycopg.Cursor, table_id: int, slot: int, column: Column, pg_name: str) -> None:
    cursor.execute(
        "INSERT INTO cdc.columns (table_id, slot, name, pg_name, cql_type) VALUES (%s, %s, %s, %s, %s)",
        (table_id, slot, column.name, pg_name, str(column.type)),
    )


def _primary_key(table: Table) -> str:
    """Return the key as CQL writes it, with the order of the clustering columns."""
    partition = ", ".join(f"{quote_cql(column.name)} {column.type}" for column in table.partition_key)
    clustering = [
        f"{quote_cql(column.name)} {column.type}{' DESC' if column.descending else ''}" for column in table.clustering
    ]
    return f"({', '.join([f'({partition})', *clustering])})"


def _make_schema(cursor: psycopg.Cursor, name: str) -> None:
    """Make a schema that is not there: IF NOT EXISTS would ask for the right to make one even where it is."""
    cursor.execute("SELECT 1 FROM pg_namespace WHERE nspname = %s", (name,))
    if not cursor.rowcount:
        cursor.execute(f"CREATE SCHEMA {quote(name)}", {})


def _remember_version(cursor: psycopg.Cursor, table_id: int, version: int, table: Table, ddl: list[str]) -> None:
    definition = ", ".join(f"{column.name} {column.type} {column.kind}" for column in table.columns)
    cursor.execute(
        "INSERT INTO cdc.schema_versions (table_id, version, definition, applied_ddl) VALUES (%s, %s, %s, %s)",
        (table_id, version, definition, [statement.replace("%%", "%") for statement in ddl]),
    )
