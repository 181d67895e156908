"""Keep what cannot be applied: every dead letter is confirmed by Kafka, or stored in PostgreSQL, before its offset moves on."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from typing import Any, Final, Protocol

from bytewax.outputs import FixedPartitionedSink, StatefulSinkPartition

from cdc.batch import Batch
from cdc.errors import InfrastructureError, KafkaUnavailable
from cdc.event import Record, Rejected
from runtime.kafka.client import KafkaClient
from runtime.kafka.producer import LARGEST_RECORD, ConfirmingProducer, Outgoing, Undelivered, create_topic
from runtime.logs import get_logger
from runtime.metrics import Metrics, process_metrics
from runtime.status import Status
from sinks.dead_letter_format import DeadLetter, compressed, dead_letter, encode, without_bytes

PARTS: Final = [f"{slot:02d}" for slot in range(64)]
RETRY_SECONDS: Final = (0.1, 0.5, 2.0, 5.0)
TOPIC_CONFIG: Final = {
    "retention.ms": "-1",  # a letter that Kafka deletes by itself is a lost event
    "cleanup.policy": "delete",
}

StoreLetter = Callable[[Record, bytes], None]
"""Stores a letter too big for Kafka in `cdc.dead_letters`: its record and its JSON without bytes. Idempotent, may block."""

log = get_logger("dead_letter")


class LetterProducer(Protocol):
    """What the writer needs of a Kafka producer."""

    def send(self, outgoing: Outgoing) -> None:
        """Hand a record over; may block."""

    def settle(self) -> list[Undelivered]:
        """Wait for every record's fate; return those that were not delivered."""


