"""Connections to PostgreSQL with the session settings that the statements and types rely on."""

from __future__ import annotations

import psycopg
from psycopg import sql

LOCK_CLASS = 0x434443  # "CDC": the first key of every advisory lock
DDL_LOCK = 0

SETTINGS = {
    "application_name": "cassmirror",
    "timezone": "UTC",
    "datestyle": "ISO, YMD",
    "intervalstyle": "iso_8601",
    "bytea_output": "hex",
    "extra_float_digits": "1",
    "client_encoding": "UTF8",
    "standard_conforming_strings": "on",
    "synchronous_commit": "on",
    "array_nulls": "on",
    "default_transaction_isolation": "read committed",  # each step of the merge must see what was committed before it
    "client_min_messages": "warning",
    # A staging table has no statistics: what is left is the nested loop from it into the primary key.
    "enable_seqscan": "off",
    "enable_hashjoin": "off",
    "enable_mergejoin": "off",
    "enable_bitmapscan": "off",
    "enable_material": "off",
    "jit": "off",
    "work_mem": "64MB",
    "temp_buffers": "64MB",
    "plan_cache_mode": "force_generic_plan",
}


def connect(dsn: str, *, timeout_seconds: int = 10) -> psycopg.Connection:
    """Return a connection in autocommit mode. Raises `psycopg.OperationalError` when the server does not answer."""
    connection = psycopg.connect(dsn, autocommit=True, connect_timeout=timeout_seconds)
    with connection.cursor() as cursor:
        for name, value in SETTINGS.items():
            cursor.execute(sql.SQL("SET {} = {}").format(sql.Identifier(name), sql.Literal(value)))
    connection.prepare_threshold = 0
    return connection


def lock_table(cursor: psycopg.Cursor, table_id: int, *, shared: bool) -> None:
    """Take the advisory lock of a mirrored table until the transaction ends, as a statement of its own."""
    function = "pg_advisory_xact_lock_shared" if shared else "pg_advisory_xact_lock"
    cursor.execute(f"SELECT {function}(%s, %s)", (LOCK_CLASS, table_id))
