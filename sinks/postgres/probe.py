"""Asks PostgreSQL whether it answers, for commands that do not wait for it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import psycopg

from cdc.errors import PostgresUnavailable


@contextmanager
def at_once() -> Iterator[None]:
    """Raise `PostgresUnavailable` for what the server, or its absence, raises."""
    try:
        yield
    except psycopg.Error as error:
        reason = next(iter(str(error).splitlines()), "") or type(error).__name__
        hint = "check CDC_POSTGRES__DSN, the server and its disk, then call again"
        raise PostgresUnavailable(f"PostgreSQL does not answer as it should: {reason}", hint=hint) from error


def server_version(dsn: str, *, timeout_seconds: float) -> str:
    """Return the server's version. Raises `PostgresUnavailable`."""
    with at_once(), psycopg.connect(dsn, connect_timeout=max(1, round(timeout_seconds))) as connection:
        row = connection.execute("SHOW server_version").fetchone()
    return str(row[0]) if row else "unknown"
