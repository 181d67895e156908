"""Records that cannot be applied: each becomes one dead letter, and stops nothing."""

from __future__ import annotations

import base64
import json
import random
from collections import Counter
from pathlib import Path
from typing import Any

import psycopg
import pytest

from cdc.errors import OffsetsLost
from cdc.event import Record, Rejected
from runtime.kafka.client import KafkaClient
from runtime.metrics import create_metrics
from runtime.status import Status
from sinks.dead_letter import DeadLetterWriter
from sinks.postgres.letter_store import LetterStore
from sinks.postgres.migrate import migrate
from tests.fixtures.events import as_json, envelope, table_of, written
from tests.integration.flow.mirrored import Mirrored
from tests.integration.flow.recorded_topics import write_records
from tests.integration.flow.source_flow import Topics

NOTES = "CREATE TABLE notes.notes (k text PRIMARY KEY, v int);"
POLL = 5_000


@pytest.fixture
def topics(kafka_bootstrap: str, topic_prefix: str) -> Topics:
    return Topics(kafka_bootstrap, topic_prefix)


def letters(mirrored: Mirrored) -> list[dict[str, Any]]:
    group_topics = Topics(mirrored.topics.bootstrap, mirrored.group_id)
    return [json.loads(letter) for letter in group_topics.read("cdc.dlq")]


def test_bad_records_become_dead_letters_and_stop_nothing(shop: Mirrored) -> None:
    good = shop.story.records
    value = next(record.value for record in good if record.value)
    name = good[0].topic.partition(".")[2]
    broken = json.loads(value)
    write_records(shop.topics, good)
    shop.topics.write(name, [b"", value[:40], b"\xff\xfe", b"[]", json.dumps(broken | {"op": "x"}).encode()])
    shop.topics.create("nobody.knows")
    shop.topics.write("nobody.knows", [value])
    write_records(shop.topics, good[:50])
    shop.run_here()
    assert Counter(letter["error_type"] for letter in letters(shop)) == {
        "MalformedRecord": 3,
        "UnexpectedEnvelope": 1,
        "UnknownOperation": 1,
        "UnknownTable": 1,
    }
    assert shop.unexplained() == []


def test_a_poison_row_in_a_poll_of_5000_is_one_dead_letter(topics: Topics, postgres_dsn: str, tmp_path: Path) -> None:
    table = table_of(NOTES)
    too_long = base64.b64encode(random.Random(1).randbytes(9_000)).decode()  # an index entry may have 2,704 bytes
    keys = [too_long if number == POLL // 2 else f"key {number}" for number in range(POLL)]
    events = [envelope(table, "i", {"k": written(key), "v": written(1)}) for key in keys]
    topics.create("notes.notes")
    topics.write("notes.notes", [as_json(event) for event in events])
    mirrored = Mirrored(NOTES, topics, postgres_dsn, tmp_path)
    mirrored.run_here()
    (letter,) = letters(mirrored)
    assert (letter["error_type"], letter["sqlstate"], letter["source_offset"]) == ("PoisonRow", "54000", POLL // 2)
    assert (letter["stage"], base64.b64decode(letter["value_base64"])) == ("postgres", as_json(events[POLL // 2]))
    with psycopg.connect(postgres_dsn) as connection:
        assert connection.execute("SELECT count(*) FROM notes.notes").fetchall() == [(POLL - 1,)]


LARGE = Rejected(
    "deserialize", "MalformedRecord", "not\0JSON", Record("t", 2, 7, 0, b"\0key", random.Random(1).randbytes(200_000))
)


def writer_of_small_letters(topics: Topics, dsn: str) -> DeadLetterWriter:
    """Return a writer to a topic that takes 20 KB."""
    topics.create("cdc.dlq", config={"max.message.bytes": "20000", "compression.type": "uncompressed"})
    client = KafkaClient(topics.bootstrap)
    return DeadLetterWriter(client, topics.full("cdc.dlq"), LetterStore(dsn), Status(), metrics=create_metrics())


def test_a_letter_too_big_for_kafka_stands_in_postgres(topics: Topics, postgres_dsn: str) -> None:
    migrate(postgres_dsn, [])
    writer = writer_of_small_letters(topics, postgres_dsn)
    for _ in range(2):  # a letter may be written again
        writer.confirm([LARGE])
    with psycopg.connect(postgres_dsn) as connection:
        ((letter, *record),) = connection.execute(
            'SELECT letter, topic, partition, "offset", record_key, record_value FROM cdc.dead_letters'
        )
    assert record == ["t", 2, 7, LARGE.record.key, LARGE.record.value]
    assert (letter["error_type"], letter["error_message"]) == ("MalformedRecord", "not\\u0000JSON")
    assert (letter["source_topic"], letter["source_partition"], letter["source_offset"]) == ("t", 2, 7)
    assert topics.read("cdc.dlq") == []


def test_a_letter_too_big_for_kafka_ends_the_process_where_postgres_was_emptied(topics: Topics, postgres_dsn: str) -> None:
    writer = writer_of_small_letters(topics, postgres_dsn)
    with pytest.raises(OffsetsLost):
        writer.confirm([LARGE])
