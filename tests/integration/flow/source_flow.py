"""A flow of the real Kafka source and a sink that collects, run in a thread of the test."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any

import bytewax.operators as op
from bytewax.dataflow import Dataflow
from bytewax.outputs import FixedPartitionedSink, StatefulSinkPartition
from bytewax.recovery import RecoveryConfig, init_db_dir
from bytewax.testing import cluster_main, run_main
from confluent_kafka import OFFSET_BEGINNING, Consumer, Producer, TopicPartition
from confluent_kafka.admin import AdminClient, NewTopic  # type: ignore[attr-defined]

from cdc.batch import Batch
from cdc.event import Position
from cdc.runs import RecordRun
from operators.source import KafkaSource
from operators.source_lane import FeedLimits
from operators.source_topics import TopicFilter, owned_slots
from operators.source_watch import WatchPlan
from runtime.kafka.client import KafkaClient
from runtime.progress import Progress
from runtime.status import Status

PATIENCE_SECONDS = 60.0


def eventually(condition: Callable[[], bool], what: str, seconds: float = PATIENCE_SECONDS) -> None:
    """Wait until a condition holds."""
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, f"never: {what}"
        time.sleep(0.02)


class CollectingSink(FixedPartitionedSink[Batch[RecordRun], None]):
    """Keep every batch, and say at the snapshot that it is committed."""

    def __init__(self, progress: Progress) -> None:
        self.progress = progress
        self.batches: list[Batch[RecordRun]] = []

    def list_parts(self) -> list[str]:
        return [f"{slot:02d}" for slot in range(64)]

    def part_fn(self, item_key: str) -> int:
        return int(item_key)

    def build_part(self, step_id: str, for_part: str, resume_state: None) -> CollectingPartition:
        self.progress.sink_opened(int(for_part))
        return CollectingPartition(self)


class CollectingPartition(StatefulSinkPartition[Batch[RecordRun], None]):
    def __init__(self, sink: CollectingSink) -> None:
        self._sink = sink
        self._written: list[Position] = []

    def write_batch(self, values: list[Batch[RecordRun]]) -> None:
        self._sink.batches.extend(values)
        self._written.extend(position for batch in values for position in batch.positions)

    def snapshot(self) -> None:
        self._sink.progress.committed(self._written)
        self._written = []


@dataclass
class SourceFlow:
    """One process's worth of flow. `stored` is what PostgreSQL would answer."""

    bootstrap: str
    prefix: str
    stored: Callable[[], Iterable[Position]] = list
    until_caught_up: bool = False
    shard: tuple[int, int] = (0, 1)
    recovery: Path | None = None
    workers: int = 1
    limits: FeedLimits | None = None
    status: Status = field(default_factory=Status)
    error: BaseException | None = None

    def __post_init__(self) -> None:
        self.progress = Progress()
        self.sink = CollectingSink(self.progress)
        self.stop = threading.Event()
        self.source = KafkaSource(
            KafkaClient(self.bootstrap, on_trouble=lambda reason: self.status.trouble("kafka", reason)),
            self.prefix,
            plan=WatchPlan(
                TopicFilter(self.prefix, f"{self.prefix}.cdc.dlq", lambda _keyspace, _table: True),
                self.stored,
                refresh_seconds=0.2,
                until_caught_up=self.until_caught_up,
            ),
            progress=self.progress,
            status=self.status,
            is_stopping=self.stop.is_set,
            slots=owned_slots(*self.shard),
            limits=self.limits,
        )
        self._thread = threading.Thread(target=self._run, name="flow")

    def run(self) -> SourceFlow:
        """Run to the end."""
        return self.start().join()

    def start(self) -> SourceFlow:
        self._thread.start()
        return self

    def end(self) -> SourceFlow:
        """Ask the sources to end, and wait."""
        self.stop.set()
        return self.join()

    def join(self) -> SourceFlow:
        self._thread.join(PATIENCE_SECONDS)
        assert not self._thread.is_alive(), "the flow does not end"
        if self.error is not None:
            raise self.error
        return self

    def offsets(self) -> dict[tuple[str, int], list[int]]:
        """Return the offsets that arrived, in order, by topic (without prefix) and partition."""
        found: dict[tuple[str, int], list[int]] = {}
        for batch in list(self.sink.batches):
            for record in (record for run in batch.items for record in run.records()):
                found.setdefault((record.topic.removeprefix(self.prefix + "."), record.partition), []).append(record.offset)
        return found

    def positions(self) -> list[Position]:
        """Return the newest position of each topic partition: what PostgreSQL would hold after this flow."""
        newest: dict[tuple[str, int], Position] = {}
        for batch in list(self.sink.batches):
            newest.update({(position.topic, position.partition): position for position in batch.positions})
        return list(newest.values())

    def _run(self) -> None:
        flow = Dataflow("source_flow")
        op.output("out", op.input("source", flow, self.source), self.sink)
        recovery = None
        if self.recovery is not None:
            if not any(self.recovery.iterdir()):
                init_db_dir(self.recovery, 1)  # type: ignore[no-untyped-call]
            recovery = RecoveryConfig(self.recovery, timedelta(0))  # type: ignore[no-untyped-call]
        interval = timedelta(seconds=0.1)
        try:
            if self.workers == 1:
                run_main(flow, epoch_interval=interval, recovery_config=recovery)  # type: ignore[no-untyped-call]
            else:
                cluster_main(  # type: ignore[no-untyped-call]
                    flow, [], 0, epoch_interval=interval, recovery_config=recovery, worker_count_per_proc=self.workers
                )
        except BaseException as error:  # noqa: BLE001 - the test's thread raises it
            self.error = error


