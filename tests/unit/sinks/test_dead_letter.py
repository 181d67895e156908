from __future__ import annotations

import base64
import json
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import msgspec
import pytest

from cdc.batch import Batch
from cdc.errors import KafkaUnavailable
from cdc.event import Record, Rejected
from runtime.kafka.client import KafkaClient
from runtime.kafka.producer import Outgoing, Undelivered
from runtime.metrics import Metrics, create_metrics
from runtime.status import Status
from sinks import dead_letter as module
from sinks.dead_letter import DeadLetterSink, DeadLetterWriter
from sinks.dead_letter_format import DeadLetter, original_bytes

AT = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)


def rejected(value: bytes | None = b'{"op":"?"}', offset: int = 7, sqlstate: str | None = None) -> Rejected:
    record = Record("cassandra.shop.orders", 2, offset, 0, b'{"id":1}', value)
    return Rejected("validate", "UnknownOperation", "op is ?", record, "shop.orders", sqlstate)


@dataclass
class FakeProducer:
    """Takes records up to a size, after a number of failed deliveries."""

    largest: int = 1_000_000
    failures: int = 0
    delivered: dict[bytes, bytes] = field(default_factory=dict)
    _sent: list[Outgoing] = field(default_factory=list)

    def send(self, outgoing: Outgoing) -> None:
        self._sent.append(outgoing)

    def settle(self) -> list[Undelivered]:
        sent, self._sent = self._sent, []
        if self.failures:
            self.failures -= 1
            return [Undelivered(outgoing, "timed out", too_large=False) for outgoing in sent]
        fits = [outgoing for outgoing in sent if len(outgoing.value) <= self.largest]
        self.delivered.update({outgoing.key: outgoing.value for outgoing in fits})
        return [Undelivered(outgoing, "too large", too_large=True) for outgoing in sent if outgoing not in fits]


@dataclass
class Letters:
    """A writer with a fake producer, and what became of its letters."""

    writer: DeadLetterWriter
    producer: FakeProducer
    stored: list[tuple[Record, bytes]]
    waits: list[float]
    status: Status
    metrics: Metrics

    def one(self) -> dict[str, Any]:
        (value,) = self.producer.delivered.values()
        letter: dict[str, Any] = json.loads(value)
        return letter


@pytest.fixture
def letters(monkeypatch: pytest.MonkeyPatch) -> Callable[..., Letters]:
    def build(**producer_settings: Any) -> Letters:
        monkeypatch.setattr(module, "create_topic", lambda *_: True)
        producer, status = FakeProducer(**producer_settings), Status()
        stored: list[tuple[Record, bytes]] = []
        waits: list[float] = []
        metrics = create_metrics()
        writer = DeadLetterWriter(
            KafkaClient("nowhere"),
            "dlq",
            lambda record, letter: stored.append((record, letter)),
            status,
            now=lambda: AT,
            open_producer=lambda *_: producer,
            wait=waits.append,
            metrics=metrics,
        )
        return Letters(writer, producer, stored, waits, status, metrics)

    return build


def test_a_letter_has_the_names_that_other_programs_read(letters: Callable[..., Letters]) -> None:
    got = letters()
    got.writer.confirm([rejected(sqlstate="22003")])
    assert got.one() == {
        "original_event": '{"op":"?"}',
        "error_type": "UnknownOperation",
        "error_message": "op is ?",
        "attempt_count": 1,
        "first_failure_timestamp": "2026-01-02T03:04:05Z",
        "last_failure_timestamp": "2026-01-02T03:04:05Z",
        "source_topic": "cassandra.shop.orders",
        "source_partition": 2,
        "source_offset": 7,
        "stage": "validate",
        "sqlstate": "22003",
        "key_base64": base64.b64encode(b'{"id":1}').decode(),
        "value_base64": base64.b64encode(b'{"op":"?"}').decode(),
    }


