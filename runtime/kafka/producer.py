"""Write records whose delivery must be confirmed."""

from __future__ import annotations

import threading
from dataclasses import dataclass
from typing import Final

from confluent_kafka import KafkaError, KafkaException, Producer
from confluent_kafka.admin import AdminClient, NewTopic  # type: ignore[attr-defined]

from runtime.kafka.client import KafkaClient, code_of, unavailable

LARGEST_RECORD: Final = 16_777_216
DELIVERY_SECONDS: Final = 30
_TOO_LARGE = frozenset({KafkaError.MSG_SIZE_TOO_LARGE, KafkaError.RECORD_LIST_TOO_LARGE, KafkaError.INVALID_RECORD})


@dataclass(frozen=True)
class Outgoing:
    """One record to write; `ticket` tells the caller which."""

    ticket: int
    key: bytes
    value: bytes


@dataclass(frozen=True)
class Undelivered:
    """A record that Kafka has not taken, and whether it never will because of its size."""

    outgoing: Outgoing
    reason: str
    too_large: bool


class ConfirmingProducer:
    """Write records to one topic and learn of each whether Kafka has it. A record may be written twice, never lost unseen."""

    def __init__(self, client: KafkaClient, topic: str) -> None:
        self._topic = topic
        self._lock = threading.Lock()
        self._undelivered: list[Undelivered] = []
        self._producer = Producer(
            client.config(
                acks="all",
                compression_type="zstd",
                linger_ms=5,
                batch_size=65_536,  # a batch over the topic's limit would be refused whole
                message_max_bytes=LARGEST_RECORD,
                message_timeout_ms=DELIVERY_SECONDS * 1_000,
                queue_buffering_max_kbytes=65_536,
            )
        )

    def send(self, outgoing: Outgoing) -> None:
        """Hand a record over; waits while librdkafka's queue is full."""
        while True:
            try:
                self._producer.produce(
                    self._topic,
                    key=outgoing.key,
                    value=outgoing.value,
                    on_delivery=lambda error, _message: self._delivered(outgoing, error),
                )
            except BufferError:
                self._producer.poll(0.1)
            except KafkaException as error:
                self._refused(outgoing, error)
                return
            else:
                return

    def settle(self) -> list[Undelivered]:
        """Wait until the fate of every record is known; return those that Kafka has not."""
        while self._producer.flush(1.0):
            pass
        with self._lock:
            undelivered, self._undelivered = self._undelivered, []
        return undelivered

    def _delivered(self, outgoing: Outgoing, error: KafkaError | None) -> None:
        if error is not None:
            self._note(outgoing, error.str(), too_large=error.code() in _TOO_LARGE)

    def _refused(self, outgoing: Outgoing, error: KafkaException) -> None:
        self._note(outgoing, str(unavailable("writing", error)), too_large=code_of(error) in _TOO_LARGE)

    def _note(self, outgoing: Outgoing, reason: str, *, too_large: bool) -> None:
        with self._lock:
            self._undelivered.append(Undelivered(outgoing, reason, too_large))


def create_topic(client: KafkaClient, topic: str, config: dict[str, str]) -> bool:
    """Create a topic with the broker's default of partitions and copies; False when it is there already.

    Raises `KafkaUnavailable`.
    """
    admin = AdminClient(client.config())
    try:
        admin.create_topics([NewTopic(topic, config=config)], request_timeout=10)[topic].result()
    except KafkaException as error:
        if code_of(error) == KafkaError.TOPIC_ALREADY_EXISTS:
            return False
        raise unavailable(f"creating the topic {topic}", error) from error
    return True
