"""Look at the cluster from outside the hot path: topics, ids, committed offsets, ends of logs. Every call may block."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import Final

from confluent_kafka import Consumer, KafkaError, KafkaException, TopicCollection, TopicPartition
from confluent_kafka.admin import AdminClient, OffsetSpec  # type: ignore[attr-defined]

from runtime.kafka.client import KafkaClient, code_of, unavailable

TIMEOUT_SECONDS: Final = 5.0
TopicPartitionKey = tuple[str, int]


@dataclass(frozen=True)
class Topic:
    """One topic; Kafka gives a recreated one a new `id`."""

    name: str
    id: str
    partitions: tuple[int, ...]


class ClusterScout:
    """Answer questions about topics and offsets. Not for use by two threads at once."""

    def __init__(self, client: KafkaClient, group_id: str) -> None:
        self._admin = AdminClient(client.config())
        # Committed offsets are asked of a consumer: the admin client's call has ended a process with a segmentation
        # fault (confluent-kafka 2.16) on a broker that had no group coordinator yet.
        self._consumer = Consumer(client.config(group_id=group_id, enable_auto_commit=False))

    def __enter__(self) -> ClusterScout:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._consumer.close()

    def topic_names(self) -> list[str]:
        """Return the names of all topics. Raises `KafkaUnavailable`."""
        try:
            return list(self._admin.list_topics(timeout=TIMEOUT_SECONDS).topics)
        except KafkaException as error:
            raise unavailable("listing the topics", error) from error

    def topics(self, names: Sequence[str]) -> list[Topic]:
        """Describe topics; those that vanished meanwhile are left out. Raises `KafkaUnavailable`."""
        if not names:
            return []
        answers = self._admin.describe_topics(TopicCollection(list(names)), request_timeout=TIMEOUT_SECONDS)
        found = []
        for name, answer in answers.items():
            try:
                description = answer.result()
            except KafkaException as error:
                if code_of(error) == KafkaError.UNKNOWN_TOPIC_OR_PART:
                    continue
                raise unavailable(f"describing the topic {name}", error) from error
            found.append(Topic(name, str(description.topic_id), tuple(sorted(part.id for part in description.partitions))))
        return found

    def committed(self, wanted: Iterable[TopicPartitionKey]) -> dict[TopicPartitionKey, int]:
        """Return the group's committed offsets, where there are any. Raises `KafkaUnavailable`."""
        ask = [TopicPartition(topic, partition) for topic, partition in wanted]
        try:
            answers = self._consumer.committed(ask, timeout=TIMEOUT_SECONDS) if ask else []
        except KafkaException as error:
            raise unavailable("reading the committed offsets", error) from error
        return {(answer.topic, answer.partition): answer.offset for answer in answers if answer.offset >= 0}

    def log_starts(self, wanted: Iterable[TopicPartitionKey]) -> dict[TopicPartitionKey, int]:
        """Return the offset of the first record that each log still has. Raises `KafkaUnavailable`."""
        return self._offsets(wanted, OffsetSpec.earliest())  # type: ignore[no-untyped-call]

    def log_ends(self, wanted: Iterable[TopicPartitionKey]) -> dict[TopicPartitionKey, int]:
        """Return the offset that each log's next record will have. Raises `KafkaUnavailable`."""
        return self._offsets(wanted, OffsetSpec.latest())  # type: ignore[no-untyped-call]

    def _offsets(self, wanted: Iterable[TopicPartitionKey], spec: OffsetSpec) -> dict[TopicPartitionKey, int]:
        ask = {TopicPartition(topic, partition): spec for topic, partition in wanted}
        if not ask:
            return {}
        found = {}
        for asked, answer in self._admin.list_offsets(ask, request_timeout=TIMEOUT_SECONDS).items():
            try:
                found[asked.topic, asked.partition] = answer.result().offset
            except KafkaException as error:
                if code_of(error) != KafkaError.UNKNOWN_TOPIC_OR_PART:
                    raise unavailable("reading the ends of the logs", error) from error
        return found
