"""Asks PostgreSQL whether it answers."""

from __future__ import annotations

import psycopg

from cdc.errors import PostgresUnavailable


def server_version(dsn: str, *, timeout_seconds: float) -> str:
    """Return the server's version. Raises `PostgresUnavailable`."""
    try:
        with psycopg.connect(dsn, connect_timeout=max(1, round(timeout_seconds))) as connection:
            row = connection.execute("SHOW server_version").fetchone()
    except psycopg.Error as error:
        raise PostgresUnavailable(f"PostgreSQL does not answer: {error}") from error
    return str(row[0]) if row else "unknown"
