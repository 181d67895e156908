"""What the tests of the whole flow share: events that are written once, and a PostgreSQL that may be stopped."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from runtime.embedded.postgres import PostgresServer
from tests.fixtures.servers import AnyKafka, reachable_directory
from tests.integration.flow.mirrored import Mirrored
from tests.integration.flow.recorded_topics import write_records
from tests.integration.flow.source_flow import Topics
from tests.integration.flow.stories import CROWD, story_of


@pytest.fixture(scope="session")
def crowd_topics(kafka_server: AnyKafka) -> Topics:
    """The generated events in topics that every test may read, with a group of its own, and none may write to."""
    topics = Topics(kafka_server.bootstrap_servers, f"t{secrets.token_hex(6)}")
    write_records(topics, story_of(CROWD).records)
    return topics


@pytest.fixture
def crowd(crowd_topics: Topics, postgres_dsn: str, tmp_path: Path) -> Mirrored:
    """The generated events, on their way into a fresh database in polls small enough to be interrupted between them."""
    more = {"CDC_KAFKA__POLL_MAX_RECORDS": "500", "CDC_POSTGRES__MAX_BATCH_ROWS": "500"}
    return Mirrored(CROWD, crowd_topics, postgres_dsn, tmp_path, more, group=f"g{secrets.token_hex(6)}")


@pytest.fixture
def shop(kafka_bootstrap: str, topic_prefix: str, postgres_dsn: str, tmp_path: Path) -> Mirrored:
    """The longest recording, which the test writes to topics of its own."""
    return Mirrored("workload_shop", Topics(kafka_bootstrap, topic_prefix), postgres_dsn, tmp_path)


@pytest.fixture(scope="session")
def own_postgres_server() -> Iterator[PostgresServer]:
    with reachable_directory() as directory:
        server = PostgresServer(directory / "postgres", durable=False)
        server.start()
        try:
            yield server
        finally:
            server.stop("immediate")


@pytest.fixture
def own_postgres(own_postgres_server: PostgresServer) -> Iterator[PostgresServer]:
    """A PostgreSQL that the test may stop, and replace the data of; running at the start."""
    if not own_postgres_server.running():
        own_postgres_server.start()
    yield own_postgres_server
    if not own_postgres_server.running():
        own_postgres_server.start()


@pytest.fixture
def own_database(own_postgres: PostgresServer) -> Callable[[], str]:
    """Make an empty database in it, and return its DSN."""
    name = f"t{secrets.token_hex(6)}"

    def make() -> str:
        return own_postgres.create_database(name, template="template0")

    return make
