"""The whole flow as users run it: recorded events through Kafka and a process of its own into PostgreSQL."""

from __future__ import annotations

import json
import random
from collections import Counter
from pathlib import Path

import pytest

from tests.fixtures.recordings import recordings
from tests.integration.flow.mirrored import Mirrored
from tests.integration.flow.recorded_topics import write_records
from tests.integration.flow.source_flow import Topics
from tests.model.recorded import VARIANTS, varied


@pytest.fixture
def mirrored(kafka_bootstrap: str, topic_prefix: str, postgres_dsn: str, tmp_path: Path) -> Mirrored:
    return Mirrored("workload_shop", Topics(kafka_bootstrap, topic_prefix), postgres_dsn, tmp_path)


@pytest.mark.parametrize("name", recordings())
def test_a_recording_gives_the_rows_that_cassandra_held(mirrored: Mirrored, name: str) -> None:
    mirrored.name = name
    dice = random.Random(name)
    variant, processes, batch = dice.choice(VARIANTS), dice.choice([1, 1, 2]), dice.choice([1, 7, 5_000])
    write_records(mirrored.topics, varied(mirrored.replay.records, variant, seed=dice.randrange(1_000)))
    mirrored.run_here(processes, KAFKA__POLL_MAX_RECORDS=str(batch))
    assert mirrored.unexplained() == []


@pytest.mark.parametrize(("command", "workers"), [("bytewax", 1), ("bytewax", 2), ("run", 2)])
def test_every_way_to_start_it_mirrors(mirrored: Mirrored, command: str, workers: int) -> None:
    write_records(mirrored.topics, varied(mirrored.replay.records, "shuffled", seed=1))
    with mirrored.running(command, workers=workers) as flow:
        assert flow.wait() == 0, flow.log.read_text()
    assert mirrored.unexplained() == []


def test_bad_records_become_dead_letters_and_stop_nothing(mirrored: Mirrored) -> None:
    good = mirrored.replay.records
    value = next(record.value for record in good if record.value)
    name = good[0].topic.partition(".")[2]
    broken = json.loads(value)
    write_records(mirrored.topics, good)
    mirrored.topics.write(name, [b"", value[:40], b"\xff\xfe", b"[]", json.dumps(broken | {"op": "x"}).encode()])
    mirrored.topics.create("nobody.knows")
    mirrored.topics.write("nobody.knows", [value])
    write_records(mirrored.topics, good[:50])
    mirrored.run_here()
    letters = [json.loads(letter) for letter in mirrored.topics.read("cdc.dlq")]
    assert Counter(letter["error_type"] for letter in letters) == {
        "MalformedRecord": 3,
        "UnexpectedEnvelope": 1,
        "UnknownOperation": 1,
        "UnknownTable": 1,
    }
    assert mirrored.unexplained() == []
