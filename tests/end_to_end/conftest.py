"""One flow for all of these tests, beside the shared Cassandra, connector and Kafka."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from runtime.embedded.postgres import PostgresServer
from tests.end_to_end.live_mirror import GROUP, LETTERS, PATTERN, LiveMirror
from tests.fixtures.live import LiveStack
from tests.fixtures.servers import reachable_directory
from tests.integration.flow.flow_process import flow_process


@pytest.fixture(scope="session")
def mirror(live_stack: LiveStack) -> Iterator[LiveMirror]:
    """The stack with a flow into a PostgreSQL of its own; whoever kills a part starts it again."""
    with reachable_directory() as directory:
        postgres = PostgresServer(directory / "postgres", durable=False)
        postgres.start()
        try:
            dsn = postgres.create_database("mirror", template="template0")
            with flow_process(_settings(live_stack, dsn), directory / "flow") as flow:
                yield LiveMirror(live_stack, flow, dsn)
        finally:
            postgres.stop("immediate")


def _settings(live: LiveStack, dsn: str) -> dict[str, str]:
    return {
        "CDC_KAFKA__BOOTSTRAP_SERVERS": live.kafka.bootstrap_servers,
        "CDC_KAFKA__TOPIC_PREFIX": live.topic_prefix,
        "CDC_KAFKA__GROUP_ID": GROUP,
        "CDC_KAFKA__DEAD_LETTER_TOPIC": f"{GROUP}.{LETTERS}",
        "CDC_KAFKA__TOPIC_REFRESH_SECONDS": "0.5",
        "CDC_POSTGRES__DSN": dsn,
        "CDC_CASSANDRA__CONTACT_POINTS": live.cassandra.contact_point,
        "CDC_CASSANDRA__TIMEOUT_SECONDS": "30",
        "CDC_SCHEMA__REFRESH_SECONDS": "1",
        "CDC_TABLES": PATTERN,
    }
