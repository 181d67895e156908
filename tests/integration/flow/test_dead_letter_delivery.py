from __future__ import annotations

import json
from collections.abc import Callable

import pytest
from confluent_kafka.admin import AdminClient, ConfigResource  # type: ignore[attr-defined]

from cdc.event import Record, Rejected
from runtime.kafka.client import KafkaClient
from runtime.metrics import create_metrics
from runtime.status import Status
from sinks.dead_letter import DeadLetterWriter
from tests.integration.flow.source_flow import Topics


@pytest.fixture
def topics(kafka_bootstrap: str, topic_prefix: str) -> Topics:
    return Topics(kafka_bootstrap, topic_prefix)


@pytest.fixture
def stored() -> list[Record]:
    return []


@pytest.fixture
def open_writer(topics: Topics, stored: list[Record]) -> Callable[[], DeadLetterWriter]:
    def build() -> DeadLetterWriter:
        return DeadLetterWriter(
            KafkaClient(topics.bootstrap),
            topics.full("cdc.dlq"),
            lambda record, _: stored.append(record),
            Status(),
            metrics=create_metrics(),
        )

    return build


def rejected(value: bytes, offset: int = 0) -> Rejected:
    return Rejected("deserialize", "MalformedRecord", "no", Record("t", 0, offset, 0, None, value))


def letters(topics: Topics) -> list[int]:
    """Return the source offsets of the letters that the topic holds."""
    return sorted(json.loads(letter)["source_offset"] for letter in topics.read("cdc.dlq"))


def test_letters_are_in_kafka_once_confirmed(topics: Topics, open_writer: Callable[[], DeadLetterWriter]) -> None:
    open_writer().confirm([rejected(b"x", offset) for offset in range(500)])
    assert letters(topics) == list(range(500))


def test_the_topic_is_made_for_large_letters(topics: Topics, open_writer: Callable[[], DeadLetterWriter]) -> None:
    open_writer().confirm([rejected(b"\xff" * 5_000_000)])
    resource = ConfigResource(ConfigResource.Type.TOPIC, topics.full("cdc.dlq"))
    admin = AdminClient({"bootstrap.servers": topics.bootstrap})
    config = admin.describe_configs([resource])[resource].result()
    assert (config["max.message.bytes"].value, config["retention.ms"].value) == ("16777216", "-1")
    assert letters(topics) == [0]


def test_in_a_topic_of_somebody_else_large_letters_are_compressed_or_stored(
    topics: Topics, open_writer: Callable[[], DeadLetterWriter], stored: list[Record]
) -> None:
    topics.create("cdc.dlq", config={"max.message.bytes": "20000", "compression.type": "uncompressed"})
    noise = bytes((number * number * 7919 + number // 251) % 256 for number in range(200_000))
    open_writer().confirm([rejected(b"small", 1), rejected(b"x" * 50_000, 2), rejected(noise, 3)])
    assert set(letters(topics)) | {record.offset for record in stored} == {1, 2, 3}