@pytest.mark.parametrize("value", [None, b"", b"\xff\xfe", b"\x00", "\u2028\U0001f600".encode(), b'{"op":'])
def test_the_bytes_come_back_untouched(letters: Callable[..., Letters], value: bytes | None) -> None:
    got = letters()
    got.writer.confirm([rejected(value)])
    letter = msgspec.json.decode(next(iter(got.producer.delivered.values())), type=DeadLetter)
    assert original_bytes(letter) == (b'{"id":1}', value)


def test_a_value_that_is_not_text_has_no_original_event(letters: Callable[..., Letters]) -> None:
    got = letters()
    got.writer.confirm([rejected(b"\xff\xfe")])
    assert got.one()["original_event"] is None


def test_a_letter_that_does_not_fit_is_compressed_and_says_so(letters: Callable[..., Letters]) -> None:
    value = b"x" * 100_000
    got = letters(largest=10_000)
    got.writer.confirm([rejected(value)])
    assert (got.one()["original_event"], got.one()["compression"]) == (None, "zlib")
    assert original_bytes(msgspec.convert(got.one(), DeadLetter)) == (b'{"id":1}', value)


def test_a_letter_that_never_fits_is_stored_in_postgres(letters: Callable[..., Letters]) -> None:
    got = letters(largest=10)
    wrong = rejected(b"x" * 1_000)
    got.writer.confirm([msgspec.structs.replace(wrong, message="a \0 in it")])
    assert got.producer.delivered == {}
    ((record, letter),) = got.stored
    assert record == wrong.record
    assert {name: json.loads(letter)[name] for name in ("original_event", "value_base64", "error_message")} == {
        "original_event": None,
        "value_base64": None,
        "error_message": "a \\u0000 in it",
    }


def test_one_large_letter_does_not_hold_up_the_others(letters: Callable[..., Letters]) -> None:
    got = letters(largest=1_000)
    got.writer.confirm([rejected(offset=1), rejected(bytes(range(256)) * 40, offset=2), rejected(offset=3)])
    assert sorted(json.loads(value)["source_offset"] for value in got.producer.delivered.values()) == [1, 2, 3]


def test_unconfirmed_letters_are_written_until_they_are(letters: Callable[..., Letters]) -> None:
    got = letters(failures=6)
    got.writer.confirm([rejected(offset=offset) for offset in range(3)])
    assert (len(got.producer.delivered), got.waits) == (3, [0.1, 0.5, 2.0, 5.0, 5.0, 5.0])
    assert got.status.facts().troubles == {}
    sample = got.metrics.registry.get_sample_value
    assert sample("cdc_retries_total", {"service": "kafka"}) == 6
    assert sample("cdc_dlq_size", {"table": "shop.orders"}) == 3
    assert sample("cdc_error_total", {"table": "shop.orders", "error_type": "UnknownOperation"}) == 3


def test_the_topic_is_waited_for(letters: Callable[..., Letters], monkeypatch: pytest.MonkeyPatch) -> None:
    got = letters()
    answers: list[Exception | None] = [KafkaUnavailable("away"), KafkaUnavailable("away"), None]

    def create(*_: Any) -> bool:
        if error := answers.pop(0):
            raise error
        return True

    monkeypatch.setattr(module, "create_topic", create)
    got.writer.confirm([rejected()])
    assert (len(got.producer.delivered), got.waits) == (1, [0.1, 0.5])


def test_a_flush_without_letters_opens_nothing() -> None:
    def open_producer(*_: Any) -> FakeProducer:
        raise AssertionError

    writer = DeadLetterWriter(KafkaClient("nowhere"), "dlq", lambda *_: None, Status(), open_producer=open_producer)
    writer.flush()


def test_the_snapshot_of_the_sink_waits_for_confirmation(letters: Callable[..., Letters]) -> None:
    got = letters()
    part = DeadLetterSink(got.writer).build_part("dead_letters", "05", None)
    part.write_batch([Batch(5, [], [], [rejected()]), Batch(5, [], [])])
    assert got.producer.delivered == {}
    part.snapshot()
    assert len(got.producer.delivered) == 1
