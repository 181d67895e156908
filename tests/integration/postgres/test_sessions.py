"""Several processes on the same tables at once, as zombies and replays are: sweeps and purges between, and nothing differs."""

from __future__ import annotations

import random
import threading
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

import pytest

from cdc.event import Record
from sinks.postgres.writer import Writer
from tests.integration.postgres.test_tables_contract import compared
from tests.model.cassandra import WRITTEN_AT
from tests.model.crowd import crowd_history
from tests.model.mirror import PostgresMirror, set_clock
from tests.model.pipeline import changes_of, disordered
from tests.model.statements import Statement


def run_session(writer: Writer, polls: Sequence[Sequence[Record]], seed: int, start: threading.Barrier) -> int:
    """Apply polls with sweeps between, the clock moving; return the session's clock at the end."""
    chance = random.Random(seed)
    now = WRITTEN_AT
    set_clock(writer, now)
    start.wait()
    for poll in polls:
        outcome = writer.apply(changes_of(poll))
        assert (outcome.rejected, outcome.refused, writer.halted) == ([], [], {})
        if chance.random() < 0.3:
            now += chance.randint(0, 2)
            set_clock(writer, now)
        if chance.random() < 0.3:
            writer.sweep()
        if chance.random() < 0.1:
            writer.purge()
    return now


def run_together(mirror: PostgresMirror, history: Sequence[Statement], seed: int, sessions: int, polls: int) -> int:
    """Give every session a disorder of its own of the same history; return the latest clock."""
    start = threading.Barrier(sessions)
    writers = [mirror.new_writer() for _ in range(sessions)]
    shares = [disordered(history, random.Random(f"{seed} {number}"), polls=polls) for number in range(sessions)]
    try:
        with ThreadPoolExecutor(sessions) as pool:
            ends = [
                pool.submit(run_session, writer, share, seed + number, start)
                for number, (writer, share) in enumerate(zip(writers, shares, strict=True))
            ]
            return max(end.result() for end in ends)
    finally:
        for writer in writers:
            writer.close()


@pytest.mark.parametrize("sessions", [2, 3])
@pytest.mark.parametrize("seed", range(2))
def test_sessions_on_the_same_rows_give_what_cassandra_shows(postgres_mirror: PostgresMirror, sessions: int, seed: int) -> None:
    history = crowd_history(seed + 100, 800)
    now = run_together(postgres_mirror, history, seed, sessions, polls=12)
    postgres_mirror.set_clock(now)
    postgres_mirror.sweep()
    assert compared(history, postgres_mirror, now) == []


@pytest.mark.long
@pytest.mark.timeout(3_600)
@pytest.mark.parametrize("sessions", [2, 3])
def test_many_runs_of_sessions_give_what_cassandra_shows(postgres_mirror: PostgresMirror, sessions: int) -> None:
    first = random.SystemRandom().randrange(2**48)
    for seed in range(first, first + 10):
        postgres_mirror.clear()
        history = crowd_history(seed, 2_000)
        now = run_together(postgres_mirror, history, seed, sessions, polls=30)
        postgres_mirror.set_clock(now)
        postgres_mirror.sweep()
        assert (seed, compared(history, postgres_mirror, now)) == (seed, [])
