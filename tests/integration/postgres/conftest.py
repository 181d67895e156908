"""A PostgreSQL database for the tests of one module: making the tables costs more than most of the tests."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing

import psycopg
import pytest
from psycopg import sql
from psycopg.conninfo import make_conninfo

from tests.fixtures.servers import AnyPostgres
from tests.integration.postgres.sink_tables import SinkTables
from tests.model.mirror import MemoryMirror, Mirror, PostgresMirror
from tests.model.pipeline import model_schema


@pytest.fixture(scope="module")
def module_dsn(postgres_server: AnyPostgres) -> Iterator[str]:
    """The DSN of a database for one module, dropped afterwards."""
    name = f"t_{secrets.token_hex(6)}"
    with psycopg.connect(postgres_server.dsn, autocommit=True) as connection:
        connection.execute(sql.SQL("CREATE DATABASE {} TEMPLATE template0").format(sql.Identifier(name)))
        try:
            yield make_conninfo(postgres_server.dsn, dbname=name)
        finally:
            connection.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name)))


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


@pytest.fixture(params=["memory", "postgres"])
def mirror(request: pytest.FixtureRequest) -> Mirror:
    """The model's tables, empty, in memory and in PostgreSQL: both are held to one contract."""
    if request.param == "memory":
        return MemoryMirror()
    postgres: PostgresMirror = request.getfixturevalue("postgres_mirror")
    return postgres


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
