"""A real node without a connector: what the schema is asked of."""

from __future__ import annotations

import secrets
from collections.abc import Iterator

import pytest
from cassandra.cluster import Session

from runtime.embedded.cassandra import CassandraServer
from tests.fixtures.servers import reachable_directory


@pytest.fixture(scope="session")
def node() -> Iterator[CassandraServer]:
    """The node that these tests share; whoever stops it starts it again."""
    with reachable_directory() as directory:
        server = CassandraServer(directory / "cassandra", short_lived=True)
        server.start()
        try:
            yield server
        finally:
            server.kill()


@pytest.fixture
def cql(node: CassandraServer) -> Iterator[Session]:
    """A session with the node."""
    with node.session() as session:
        yield session


@pytest.fixture
def own_keyspace(cql: Session) -> Iterator[str]:
    """A keyspace of the test's own, dropped afterwards."""
    name = f"k{secrets.token_hex(6)}"
    cql.execute(f"CREATE KEYSPACE {name} WITH replication = {{'class': 'SimpleStrategy', 'replication_factor': 1}}")
    yield name
    cql.execute(f"DROP KEYSPACE {name}")
