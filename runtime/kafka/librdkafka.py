"""The part of librdkafka's public C interface that the reader needs, from the library that `confluent_kafka` brings.

That package makes an object of every record, whose key and value are copies; most records are copies of events that were read
before, and nobody looks at them. So the reader polls into addresses. The interface is stable: librdkafka adds to it and takes
nothing away.
"""

from __future__ import annotations

import ctypes
from collections.abc import Callable, Iterable, Mapping
from ctypes import POINTER, c_char_p, c_int, c_int32, c_int64, c_size_t, c_ssize_t, c_void_p
from typing import Any, Final

from confluent_kafka import KafkaError, KafkaException, cimpl

_CONSUMER: Final = 1
_REASON_BYTES: Final = 512
OnError = ctypes.CFUNCTYPE(None, c_void_p, c_int, c_char_p, c_void_p)


class _Partition(ctypes.Structure):
    """`rd_kafka_topic_partition_t`."""

    _fields_ = (
        ("topic", c_char_p),
        ("partition", c_int32),
        ("offset", c_int64),
        ("metadata", c_void_p),
        ("metadata_size", c_size_t),
        ("opaque", c_void_p),
        ("error", c_int),
        ("hidden", c_void_p),
    )


class _Partitions(ctypes.Structure):
    """`rd_kafka_topic_partition_list_t`."""

    _fields_ = (("count", c_int), ("size", c_int), ("elements", POINTER(_Partition)))


_library = ctypes.CDLL(cimpl.__file__)  # what it was linked with is found through it
_SIGNATURES: Final[dict[str, tuple[Any, tuple[Any, ...]]]] = {
    "conf_new": (c_void_p, ()),
    "conf_set": (c_int, (c_void_p, c_char_p, c_char_p, c_char_p, c_size_t)),
    "conf_set_error_cb": (None, (c_void_p, OnError)),
    "conf_destroy": (None, (c_void_p,)),
    "new": (c_void_p, (c_int, c_void_p, c_char_p, c_size_t)),
    "destroy": (None, (c_void_p,)),
    "poll_set_consumer": (c_int, (c_void_p,)),
    "queue_get_consumer": (c_void_p, (c_void_p,)),
    "queue_destroy": (None, (c_void_p,)),
    "consume_batch_queue": (c_ssize_t, (c_void_p, c_int, c_void_p, c_size_t)),
    "consumer_close": (c_int, (c_void_p,)),
    "topic_name": (c_char_p, (c_void_p,)),
    "err2str": (c_char_p, (c_int,)),
    "incremental_assign": (c_void_p, (c_void_p, POINTER(_Partitions))),
    "incremental_unassign": (c_void_p, (c_void_p, POINTER(_Partitions))),
    "error_code": (c_int, (c_void_p,)),
    "error_string": (c_char_p, (c_void_p,)),
    "error_destroy": (None, (c_void_p,)),
    "pause_partitions": (c_int, (c_void_p, POINTER(_Partitions))),
    "resume_partitions": (c_int, (c_void_p, POINTER(_Partitions))),
    "position": (c_int, (c_void_p, POINTER(_Partitions))),
    "commit": (c_int, (c_void_p, POINTER(_Partitions), c_int)),
    "topic_partition_list_new": (POINTER(_Partitions), (c_int,)),
    "topic_partition_list_add": (POINTER(_Partition), (POINTER(_Partitions), c_char_p, c_int32)),
    "topic_partition_list_destroy": (None, (POINTER(_Partitions),)),
}


def _function(name: str) -> Callable[..., Any]:
    function = getattr(_library, f"rd_kafka_{name}")
    function.restype, function.argtypes = _SIGNATURES[name]
    return function  # type: ignore[no-any-return]


_call: Final = {name: _function(name) for name in _SIGNATURES}
MESSAGE_DESTROY: Final = _library.rd_kafka_message_destroy
MESSAGE_TIMESTAMP: Final = _library.rd_kafka_message_timestamp


