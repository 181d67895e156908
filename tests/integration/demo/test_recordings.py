"""What the demo plays: fewest rounds, copies as replicas write them, and a comparison that sees what differs."""

from __future__ import annotations

import random
import shutil
from collections import Counter
from pathlib import Path

import msgspec
import pytest

from cdc.errors import CassmirrorError
from cdc.fingerprint import Fingerprints, split
from dataflows.demo_compare import not_compared
from dataflows.demo_recordings import REPLICAS, SAMPLES, Recording, read_recordings, replica_copy, rounds
from tests.fixtures.recordings import recordings


@pytest.fixture(scope="module")
def played() -> list[Recording]:
    return read_recordings(SAMPLES, ())


def test_every_recording_is_played(played: list[Recording]) -> None:
    assert [recording.name for recording in played] == recordings()


def test_each_recording_is_in_one_round_at_a_clock_that_suits_it(played: list[Recording]) -> None:
    made = rounds(played)
    assert sorted(recording.name for one in made for recording in one.recordings) == recordings()
    for one in made:
        assert all(recording.first_second <= one.clock <= recording.last_second for recording in one.recordings)
        keyspaces = Counter(recording.expected.keyspace for recording in one.recordings)
        assert max(keyspaces.values()) == 1
    assert len(made) == 2, "only the two recordings of one keyspace cannot be together"


def test_what_expires_between_two_answers_keeps_them_apart(played: list[Recording]) -> None:
    by_name = {recording.name: recording for recording in played}
    early = by_name["ttl"]
    late = by_name["lwt"]
    after_expiry = msgspec.structs.replace(late.expected, read_at_us=(early.last_second + 1) * 1_000_000)
    moved = Recording(late.name, late.cql, late.records, after_expiry, late.gaps)
    assert [[recording.name for recording in one.recordings] for one in rounds([early, late])] == [["lwt", "ttl"]]
    assert sorted([recording.name for recording in one.recordings] for one in rounds([early, moved])) == [["lwt"], ["ttl"]]


def test_a_round_sends_each_event_once_for_each_replica_and_as_shuffled_by_the_seed(played: list[Recording]) -> None:
    one = rounds(played)[0]
    sent = one.records(random.Random(1))
    assert len(sent) == REPLICAS * sum(len(recording.records) for recording in one.recordings)
    assert {record.topic.split(".")[0] for record in sent} == {one.name}
    assert sent == one.records(random.Random(1))
    assert sent != one.records(random.Random(2))


@pytest.mark.parametrize("name", recordings())
def test_copies_of_an_event_differ_in_clock_file_and_position_only(name: str) -> None:
    (recording,) = read_recordings(SAMPLES, [name])
    for record in recording.records:
        copies = [replica_copy(record, replica).value for replica in range(REPLICAS)]
        if record.value is None:
            assert copies == [None] * REPLICAS
            continue
        assert len(set(copies)) == REPLICAS
        payloads = [msgspec.json.decode(copy or b"") for copy in copies]
        events = [payload.get("payload", payload) for payload in payloads]
        for event in events:
            for holder, field in ((event, "ts_ms"), (event["source"], "file"), (event["source"], "pos")):
                del holder[field]
        assert events[1:] == events[:-1]


def test_a_copy_is_known_for_one_by_its_fingerprint(played: list[Recording]) -> None:
    record = next(recording for recording in played if recording.name == "workload_shop").records[0]
    copies = [replica_copy(record, replica).value for replica in range(REPLICAS)]
    assert len(set(split(Fingerprints(record.topic)(copies)))) == 1


def test_a_recording_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(CassmirrorError, match="no recording ttl_2 in") as caught:
        read_recordings(SAMPLES, ["ttl_2"])
    assert "workload_shop" in (caught.value.hint or "")
    with pytest.raises(CassmirrorError, match="no recording"):
        read_recordings(tmp_path, ())


def test_a_table_that_the_cql_does_not_make_is_no_reason_to_compare_less(tmp_path: Path) -> None:
    for path in SAMPLES.glob("upserts_nulls.*"):
        shutil.copy(path, tmp_path)
    cql = tmp_path / "upserts_nulls.cql"
    cql.write_text(cql.read_text().replace("CREATE TABLE nulls.pkonly", "CREATE TABLE nulls.other"))
    (recording,) = read_recordings(tmp_path, ())
    with pytest.raises(CassmirrorError, match=r"does not make the table nulls\.pkonly"):
        _ = recording.tables


def test_what_no_event_speaks_of_is_told(played: list[Recording]) -> None:
    got = not_compared(played)
    assert "counters.c: counters" in got
    assert "statics.t: static columns s, s2" in got