class DeadLetterWriter:
    """Write dead letters from any stage and thread. `flush` returns when all of them are safe, however long Kafka is away.

    A letter too big for the topic is compressed; still too big, it goes to PostgreSQL. A letter may be written twice.
    """

    def __init__(
        self,
        client: KafkaClient,
        topic: str,
        store_letter: StoreLetter,
        status: Status,
        *,
        max_bytes: int = LARGEST_RECORD,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
        open_producer: Callable[[KafkaClient, str], LetterProducer] = ConfirmingProducer,
        wait: Callable[[float], None] = time.sleep,
        metrics: Metrics | None = None,
    ) -> None:
        self._client = client
        self._topic = topic
        self._store_letter = store_letter
        self._status = status
        self._topic_config = TOPIC_CONFIG | {"max.message.bytes": str(max_bytes)}
        self._now = now
        self._open_producer = open_producer
        self._wait = wait
        self._metrics = metrics or process_metrics()
        self._lock = threading.RLock()
        self._producer: LetterProducer | None = None
        self._pending: dict[int, tuple[Rejected, DeadLetter]] = {}
        self._tickets = 0

    def write(self, rejected: Iterable[Rejected]) -> None:
        """Send letters on their way. Waits for Kafka only for the topic to exist and while too much is on its way."""
        with self._lock:
            for one in rejected:
                self._tickets += 1
                letter = dead_letter(one, self._now())
                self._pending[self._tickets] = (one, letter)
                self._send(self._tickets, letter)
                self._tell(one)

    def confirm(self, rejected: Iterable[Rejected]) -> None:
        """Write letters and return when they are safe: for a sink, whose offsets wait for it."""
        self.write(rejected)
        self.flush()

    def flush(self) -> None:
        """Return when every letter written so far is confirmed."""
        with self._lock:
            attempt = 0
            while self._pending:
                undelivered = self._open().settle()
                tickets = {failed.outgoing.ticket for failed in undelivered}
                self._pending = {ticket: kept for ticket, kept in self._pending.items() if ticket in tickets}
                for failed in undelivered:
                    self._again(failed)
                if any(not failed.too_large for failed in undelivered):
                    self._pause(attempt, undelivered)
                    attempt += 1
            if self._producer is not None:
                self._status.working("dead letters")

    def _tell(self, rejected: Rejected) -> None:
        record = rejected.record
        table = rejected.table or record.topic
        self._metrics.error.labels(table, rejected.error_type).inc()
        self._metrics.dlq_size.labels(table).inc()
        log.warning(
            "record rejected",
            rejected_by=rejected.stage,
            error_type=rejected.error_type,
            topic=record.topic,
            partition=record.partition,
            offset=record.offset,
        )

    def _again(self, failed: Undelivered) -> None:
        """Send an undelivered letter again, alone: among others it might be their size that was refused."""
        ticket = failed.outgoing.ticket
        rejected, letter = self._pending[ticket]
        if failed.too_large:
            smaller = self._smaller(rejected, letter)
            if smaller is None:
                del self._pending[ticket]
                return
            self._pending[ticket] = (rejected, letter := smaller)
        self._send(ticket, letter)

    def _smaller(self, rejected: Rejected, letter: DeadLetter) -> DeadLetter | None:
        if letter.compression != "zlib":
            return compressed(letter, rejected)
        self._store(rejected.record, encode(without_bytes(dead_letter(rejected, self._now()))))
        return None

    def _store(self, record: Record, letter: bytes) -> None:
        attempt = 0
        while True:
            try:
                self._store_letter(record, letter)
            except InfrastructureError as error:
                self._trouble(error)
                self._wait_before(attempt)
                attempt += 1
            else:
                return

    def _send(self, ticket: int, letter: DeadLetter) -> None:
        key = f"{letter.source_topic}/{letter.source_partition}/{letter.source_offset}".encode()
        self._open().send(Outgoing(ticket, key, encode(letter)))

    def _open(self) -> LetterProducer:
        if self._producer is None:
            self._create_topic()
            self._producer = self._open_producer(self._client, self._topic)
        return self._producer

    def _create_topic(self) -> None:
        attempt = 0
        while True:
            try:
                create_topic(self._client, self._topic, self._topic_config)
            except KafkaUnavailable as error:
                self._trouble(error)
                self._wait_before(attempt)
                attempt += 1
            else:
                return

    def _pause(self, attempt: int, undelivered: list[Undelivered]) -> None:
        self._trouble(KafkaUnavailable(f"{len(undelivered)} dead letters not confirmed: {undelivered[0].reason}"))
        self._wait_before(attempt)

    def _wait_before(self, attempt: int) -> None:
        self._wait(RETRY_SECONDS[min(attempt, len(RETRY_SECONDS) - 1)])

    def _trouble(self, error: InfrastructureError) -> None:
        self._metrics.retries.labels("kafka" if isinstance(error, KafkaUnavailable) else "postgres").inc()
        self._status.trouble("dead letters", str(error))


class DeadLetterSink(FixedPartitionedSink[Batch[Any], None]):
    """Write the rejected records of every batch; keyed by slot as every sink is."""

    def __init__(self, writer: DeadLetterWriter) -> None:
        self._writer = writer

    def list_parts(self) -> list[str]:
        """Return all slots."""
        return PARTS

    def part_fn(self, item_key: str) -> int:
        """Return the slot itself: the list of parts is sorted."""
        return int(item_key)

    def build_part(self, step_id: str, for_part: str, resume_state: None) -> DeadLetterPartition:  # noqa: ARG002 - Bytewax's signature
        """Return one slot's partition."""
        return DeadLetterPartition(self._writer)


class DeadLetterPartition(StatefulSinkPartition[Batch[Any], None]):
    """One slot: nothing is kept here, `snapshot` waits until everything is confirmed."""

    def __init__(self, writer: DeadLetterWriter) -> None:
        self._writer = writer

    def write_batch(self, values: list[Batch[Any]]) -> None:
        """Send the letters on their way."""
        for batch in values:
            if batch.rejected:
                self._writer.write(batch.rejected)

    def snapshot(self) -> None:
        """Wait for Kafka."""
        self._writer.flush()
