"""Fill topics with records that exist already, as a connector would have written them."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Final

from confluent_kafka import KafkaError, KafkaException, Message, Producer
from confluent_kafka.admin import AdminClient, NewTopic  # type: ignore[attr-defined]

from cdc.errors import KafkaUnavailable
from cdc.event import Record
from runtime.kafka.client import KafkaClient, unavailable

TIMEOUT_SECONDS: Final = 30
Delivered = Callable[[str], None]


def create_topics(client: KafkaClient, names: Iterable[str], partitions: int) -> None:
    """Create topics of one copy, all at once. Raises `KafkaUnavailable`, also when one is there already."""
    wanted = [NewTopic(name, num_partitions=partitions, replication_factor=1) for name in names]
    admin = AdminClient(client.config())
    for name, answer in admin.create_topics(wanted, request_timeout=TIMEOUT_SECONDS).items() if wanted else ():
        try:
            answer.result()
        except KafkaException as error:
            raise unavailable(f"creating the topic {name}", error) from error


def load_records(client: KafkaClient, records: Iterable[Record], delivered: Delivered) -> None:
    """Write records to their topics and partitions, in the order given, and tell the topic of each that Kafka has.

    Raises `KafkaUnavailable` when one was not taken.
    """
    producer = Producer(
        client.config(acks="all", linger_ms=5, compression_type="zstd", message_timeout_ms=TIMEOUT_SECONDS * 1_000)
    )
    lost: list[str] = []

    def note(error: KafkaError | None, message: Message) -> None:
        if error is not None:
            lost.append(error.str())
        else:
            delivered(message.topic() or "")

    for record in records:
        while not _taken(producer, record, note):
            producer.poll(0.1)
        producer.poll(0)
    producer.flush()
    if lost:
        raise KafkaUnavailable(f"{len(lost)} records were not written: {lost[0]}")


def _taken(producer: Producer, record: Record, note: Callable[[KafkaError | None, Message], None]) -> bool:
    """Hand a record over; False while the queue is full."""
    try:
        producer.produce(record.topic, record.value, record.key, record.partition, on_delivery=note)
    except BufferError:
        return False
    except KafkaException as error:
        raise unavailable(f"writing to {record.topic}", error) from error
    return True
