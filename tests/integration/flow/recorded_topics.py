"""Recordings as Kafka topics of one test: what the connector wrote, under the test's own prefix."""

from __future__ import annotations

from collections.abc import Iterable

from confluent_kafka import Producer

from cdc.event import Record
from tests.integration.flow.source_flow import Topics


def write_records(topics: Topics, records: Iterable[Record], partitions: int = 3) -> int:
    """Write records to their topics, each to its recorded partition, in the order given; return how many."""
    sent = list(records)
    topics.create_all(sorted({_name(record) for record in sent} - topics.created), partitions)
    producer = Producer({"bootstrap.servers": topics.bootstrap, "linger.ms": 5})
    for record in sent:
        producer.produce(topics.full(_name(record)), record.value, record.key, record.partition % partitions)
        producer.poll(0)
    assert producer.flush(60) == 0
    return len(sent)


def _name(record: Record) -> str:
    """Return the topic without the recorded prefix."""
    return record.topic.partition(".")[2]