class RawConsumer:
    """A consumer without a group's rebalancing. Calls must not overlap; none but `close` and a synchronous commit blocks.

    Partitions are given as offsets by topic and partition. All but `poll` raise `KafkaException`.
    """

    def __init__(self, config: Mapping[str, object], on_error: Callable[[str], None]) -> None:
        self._on_error = OnError(lambda _handle, _code, reason, _opaque: on_error(_text(reason)))  # kept for librdkafka
        self._handle = self._open(config)
        _raise(_call["poll_set_consumer"](self._handle))
        self._queue = _call["queue_get_consumer"](self._handle)

    def poll(self, messages: Any, most: int) -> int:
        """Fill an array with the addresses of what is there, and return how many; the caller gives them back."""
        count: int = _call["consume_batch_queue"](self._queue, 0, messages, most)
        return max(0, count)

    def assign(self, starts: Mapping[tuple[str, int], int]) -> None:
        """Read these partitions too."""
        with _List(starts) as partitions:
            _raise_error(_call["incremental_assign"](self._handle, partitions))

    def unassign(self, keys: Iterable[tuple[str, int]]) -> None:
        """Stop reading these partitions; they must be assigned."""
        with _List(dict.fromkeys(keys, 0)) as partitions:
            _raise_error(_call["incremental_unassign"](self._handle, partitions))

    def pause(self, keys: Iterable[tuple[str, int]]) -> None:
        with _List(dict.fromkeys(keys, 0)) as partitions:
            _raise(_call["pause_partitions"](self._handle, partitions))

    def resume(self, keys: Iterable[tuple[str, int]]) -> None:
        with _List(dict.fromkeys(keys, 0)) as partitions:
            _raise(_call["resume_partitions"](self._handle, partitions))

    def positions(self, keys: Iterable[tuple[str, int]]) -> dict[tuple[str, int], int]:
        """Return the offsets behind what was polled, below zero where nothing was."""
        with _List(dict.fromkeys(keys, 0)) as partitions:
            _raise(_call["position"](self._handle, partitions))
            found = [partitions.contents.elements[at] for at in range(partitions.contents.count)]
            return {(each.topic.decode(), each.partition): each.offset for each in found}

    def commit(self, offsets: Mapping[tuple[str, int], int], *, wait: bool) -> None:
        """Store the group's offsets."""
        with _List(offsets) as partitions:
            _raise(_call["commit"](self._handle, partitions, 0 if wait else 1))

    def close(self) -> None:
        """Leave, which may take seconds; all messages must have been given back."""
        _call["consumer_close"](self._handle)
        _call["queue_destroy"](self._queue)
        _call["destroy"](self._handle)

    def _open(self, config: Mapping[str, object]) -> int:
        reason = ctypes.create_string_buffer(_REASON_BYTES)
        conf = _call["conf_new"]()
        try:
            for name, value in config.items():
                text = str(value).lower() if isinstance(value, bool) else str(value)
                if _call["conf_set"](conf, name.encode(), text.encode(), reason, _REASON_BYTES):
                    raise KafkaException(KafkaError(KafkaError._INVALID_ARG, _text(reason.value)))
            _call["conf_set_error_cb"](conf, self._on_error)
            handle: int | None = _call["new"](_CONSUMER, conf, reason, _REASON_BYTES)
            if not handle:
                raise KafkaException(KafkaError(KafkaError._INVALID_ARG, _text(reason.value)))
        except BaseException:
            _call["conf_destroy"](conf)
            raise
        return handle


class _List:
    """A list of partitions for the time of one call."""

    def __init__(self, offsets: Mapping[tuple[str, int], int]) -> None:
        self._list = _call["topic_partition_list_new"](len(offsets))
        for (topic, partition), offset in offsets.items():
            _call["topic_partition_list_add"](self._list, topic.encode(), partition).contents.offset = offset

    def __enter__(self) -> Any:
        return self._list

    def __exit__(self, *_: object) -> None:
        _call["topic_partition_list_destroy"](self._list)


def topic_name(handle: int) -> str:
    """Return the name of a message's topic."""
    return _text(_call["topic_name"](handle))


def error_text(code: int) -> str:
    """Return what an error code means."""
    return _text(_call["err2str"](code))


def _raise(code: int) -> None:
    if code:
        raise KafkaException(KafkaError(code, error_text(code)))


def _raise_error(error: int | None) -> None:
    if error is None:
        return
    try:
        raise KafkaException(KafkaError(_call["error_code"](error), _text(_call["error_string"](error))))
    finally:
        _call["error_destroy"](error)


def _text(reason: bytes | None) -> str:
    return (reason or b"").decode(errors="replace")
