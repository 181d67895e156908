"""Read given partitions, without a consumer group's rebalancing."""

from __future__ import annotations

import ctypes
from array import array
from collections.abc import Iterable, Mapping, Sequence
from ctypes import POINTER, c_char_p, c_int32, c_int64, c_size_t, c_void_p
from dataclasses import dataclass, field
from typing import Any, Final

from confluent_kafka import OFFSET_BEGINNING, KafkaError, KafkaException

from cdc.event import UNKNOWN
from cdc.fingerprint import SIZE, Fingerprints
from cdc.native import bytes_to_fill, library
from cdc.runs import PLACE, RecordRun
from runtime.kafka.client import KafkaClient
from runtime.kafka.librdkafka import MESSAGE_DESTROY, MESSAGE_TIMESTAMP, RawConsumer, error_text, topic_name
from runtime.kafka.scout import TopicPartitionKey

BEGINNING: Final = OFFSET_BEGINNING
_POINTER_BYTES: Final = ctypes.sizeof(c_void_p)

# These end the reading of one partition until it is assigned again. That a partition is gone, librdkafka says as a trouble.
_NO_SUCH_OFFSET = frozenset({KafkaError._AUTO_OFFSET_RESET, KafkaError.OFFSET_OUT_OF_RANGE})


class _Run(ctypes.Structure):
    """`run` of messages.c."""

    _fields_ = (
        ("topic", c_void_p),
        ("next_offset", c_int64),
        ("bytes", c_int64),
        ("partition", c_int32),
        ("error", c_int32),
        ("first", c_int32),
        ("count", c_int32),
    )


_library = library("runtime.kafka.messages")
_runs, _size, _copy, _destroy = (getattr(_library, f"cassmirror_{name}") for name in ("runs", "size", "copy", "destroy"))
_runs.argtypes = (c_void_p, c_int32, POINTER(_Run), c_void_p, c_void_p)
_size.restype, _size.argtypes = c_int64, (c_void_p, c_void_p, c_int32)
_copy.restype, _copy.argtypes = None, (c_void_p, c_void_p, c_int32, c_void_p, c_char_p, c_void_p)
_destroy.restype, _destroy.argtypes = None, (c_void_p, c_int32, c_void_p)


@dataclass(frozen=True)
class Run:
    """Records of one topic partition that were polled side by side; to be looked at before the next poll.

    `size` counts the bytes of all keys and values.
    """

    origin: TopicPartitionKey
    count: int
    next_offset: int
    size: int
    _hash: Fingerprints
    _messages: int
    _values: int
    _sizes: int

    def fingerprints(self) -> bytes:
        """Return the fingerprints of all records, one behind the other."""
        return self._hash.at(self._values, self._sizes, self.count)

    def copy(self, fingerprints: bytes | None = None, chosen: Sequence[int] | None = None) -> RecordRun:
        """Return the records at these places (None: all), which may be kept; `fingerprints` are those of all."""
        fingerprints = UNKNOWN * self.count if fingerprints is None else fingerprints
        chosen = range(self.count) if chosen is None else chosen
        count = len(chosen)
        numbers, places = (c_int32 * count)(*chosen), array("q", bytes(PLACE * ctypes.sizeof(c_int64) * count))
        octets = bytes_to_fill(_size(self._messages, numbers, count))
        _copy(self._messages, numbers, count, MESSAGE_TIMESTAMP, octets, places.buffer_info()[0])
        if count < self.count:
            fingerprints = b"".join([fingerprints[SIZE * at : SIZE * (at + 1)] for at in chosen])
        return RecordRun(*self.origin, octets, places, fingerprints)


@dataclass
class Polled:
    """What one poll brought: records, the partitions that Kafka serves no longer at our offset, and what else is wrong."""

    runs: list[Run] = field(default_factory=list)
    offset_lost: list[TopicPartitionKey] = field(default_factory=list)
    troubles: list[str] = field(default_factory=list)


