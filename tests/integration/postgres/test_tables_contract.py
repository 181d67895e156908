"""One contract for the in-memory tables and PostgreSQL: random histories in any disorder, with a clock that moves."""

from __future__ import annotations

import random
from collections.abc import Sequence

import pytest

from cdc.recording import Difference
from tests.model.cassandra import WRITTEN_AT, replay
from tests.model.crowd import crowd_history
from tests.model.histories import TABLES, random_history
from tests.model.mirror import Mirror
from tests.model.pipeline import KEYSPACE, all_differences, changes_of, disordered, wanted_rows
from tests.model.statements import ModelTable, Statement


def compared(history: Sequence[Statement], mirror: Mirror, now: int, tables: Sequence[ModelTable] = TABLES) -> list[Difference]:
    got = {table.name: mirror.rows(f"{KEYSPACE}.{table.name}") for table in tables}
    return all_differences(wanted_rows(replay(history, now)), got)


def live_through(mirror: Mirror, history: Sequence[Statement], seed: int, polls: int | None = None) -> int:
    """Apply a history in the disorder of a seed while the clock moves and sweeps come; return the clock at the end."""
    chance = random.Random(seed)
    now = WRITTEN_AT + chance.randint(0, 1)
    mirror.set_clock(now)
    for poll in disordered(history, chance, polls=polls):
        mirror.apply(changes_of(poll))
        if chance.random() < 0.2:
            mirror.sweep()
        if chance.random() < 0.2:
            now += chance.randint(0, 3)
            mirror.set_clock(now)
    mirror.sweep()
    return now


@pytest.mark.parametrize("seed", range(30))
def test_a_small_history_is_what_cassandra_shows(mirror: Mirror, seed: int) -> None:
    history = random_history(seed, 15)
    now = live_through(mirror, history, seed)
    assert compared(history, mirror, now) == []


@pytest.mark.parametrize("seed", range(4))
def test_many_histories_at_once_are_what_cassandra_shows(mirror: Mirror, seed: int) -> None:
    history = crowd_history(seed, 3_000)
    now = live_through(mirror, history, seed, polls=25)
    assert compared(history, mirror, now) == []


@pytest.mark.long
@pytest.mark.timeout(3_600)
def test_a_great_many_histories_are_what_cassandra_shows(mirror: Mirror) -> None:
    first = random.SystemRandom().randrange(2**48)
    for seed in range(first, first + 12):
        mirror.clear()
        history = crowd_history(seed, 6_000)
        now = live_through(mirror, history, seed, polls=60)
        assert (seed, compared(history, mirror, now)) == (seed, [])
