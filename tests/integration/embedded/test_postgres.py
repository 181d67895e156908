"""The embedded PostgreSQL."""

from __future__ import annotations

import psycopg


def test_a_fresh_database_is_empty_and_takes_rows(postgres_dsn: str) -> None:
    with psycopg.connect(postgres_dsn) as connection:
        connection.execute("CREATE TABLE t (a int)")
        connection.execute("INSERT INTO t VALUES (1)")
        got = connection.execute("SELECT a FROM t").fetchall()
    assert got == [(1,)]


def test_the_server_is_postgresql_18_with_utf8_and_c_collation(postgres_dsn: str) -> None:
    query = """
        SELECT current_setting('server_version_num')::int / 10000, current_setting('server_encoding'), datcollate
        FROM pg_database WHERE datname = current_database()
    """
    with psycopg.connect(postgres_dsn) as connection:
        assert connection.execute(query).fetchone() == (18, "UTF8", "C")
