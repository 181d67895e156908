"""Every recording of a real connector through the real stages into the in-memory tables: what Cassandra held, nothing else."""

from __future__ import annotations

from collections import Counter

import pytest

from cdc.recording import read_gaps
from tests.fixtures.recordings import SAMPLES, recordings
from tests.model.mirror import MemoryMirror
from tests.model.recorded import BATCH_SIZES, VARIANTS, play, replay_of, varied

REFUSED = {
    "composite_pk": {"UnrepresentableKey": 7},
    "ddl_live": {"MissingKey": 5},
    "text_and_names": {"UnrepresentableValue": 1, "UnrepresentableKey": 1},
    "types_scalars": {"ValueOutOfRange": 5},
}
"""Records that must not be applied; everything else in the recordings is."""


@pytest.mark.parametrize("batch_size", BATCH_SIZES)
@pytest.mark.parametrize("variant", VARIANTS)
@pytest.mark.parametrize("name", recordings())
def test_a_recording_gives_the_rows_that_cassandra_held(name: str, variant: str, batch_size: int) -> None:
    replay, mirror = replay_of(name), MemoryMirror()
    mirror.set_clock(replay.now)
    play(replay, mirror, varied(replay.records, variant, seed=batch_size), batch_size)
    assert replay.unexplained(mirror) == []


@pytest.mark.parametrize("name", recordings())
def test_each_known_gap_is_there(name: str) -> None:
    replay, mirror = replay_of(name), MemoryMirror()
    mirror.set_clock(replay.now)
    play(replay, mirror, replay.records, batch_size=100)
    assert replay.stale_gaps(mirror) == []


@pytest.mark.parametrize("name", recordings())
def test_only_the_records_known_to_be_bad_are_refused(name: str) -> None:
    replay = replay_of(name)
    _, rejected = replay.changes(replay.records)
    assert Counter(refused.error_type for refused in rejected) == REFUSED.get(name, {})


@pytest.mark.parametrize("name", recordings())
def test_the_rows_of_a_recording_are_compared_at_all(name: str) -> None:
    replay = replay_of(name)
    got = {table.name for table in replay.tables}
    assert got == set(replay.expected.tables) - {"c"} if name == "counters" else got == set(replay.expected.tables)


def test_no_gap_belongs_to_a_recording_that_is_not_there() -> None:
    gaps = read_gaps((SAMPLES / "known_gaps.json").read_bytes())
    assert set(gaps) <= set(recordings())
