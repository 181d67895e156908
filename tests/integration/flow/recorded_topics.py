"""Recordings as Kafka topics of one test: what the connector wrote, under the test's own prefix."""

from __future__ import annotations

from collections.abc import Iterable

from confluent_kafka import Producer

from cdc.event import Record
from tests.integration.flow.source_flow import Topics


def write_records(topics: Topics, records: Iterable[Record], partitions: int = 3) -> int:
    """Write records to their topics, each to its recorded partition, in the order given; return how many."""
    producer = Producer({"bootstrap.servers": topics.bootstrap, "linger.ms": 5})
    count = 0
    for record in records:
        name = record.topic.partition(".")[2]
        if name not in topics.created:
            topics.create(name, partitions)
        producer.produce(topics.full(name), record.value, record.key, record.partition % partitions)
        producer.poll(0)
        count += 1
    assert producer.flush(60) == 0
    return count
