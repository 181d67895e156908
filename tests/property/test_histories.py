"""Statements become events, events go in any order and number through the real stages: the tables are the model's."""

from __future__ import annotations

import random
from collections.abc import Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cdc.recording import Difference
from sinks.memory import MemoryTables
from tests.model.cassandra import WRITTEN_AT, replay
from tests.model.histories import TABLES, histories, random_history
from tests.model.pipeline import KEYSPACE, all_differences, changes_of, disordered, wanted_rows
from tests.model.statements import ModelTable, Statement

CLOCKS = range(WRITTEN_AT, WRITTEN_AT + 7)


def mirrored(history: Sequence[Statement], seed: int) -> MemoryTables:
    """Return the tables after a history in the disorder of a seed."""
    tables = MemoryTables()
    for poll in disordered(history, random.Random(seed)):
        tables.apply(changes_of(poll))
    return tables


def compared(history: Sequence[Statement], tables: MemoryTables, now: int) -> list[Difference]:
    got = {table.name: tables.rows(f"{KEYSPACE}.{table.name}", now) for table in TABLES}
    return all_differences(wanted_rows(replay(history, now)), got)


@pytest.mark.parametrize("table", TABLES, ids=lambda table: table.name)
@settings(max_examples=100)
@given(data=st.data(), seed=st.integers(0, 2**32), now=st.sampled_from(CLOCKS))
def test_one_table_is_what_cassandra_shows(table: ModelTable, data: st.DataObject, seed: int, now: int) -> None:
    history = data.draw(histories((table,)))
    assert compared(history, mirrored(history, seed), now) == []


@settings(max_examples=200)
@given(history=histories(), seed=st.integers(0, 2**32), now=st.sampled_from(CLOCKS))
def test_all_tables_are_what_cassandra_shows(history: list[Statement], seed: int, now: int) -> None:
    assert compared(history, mirrored(history, seed), now) == []


@settings(max_examples=100)
@given(history=histories(), seed=st.integers(0, 2**32), swept_at=st.sampled_from(CLOCKS), later=st.integers(0, 6))
def test_a_sweep_between_two_halves_changes_nothing(history: list[Statement], seed: int, swept_at: int, later: int) -> None:
    polls = disordered(history, random.Random(seed))
    tables = MemoryTables()
    for number, poll in enumerate(polls):
        tables.apply(changes_of(poll))
        if number == len(polls) // 2:
            tables.sweep(swept_at)
    assert compared(history, tables, swept_at + later) == []


def run(seeds: range, length: int) -> list[tuple[int, list[Difference]]]:
    """Return the seeds whose tables differ, with the differences."""
    failed = []
    for seed in seeds:
        history = random_history(seed, length)
        tables, now = mirrored(history, seed), random.Random(seed).choice(CLOCKS)
        if found := compared(history, tables, now):
            failed.append((seed, found))
    return failed


def test_two_thousand_seeded_histories_are_what_cassandra_shows() -> None:
    assert run(range(2_000), length=12) == []


@pytest.mark.long
@pytest.mark.timeout(3_600)
def test_many_long_histories_are_what_cassandra_shows() -> None:
    first = random.SystemRandom().randrange(2**48)
    assert run(range(first, first + 8_000), length=40) == []
