"""Kafka's side of the benchmark: topics filled beforehand, and a consumer that polls and discards."""

from __future__ import annotations

import re
import subprocess
import sys
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager

from confluent_kafka import Consumer, Producer, TopicPartition
from confluent_kafka.admin import AdminClient
from confluent_kafka.cimpl import NewTopic

from bench.workloads import Workload, events

PRODUCER = {"compression.type": "lz4", "batch.size": 262_144}  # as the connector writes under load
PARTITIONS = 24  # enough for two processes to share them about evenly: a hash gives each its own


def prefix_of(workload: Workload) -> str:
    """Return the topic prefix of a workload: each has its own, so that every round finds it filled."""
    return re.sub(r"\W+", "-", workload.name)


def topic_of(workload: Workload) -> str:
    """Return the topic of the workload's table."""
    return f"{prefix_of(workload)}.bench.{workload.table}"


def create_topics(bootstrap: str, names: Iterable[str]) -> None:
    """Create topics, all with the same number of partitions."""
    admin = AdminClient({"bootstrap.servers": bootstrap})
    for future in admin.create_topics([NewTopic(name, PARTITIONS, 1) for name in names]).values():
        future.result()


def fill(bootstrap: str, workload: Workload, compression: str | None = None) -> tuple[int, int]:
    """Produce every event; return the number of records and their mean size in bytes."""
    return produce(bootstrap, topic_of(workload), events(workload), compression)


def produce(
    bootstrap: str, topic: str, records: Iterable[tuple[bytes, bytes | None]], compression: str | None = None
) -> tuple[int, int]:
    """Produce records of key and value; return their number and their mean size in bytes."""
    settings = PRODUCER if compression is None else {**PRODUCER, "compression.type": compression}
    producer = Producer(
        {**settings, "bootstrap.servers": bootstrap, "linger.ms": 50, "queue.buffering.max.messages": 1_000_000}
    )
    count = size = 0
    for key, value in records:
        producer.produce(topic, value, key)
        count, size = count + 1, size + len(value or b"")
        if count % 10_000 == 0:
            producer.poll(0)
            while len(producer) > 200_000:
                producer.poll(0.1)
    producer.flush()
    return count, size // count


@contextmanager
def discarding_consumer(bootstrap: str, topic: str) -> Iterator[None]:
    """Keep a process polling the topic from its beginning, again and again, and throwing all of it away."""
    process = subprocess.Popen([sys.executable, "-m", "bench.broker", bootstrap, topic])
    try:
        yield
    finally:
        process.kill()
        process.wait()


def _discard(bootstrap: str, topic: str) -> None:
    consumer = Consumer({"bootstrap.servers": bootstrap, "group.id": "bench-discard", "enable.auto.commit": False})
    while True:
        consumer.assign([TopicPartition(topic, n, 0) for n in range(PARTITIONS)])
        idle_since = time.monotonic()
        while time.monotonic() - idle_since < 1:
            if consumer.consume(5_000, 0.2):
                idle_since = time.monotonic()


if __name__ == "__main__":
    _discard(sys.argv[1], sys.argv[2])
