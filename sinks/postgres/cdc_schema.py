"""The `cdc` schema's version: looked at on every start; what upgrades it takes long to import, so only when it is behind."""

from __future__ import annotations

from importlib import import_module
from typing import Final

import psycopg

from sinks.postgres.connection import DDL_LOCK, lock_table

NEWEST_VERSION: Final = "0003"
"""The last of `migrations/versions`."""


def upgrade_cdc_schema(connection: psycopg.Connection, dsn: str) -> None:
    """Run the migrations that are missing, one process at a time."""
    with connection.transaction(), connection.cursor() as cursor:
        lock_table(cursor, DDL_LOCK, shared=False)
        if _version(cursor) != NEWEST_VERSION:
            import_module("sinks.postgres.cdc_schema_upgrade").upgrade(dsn)


def _version(cursor: psycopg.Cursor) -> str | None:
    cursor.execute("SELECT to_regclass('cdc.alembic_version') IS NOT NULL")
    if cursor.fetchone() != (True,):
        return None
    cursor.execute("SELECT version_num FROM cdc.alembic_version")
    row = cursor.fetchone()
    return None if row is None else str(row[0])
