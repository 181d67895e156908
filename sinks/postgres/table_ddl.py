"""DDL of mirrored tables. Run with parameters: percent signs in names are doubled."""

from __future__ import annotations

from cdc.schema import Table
from sinks.postgres.layout import StoredColumn, stored_column
from sinks.postgres.naming import column_names, quote

METADATA_DDL = (
    "_cdc_ts bigint NOT NULL",
    "_cdc_marker bigint",
    "_cdc_cells bigint[]",
    "_cdc_expires bigint[]",
    "_cdc_sweep_at bigint",
)
FILLFACTOR = 80  # room for HOT updates: every change of a row rewrites its metadata


def create_table(table: Table, table_id: int, schema: str, relation: str) -> list[str]:
    """Return what makes a mirrored table and its graveyard, in a schema that is there."""
    names = column_names(column.name for column in table.columns)
    key = [stored_column(column, names[column.name]) for column in table.primary_key]
    cells = [stored_column(column, names[column.name]) for column in table.regular]
    key_ddl = [f"{_typed(column)} NOT NULL" for column in key]
    primary_key = f"PRIMARY KEY ({', '.join(column.sql for column in key)})"
    full = f"{quote(schema)}.{quote(relation)}"
    definition = ", ".join([*key_ddl, *map(_typed, cells), *METADATA_DDL, primary_key])
    graveyard = f"cdc.graveyard_{table_id}"
    buried = ", ".join([*key_ddl, *METADATA_DDL[:4], "stored_at timestamptz NOT NULL", primary_key])
    return [
        f"CREATE TABLE {full} ({definition}) WITH (fillfactor = {FILLFACTOR})",
        # else a wide row keeps its timestamps elsewhere, and each change of it is a row there, too
        f"ALTER TABLE {full} ALTER _cdc_cells SET STORAGE MAIN, ALTER _cdc_expires SET STORAGE MAIN",
        f"CREATE INDEX ON {full} (_cdc_sweep_at) WHERE _cdc_sweep_at IS NOT NULL",
        *_order_index(full, key, len(table.partition_key)),
        f"CREATE TABLE {graveyard} ({buried})",
        f"CREATE INDEX ON {graveyard} (stored_at)",
    ]


def add_column(schema: str, relation: str, column: StoredColumn) -> str:
    """Return what adds a column."""
    return f"ALTER TABLE {quote(schema)}.{quote(relation)} ADD COLUMN {_typed(column)}"


def drop_column(schema: str, relation: str, column: str) -> str:
    """Return what drops a column."""
    return f"ALTER TABLE {quote(schema)}.{quote(relation)} DROP COLUMN {quote(column)}"


def _order_index(relation: str, key: list[StoredColumn], partition_length: int) -> list[str]:
    """Return the index by which a range deletion finds its rows where the primary key's order is not Cassandra's."""
    if len(key) == partition_length or key[partition_length].order_function is None:
        return []
    column = key[partition_length]
    partition = "".join(f"{part.sql}, " for part in key[:partition_length])
    return [f"CREATE INDEX ON {relation} ({partition}{column.order_function}({column.sql}))"]


def _typed(column: StoredColumn) -> str:
    collation = ' COLLATE "C"' if column.type in ("text", "text[]") else ""
    return f"{column.sql} {column.type}{collation}"
