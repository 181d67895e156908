"""Every recording of a real connector through the real stages into a real PostgreSQL: what Cassandra held, nothing else."""

from __future__ import annotations

import random
from collections.abc import Iterator

import pytest

from tests.fixtures.recordings import recordings
from tests.model.mirror import PostgresMirror
from tests.model.recorded import BATCH_SIZES, VARIANTS, Replay, play, replay_of, varied

NAMES = recordings()
USUAL_SIZES = (50, 400, 100_000)
"""Batch sizes of the quick run: small ones cost a transaction each."""


@pytest.fixture
def replay(request: pytest.FixtureRequest) -> Replay:
    return replay_of(request.param)


@pytest.fixture
def mirror(replay: Replay, postgres_dsn: str) -> Iterator[PostgresMirror]:
    """The recording's tables in a fresh database."""
    tables = [table for table in replay.schema.tables.values() if not table.is_counter]
    mirror = PostgresMirror(postgres_dsn, tables)
    mirror.set_clock(replay.now)
    yield mirror
    mirror.close()


@pytest.mark.parametrize("replay", NAMES, indirect=True)
def test_a_recording_gives_the_rows_that_cassandra_held(replay: Replay, mirror: PostgresMirror) -> None:
    chance = random.Random(replay.name)
    for variant in VARIANTS:
        mirror.clear()
        play(replay, mirror, varied(replay.records, variant, seed=chance.randrange(2**32)), chance.choice(USUAL_SIZES))
        mirror.sweep()
        assert (variant, replay.unexplained(mirror)) == (variant, [])


@pytest.mark.parametrize("replay", NAMES, indirect=True)
def test_each_known_gap_is_there(replay: Replay, mirror: PostgresMirror) -> None:
    play(replay, mirror, replay.records, batch_size=1_000)
    assert replay.stale_gaps(mirror) == []


@pytest.mark.long
@pytest.mark.timeout(1_800)
@pytest.mark.parametrize("batch_size", BATCH_SIZES)
@pytest.mark.parametrize("variant", VARIANTS)
@pytest.mark.parametrize("replay", NAMES, indirect=True)
def test_every_variant_gives_the_rows_that_cassandra_held(
    replay: Replay, mirror: PostgresMirror, variant: str, batch_size: int
) -> None:
    play(replay, mirror, varied(replay.records, variant, seed=batch_size), batch_size)
    assert replay.unexplained(mirror) == []