class Topics:
    """Topics of one test, under its own prefix."""

    def __init__(self, bootstrap: str, prefix: str) -> None:
        self.bootstrap = bootstrap
        self.prefix = prefix
        self.created: set[str] = set()
        self._admin = AdminClient({"bootstrap.servers": bootstrap})

    def create(self, name: str, partitions: int = 1, config: dict[str, str] | None = None) -> None:
        self.create_all([name], partitions, config)

    def create_all(self, names: Iterable[str], partitions: int = 1, config: dict[str, str] | None = None) -> None:
        topics = {self.full(name): NewTopic(self.full(name), partitions, 1, config=config or {}) for name in names}
        if not topics:
            return
        for created in self._admin.create_topics(list(topics.values()), operation_timeout=20).values():
            created.result()
        eventually(lambda: topics.keys() <= self._admin.list_topics(timeout=10).topics.keys(), f"{list(topics)} are there")
        self.created.update(names)

    def delete(self, name: str) -> None:
        self._admin.delete_topics([self.full(name)], operation_timeout=20)[self.full(name)].result()
        eventually(lambda: self.full(name) not in self._admin.list_topics(timeout=10).topics, f"{name} is gone")

    def delete_records(self, name: str, before: int, partition: int = 0) -> None:
        where = TopicPartition(self.full(name), partition, before)
        self._admin.delete_records([where])[where].result()

    def write(self, name: str, values: Iterable[bytes], partition: int = 0, settings: dict[str, Any] | None = None) -> None:
        producer = Producer({"bootstrap.servers": self.bootstrap, "linger.ms": 5, **(settings or {})})
        transactional = bool(settings) and "transactional.id" in (settings or {})
        if transactional:
            producer.init_transactions(30)
            producer.begin_transaction()
        for value in values:
            producer.produce(self.full(name), value=value, partition=partition)
            producer.poll(0)
        if transactional:
            producer.commit_transaction(30)
        assert producer.flush(30) == 0

    def numbers(self, name: str, count: int, partition: int = 0) -> None:
        self.write(name, (str(number).encode() for number in range(count)), partition)

    def committed(self, name: str, partition: int = 0) -> int:
        consumer = Consumer({"bootstrap.servers": self.bootstrap, "group.id": self.prefix})
        try:
            return consumer.committed([TopicPartition(self.full(name), partition)], timeout=20)[0].offset
        finally:
            consumer.close()

    def delete_group(self, group_id: str) -> None:
        """Forget a consumer group's offsets."""
        self._admin.delete_consumer_groups([group_id])[group_id].result()

    def read(self, name: str) -> list[bytes]:
        """Return the values that a topic holds; `name` is without the prefix."""
        settings = {"bootstrap.servers": self.bootstrap, "group.id": "reader", "enable.partition.eof": True}
        consumer = Consumer(settings)
        try:
            partitions = consumer.list_topics(self.full(name), timeout=10).topics[self.full(name)].partitions
            consumer.assign([TopicPartition(self.full(name), number, OFFSET_BEGINNING) for number in partitions])
            found: list[bytes] = []
            ends = 0
            while ends < len(partitions):
                message = consumer.poll(10)
                assert message is not None
                ends += message.error() is not None
                if message.error() is None:
                    found.append(message.value() or b"")
            return found
        finally:
            consumer.close()

    def full(self, name: str) -> str:
        return f"{self.prefix}.{name}"
