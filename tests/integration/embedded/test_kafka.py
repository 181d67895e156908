"""The embedded Kafka broker."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from confluent_kafka import Consumer, Message, Producer
from confluent_kafka.admin import AdminClient, NewTopic  # type: ignore[attr-defined]

from runtime.embedded.kafka import KafkaServer
from tests.fixtures.servers import reachable_directory


@pytest.fixture(scope="module")
def own_server() -> Iterator[KafkaServer]:
    """A broker that the tests of this module may stop and kill, at a path that a properties file could break on."""
    with reachable_directory() as directory:
        server = KafkaServer(directory / "kafka, état")
        try:
            yield server
        finally:
            server.kill()


@pytest.fixture
def server(own_server: KafkaServer) -> KafkaServer:
    """The module's broker, started."""
    own_server.start()
    return own_server


def produce(bootstrap: str, topic: str, values: list[bytes]) -> None:
    producer = Producer({"bootstrap.servers": bootstrap, "acks": "all", "log_level": 0})
    for value in values:
        producer.produce(topic, value, partition=0)
    assert producer.flush(60) == 0


def consume(bootstrap: str, topic: str, count: int) -> list[bytes | None]:
    settings = {"bootstrap.servers": bootstrap, "group.id": topic, "auto.offset.reset": "earliest", "log_level": 0}
    consumer = Consumer(settings)
    consumer.subscribe([topic])
    try:
        got: list[Message] = []
        while len(got) < count:
            got += consumer.consume(count - len(got), 30)
    finally:
        consumer.close()
    return [message.value() for message in got]


def test_a_topic_appears_with_its_first_message_and_the_message_comes_back(kafka_bootstrap: str, topic_prefix: str) -> None:
    produce(kafka_bootstrap, f"{topic_prefix}.ks.t", [b"one", b"two"])
    assert consume(kafka_bootstrap, f"{topic_prefix}.ks.t", 2) == [b"one", b"two"]


def test_a_topic_can_be_made_as_soon_as_the_broker_has_started(server: KafkaServer, topic_prefix: str) -> None:
    admin = AdminClient({"bootstrap.servers": server.bootstrap_servers, "log_level": 0})
    admin.create_topics([NewTopic(topic_prefix, 5, 1)])[topic_prefix].result(60)
    assert len(admin.list_topics(topic_prefix, 30).topics[topic_prefix].partitions) == 5


def test_a_stopped_and_a_killed_broker_come_back_with_their_messages_and_address(
    server: KafkaServer, topic_prefix: str
) -> None:
    before = server.bootstrap_servers
    produce(before, topic_prefix, [b"one"])
    server.stop()
    assert server.pid is None
    assert list((server.state_dir / "data").glob(".kafka_cleanshutdown"))
    server.start()
    produce(before, topic_prefix, [b"two"])
    server.kill()
    server.start()
    assert server.bootstrap_servers == before
    assert consume(before, topic_prefix, 2) == [b"one", b"two"]


def test_a_storage_that_was_never_finished_is_formatted_anew(server: KafkaServer, topic_prefix: str) -> None:
    server.stop()
    (server.state_dir / "data").rename(server.state_dir / "data.partial")
    server.start()
    produce(server.bootstrap_servers, topic_prefix, [b"one"])
    assert consume(server.bootstrap_servers, topic_prefix, 1) == [b"one"]
