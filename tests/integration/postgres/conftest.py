"""A PostgreSQL database for the tests of one module: making the tables costs more than most of the tests."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager

import psycopg
import pytest
from psycopg import sql
from psycopg.conninfo import make_conninfo

from sinks.postgres.layout import Layout
from tests.fixtures.servers import AnyPostgres
from tests.integration.postgres.sink_tables import SinkTables
from tests.model.mirror import MemoryMirror, Mirror, PostgresMirror
from tests.model.pipeline import model_schema


@contextmanager
def database(server: AnyPostgres) -> Iterator[str]:
    """Yield the DSN of a new database."""
    name = f"t_{secrets.token_hex(6)}"
    with psycopg.connect(server.dsn, autocommit=True) as connection:
        connection.execute(sql.SQL("CREATE DATABASE {} TEMPLATE template0").format(sql.Identifier(name)))
        try:
            yield make_conninfo(server.dsn, dbname=name)
        finally:
            connection.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name)))


@pytest.fixture(scope="module")
def module_dsn(postgres_server: AnyPostgres) -> Iterator[str]:
    """The DSN of a database for one module, dropped afterwards."""
    with database(postgres_server) as dsn:
        yield dsn


@pytest.fixture(scope="module")
def model_tables(module_dsn: str) -> Iterator[PostgresMirror]:
    """The model's tables in PostgreSQL, whatever they hold; `clear` them first."""
    mirror = PostgresMirror(module_dsn, model_schema().tables.values())
    yield mirror
    mirror.close()


@pytest.fixture
def postgres_mirror(model_tables: PostgresMirror) -> PostgresMirror:
    """The model's tables in PostgreSQL, empty."""
    model_tables.clear()
    return model_tables


@pytest.fixture(scope="module")
def partitioned_tables(postgres_server: AnyPostgres) -> Iterator[PostgresMirror]:
    """The model's tables, each made anew by its owner in three hash partitions."""
    with database(postgres_server) as dsn:
        mirror = PostgresMirror(dsn, model_schema().tables.values())
        for layout in mirror.layouts:
            partition_by_hash(mirror.reader, layout, 3)
        yield mirror
        mirror.close()


def partition_by_hash(connection: psycopg.Connection, layout: Layout, count: int) -> None:
    """Replace an empty table by one of partitions, as docs/capacity.md tells an owner."""
    table, key = layout.relation, ", ".join(column.sql for column in layout.key[: layout.partition_length])
    statements = [f"ALTER TABLE {table} RENAME TO was", f"CREATE TABLE {table} (LIKE {layout.schema}.was INCLUDING ALL)"]
    statements[1] += f" PARTITION BY HASH ({key})"
    for number in range(count):
        part = f'"{layout.schema}"."{layout.relation_name}_{number}"'
        values = f"FOR VALUES WITH (MODULUS {count}, REMAINDER {number})"
        statements.append(f"CREATE TABLE {part} PARTITION OF {table} {values} WITH (fillfactor = 80)")
    for statement in (*statements, f"DROP TABLE {layout.schema}.was"):
        connection.execute(statement.replace("%%", "%").encode())


@pytest.fixture(params=["memory", "postgres", "partitioned"])
def mirror(request: pytest.FixtureRequest) -> Mirror:
    """The model's tables, empty, in memory and in PostgreSQL: all are held to one contract."""
    if request.param == "memory":
        return MemoryMirror()
    tables: PostgresMirror = request.getfixturevalue({"postgres": "model_tables"}.get(request.param, "partitioned_tables"))
    tables.clear()
    return tables


@pytest.fixture
def sink_tables(module_dsn: str) -> Iterator[Callable[[str], SinkTables]]:
    """Make mirrored tables from CQL; each test names a keyspace of its own, as the tests of a module share the database."""
    with ExitStack() as stack:
        yield lambda ddl: stack.enter_context(closing(SinkTables(module_dsn, ddl)))


@pytest.fixture
def own_tables(postgres_dsn: str) -> Iterator[Callable[[str], SinkTables]]:
    """Make mirrored tables from CQL in a database of the test's own."""
    with ExitStack() as stack:
        yield lambda ddl: stack.enter_context(closing(SinkTables(postgres_dsn, ddl)))
