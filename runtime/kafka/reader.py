"""Read given partitions, without a consumer group's rebalancing."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import groupby
from operator import methodcaller
from typing import Final

from confluent_kafka import OFFSET_BEGINNING, Consumer, KafkaError, KafkaException, Message, TopicPartition

from runtime.kafka.client import KafkaClient
from runtime.kafka.scout import TopicPartitionKey

_topic, _partition, _value = methodcaller("topic"), methodcaller("partition"), methodcaller("value")
BEGINNING: Final = OFFSET_BEGINNING
LAST_COMMIT_SECONDS: Final = 5.0

# These end the reading of one partition until it is assigned again.
_NO_SUCH_OFFSET = frozenset({KafkaError._AUTO_OFFSET_RESET, KafkaError.OFFSET_OUT_OF_RANGE})
_NO_SUCH_PARTITION = frozenset({KafkaError.UNKNOWN_TOPIC_OR_PART, KafkaError._UNKNOWN_PARTITION, KafkaError._UNKNOWN_TOPIC})


@dataclass
class Polled:
    """What one poll brought: records, and the partitions that need somebody to look after them."""

    messages: list[Message]
    offset_lost: list[TopicPartitionKey]
    vanished: list[TopicPartitionKey]
    troubles: list[str]


class PartitionReader:
    """Poll, pause and commit a set of partitions that only we change. Calls must not overlap; none but `close` blocks."""

    def __init__(self, client: KafkaClient, group_id: str) -> None:
        self._consumer = Consumer(
            client.config(
                group_id=group_id,
                enable_auto_commit=False,
                enable_auto_offset_store=False,
                auto_offset_reset="error",  # a lost offset must be seen: `earliest` and `latest` jump silently
                allow_auto_create_topics=False,
                queued_max_messages_kbytes=16_384,  # bounds what is fetched ahead
                fetch_queue_backoff_ms=20,  # librdkafka's 1 s would leave a fast reader without records
                fetch_max_bytes=4_194_304,  # compressed: events take seven times that when opened, all that came at once
                max_partition_fetch_bytes=1_048_576,
            )
        )

    def assign(self, starts: Mapping[TopicPartitionKey, int]) -> None:
        """Read these partitions too, each from its offset or from `BEGINNING`."""
        self._consumer.incremental_assign([TopicPartition(topic, part, offset) for (topic, part), offset in starts.items()])

    def unassign(self, keys: Iterable[TopicPartitionKey]) -> None:
        """Stop reading these partitions; they must be assigned."""
        self._consumer.incremental_unassign(_partitions(keys))

    def pause(self, keys: Iterable[TopicPartitionKey]) -> None:
        """Fetch nothing more of these partitions; what is fetched already is fetched again later."""
        self._consumer.pause(_partitions(keys))

    def resume(self, keys: Iterable[TopicPartitionKey]) -> None:
        """Go on with paused partitions behind the last record that was polled."""
        self._consumer.resume(_partitions(keys))

    def poll(self, max_records: int) -> Polled:
        """Return at once with what is there, at most `max_records`."""
        messages = self._consumer.consume(max_records, 0)
        if not any(map(Message.error, messages)):
            return Polled(messages, [], [], [])
        polled = Polled([], [], [], [])
        for message in messages:
            error = message.error()
            if error is None:
                polled.messages.append(message)
            else:
                _sort_error(polled, message, error)
        return polled

    def positions(self, keys: Iterable[TopicPartitionKey]) -> dict[TopicPartitionKey, int]:
        """Return the offsets behind what was polled, control records counted; without a poll yet, none."""
        answers = self._consumer.position(_partitions(keys))
        return {(answer.topic, answer.partition): answer.offset for answer in answers if answer.offset >= 0}

    def commit(self, offsets: Mapping[TopicPartitionKey, int]) -> None:
        """Tell the group's coordinator, without waiting: lag tools read it, no start depends on it alone."""
        if offsets:
            self._consumer.commit(offsets=_offsets(offsets), asynchronous=True)

    def close(self, last_offsets: Mapping[TopicPartitionKey, int]) -> None:
        """Commit what is left, giving Kafka a few seconds, and leave."""
        try:
            if last_offsets:
                self._consumer.commit(offsets=_offsets(last_offsets), asynchronous=False)
        except KafkaException:
            pass  # an offset too low only means reading again
        finally:
            self._consumer.close()


def runs(messages: list[Message]) -> Iterator[tuple[TopicPartitionKey, list[Message]]]:
    """Yield the records of one topic partition that stand side by side, with that partition."""
    first = 0
    for origin, same in groupby(zip(map(_topic, messages), map(_partition, messages), strict=True)):
        behind = first + len(list(same))
        yield origin, messages[first:behind]
        first = behind


def values(messages: Iterable[Message]) -> list[bytes | None]:
    """Return what the records hold."""
    return list(map(_value, messages))


def _sort_error(polled: Polled, message: Message, error: KafkaError) -> None:
    topic, partition = message.topic(), message.partition()
    code = error.code()
    if topic is not None and partition is not None and code in _NO_SUCH_OFFSET:
        polled.offset_lost.append((topic, partition))
    elif topic is not None and partition is not None and code in _NO_SUCH_PARTITION:
        polled.vanished.append((topic, partition))
    else:
        polled.troubles.append(error.str())


def _partitions(keys: Iterable[TopicPartitionKey]) -> list[TopicPartition]:
    return [TopicPartition(topic, partition) for topic, partition in keys]


def _offsets(offsets: Mapping[TopicPartitionKey, int]) -> list[TopicPartition]:
    return [TopicPartition(topic, partition, offset) for (topic, partition), offset in offsets.items()]
