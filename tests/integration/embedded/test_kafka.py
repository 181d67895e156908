"""The embedded Kafka broker."""

from __future__ import annotations

from confluent_kafka import Consumer, Message, Producer


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
