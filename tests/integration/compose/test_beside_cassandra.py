"""Cassandra and the connector with the files that compose mounts; only paths and addresses are this machine's."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from confluent_kafka import Consumer
from ruamel.yaml import YAML

from runtime.embedded.cassandra import CassandraServer
from runtime.embedded.connector import ConnectorServer
from runtime.embedded.kafka import KafkaServer
from tests.fixtures.servers import reachable_directory
from tests.integration.flow.source_flow import eventually
from tests.unit.docs.pages import DOCS

CONFIG = DOCS.parent / "config"
VOLUME = "/var/lib/cassandra"


class ComposedCassandra(CassandraServer):
    """A node with `config/cassandra/cassandra.yaml`."""

    def _entries(self) -> dict[str, object]:
        text = (CONFIG / "cassandra/cassandra.yaml").read_text().replace(VOLUME, str(self.state_dir))
        given: dict[str, object] = YAML(typ="safe").load(text)
        (self.state_dir / "as-mounted.yaml").write_text(text)
        places = (
            "listen_address",
            "rpc_address",
            "broadcast_rpc_address",
            "native_transport_port",
            "storage_port",
            "seed_provider",
        )
        ours = super()._entries()
        return given | {name: ours.get(name) for name in places}


class ComposedConnector(ConnectorServer):
    """The connector with `config/debezium`. What it is told of the node names the service, which nobody here can resolve."""

    def _write_files(self) -> None:
        super()._write_files()
        ours = dict(re.findall(r"^([^=\n]+)=(.*)$", (self.state_dir / "connector.properties").read_text(), re.MULTILINE))
        text = (CONFIG / "debezium/connector.properties").read_text().replace(VOLUME, str(self.state_dir))
        places = {
            "cassandra.config": str(self._cassandra.state_dir / "as-mounted.yaml"),
            "cassandra.driver.config.file": str(self.state_dir / "driver.conf"),
            **{name: ours[name] for name in ("http.port", "kafka.producer.bootstrap.servers")},
        }
        for name, value in places.items():
            text, count = re.subn(rf"^{re.escape(name)}=.*$", f"{name}={value}", text, flags=re.MULTILINE)
            assert count == 1, name
        (self.state_dir / "connector.properties").write_text(text)
        driver = (CONFIG / "debezium/driver.conf").read_text()
        (self.state_dir / "driver.conf").write_text(driver.replace("cassandra:9042", self._cassandra.contact_point))


@pytest.fixture
def cassandra() -> Iterator[ComposedCassandra]:
    with reachable_directory() as directory:
        server = ComposedCassandra(directory / "cassandra", short_lived=True)
        server.start()
        try:
            yield server
        finally:
            server.kill()


@pytest.mark.long
def test_a_row_written_in_the_tables_of_a_first_look_is_an_event(
    cassandra: ComposedCassandra, embedded_kafka: KafkaServer, tmp_path: Path
) -> None:
    with cassandra.session() as session:
        for statement in (CONFIG / "cassandra/schema.cql").read_text().split(";\n"):
            if statement.strip():
                session.execute(statement)
        connector = ComposedConnector(tmp_path / "connector", cassandra, embedded_kafka, short_lived=True)
        connector.start()
        try:
            session.execute(
                "INSERT INTO shop.customers (id, name, home, balance)"
                " VALUES (e2f1c2a0-0000-4000-8000-000000000001, 'Ada', {city: 'Turin'}, 12.50)"
            )
            value = first_event(embedded_kafka.bootstrap_servers, "cassandra.shop.customers")
        finally:
            connector.kill()
    after = {name: cell and cell["value"] for name, cell in value["after"].items()}
    assert (value["op"], after["name"], after["balance"]) == ("i", "Ada", "12.50")
    assert after["home"] == {"street": None, "city": "Turin", "zip": None}


def first_event(bootstrap: str, topic: str) -> dict[str, Any]:
    settings = {"bootstrap.servers": bootstrap, "group.id": "compose", "auto.offset.reset": "earliest"}
    consumer = Consumer(settings | {"topic.metadata.refresh.interval.ms": 500})
    values: list[bytes] = []

    def has_come() -> bool:
        message = consumer.poll(1)
        if message is not None and message.error() is None:  # an error is the topic that is not there yet
            values.append(message.value() or b"")
        return bool(values)

    try:
        consumer.subscribe([f"^{re.escape(topic)}$"])
        eventually(has_come, f"an event in {topic}")
        found: dict[str, Any] = json.loads(values[0])
        return found
    finally:
        consumer.close()