class PartitionReader:
    """Poll, pause and commit a set of partitions that only we change. Calls must not overlap; none but `close` blocks."""

    def __init__(self, client: KafkaClient, group_id: str) -> None:
        config = client.config(
            group_id=group_id,
            enable_auto_commit=False,
            enable_auto_offset_store=False,
            auto_offset_reset="error",  # a lost offset must be seen: `earliest` and `latest` jump silently
            allow_auto_create_topics=False,
            queued_max_messages_kbytes=8_192,  # bounds what is fetched ahead
            fetch_queue_backoff_ms=20,  # librdkafka's 1 s would leave a fast reader without records
            fetch_max_bytes=2_097_152,  # compressed: events take seven times that when opened, all that came at once
            max_partition_fetch_bytes=524_288,
        )
        del config["error_cb"]
        self._consumer = RawConsumer(config, client.on_trouble or (lambda _reason: None))
        self._fingerprints: dict[str, Fingerprints] = {}
        self._count = self._room = 0
        self._make_room(1)

    def assign(self, starts: Mapping[TopicPartitionKey, int]) -> None:
        """Read these partitions too, each from its offset or from `BEGINNING`."""
        self._consumer.assign(starts)

    def unassign(self, keys: Iterable[TopicPartitionKey]) -> None:
        """Stop reading these partitions; they must be assigned."""
        self._consumer.unassign(keys)

    def pause(self, keys: Iterable[TopicPartitionKey]) -> None:
        """Fetch nothing more of these partitions; what is fetched already is fetched again later."""
        self._consumer.pause(keys)

    def resume(self, keys: Iterable[TopicPartitionKey]) -> None:
        """Go on with paused partitions behind the last record that was polled."""
        self._consumer.resume(keys)

    def poll(self, max_records: int) -> Polled:
        """Return at once with what is there, at most `max_records`; what the last poll brought is let go of."""
        self._let_go()
        self._make_room(max_records)
        self._count = self._consumer.poll(self._messages, max_records)
        polled = Polled()
        if self._count:
            found = _runs(self._messages, self._count, self._runs, self._values, self._sizes)
            for run in self._runs[:found]:
                self._sort(polled, run)
        return polled

    def positions(self, keys: Iterable[TopicPartitionKey]) -> dict[TopicPartitionKey, int]:
        """Return the offsets behind what was polled, control records counted; without a poll yet, none."""
        return {key: offset for key, offset in self._consumer.positions(keys).items() if offset >= 0}

    def commit(self, offsets: Mapping[TopicPartitionKey, int]) -> None:
        """Tell the group's coordinator, without waiting: lag tools read it, no start depends on it alone."""
        if offsets:
            self._consumer.commit(offsets, wait=False)

    def close(self, last_offsets: Mapping[TopicPartitionKey, int]) -> None:
        """Commit what is left, giving Kafka a few seconds, and leave."""
        self._let_go()
        try:
            if last_offsets:
                self._consumer.commit(last_offsets, wait=True)
        except KafkaException:
            pass  # an offset too low only means reading again
        finally:
            self._consumer.close()

    def _make_room(self, records: int) -> None:
        if records > self._room:
            self._room = records
            self._messages, self._values = (c_void_p * records)(), (c_void_p * records)()
            self._sizes, self._runs = (c_size_t * records)(), (_Run * records)()

    def _let_go(self) -> None:
        count, self._count = self._count, 0
        _destroy(self._messages, count, MESSAGE_DESTROY)

    def _sort(self, polled: Polled, run: Any) -> None:
        origin = None if run.topic is None else (topic_name(run.topic), run.partition)
        if origin is not None and not run.error:
            polled.runs.append(self._run(origin, run))
        elif origin is not None and run.error in _NO_SUCH_OFFSET:
            polled.offset_lost.append(origin)
        else:
            reason = ctypes.string_at(self._values[run.first] or 0, self._sizes[run.first]) if self._values[run.first] else b""
            polled.troubles.append(reason.decode(errors="replace") or error_text(run.error))

    def _run(self, origin: TopicPartitionKey, run: Any) -> Run:
        topic, first = origin[0], run.first * _POINTER_BYTES
        fingerprints = self._fingerprints.get(topic) or self._fingerprints.setdefault(topic, Fingerprints(topic))
        addresses = [ctypes.addressof(array) + first for array in (self._messages, self._values, self._sizes)]
        return Run(origin, run.count, run.next_offset, run.bytes, fingerprints, *addresses)
