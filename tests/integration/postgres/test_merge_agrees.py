"""The SQL of the merge and `cdc.ordering` are one rule: each case, and each pair of states, in both orders."""

from __future__ import annotations

import random
from collections.abc import Iterable, Iterator, Sequence
from itertools import product

import msgspec
import pytest

from cdc.ddl import read_ddl
from cdc.event import Change, Key, Record, RowState
from cdc.ordering import is_visible, merge, visible_values
from cdc.schema import Table
from sinks.postgres import expressions, statements
from sinks.postgres.merge import NewRows
from tests.model.mirror import PostgresMirror
from tests.model.plain import perhaps_plain
from tests.model.stored import stored_states
from tests.unit.ordering.cases import LATE, MERGE_CASES, SIGHT_CASES, SOON, every_state

PAIRS = "agree.pairs"
SCHEMA = read_ddl("CREATE TABLE agree.pairs (p int, c int, a int, b int, PRIMARY KEY (p, c));")
NO_RECORD = Record("cdc.agree.pairs", 0, 0, -1, None, None)


def serialize_int(text: str) -> bytes:
    return int(text).to_bytes(4, "big", signed=True)


INTS = (serialize_int, serialize_int)


@pytest.fixture(params=[False, True], ids=["looking for rows", "expecting new rows"])
def pairs(module_dsn: str, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[PostgresMirror]:
    """The table, each group merged by one of the two ways: an update and an upsert of the rest, or an upsert of all."""
    monkeypatch.setattr(NewRows, "expected", lambda *_: request.param)
    mirror = PostgresMirror(module_dsn, SCHEMA.tables.values())
    mirror.clear()
    yield mirror
    mirror.close()


def table() -> Table:
    return SCHEMA.tables["agree", "pairs"]


def changes(states: Iterable[RowState]) -> list[Change]:
    """Return the states as changes, each of a row of its own, some of them plain."""
    return [perhaps_plain(replace_key(state, key(i))) for i, state in enumerate(states)]


def key(number: int) -> Key:
    return (str(number % 7), str(number))


def stored(mirror: PostgresMirror) -> dict[Key, RowState]:
    return stored_states(mirror.reader, mirror.layout(PAIRS))


def differing(got: dict[Key, RowState], lefts: Sequence[RowState], rights: Sequence[RowState]) -> list[object]:
    found: list[object] = []
    for i, (left, right) in enumerate(zip(lefts, rights, strict=True)):
        want = msgspec.structs.replace(merge(left, right, INTS), key=key(i))
        if got.get(key(i)) != want:
            found.append((left, right, want, got.get(key(i))))
    return found


@pytest.mark.parametrize("swapped", [False, True], ids=["left first", "right first"])
def test_sql_keeps_what_cassandra_keeps(pairs: PostgresMirror, *, swapped: bool) -> None:
    cases = [case for case in MERGE_CASES if not _erased(case.left)]
    sides = [[case.left for case in cases], [case.right for case in cases]]
    pairs.set_clock(0)
    for states in reversed(sides) if swapped else sides:
        pairs.apply(changes(states))
    got = stored(pairs)
    want = {case.name: msgspec.structs.replace(case.want, key=key(i)) for i, case in enumerate(cases)}
    assert {case.name: got.get(key(i)) for i, case in enumerate(cases)} == want


def test_sql_and_python_agree_on_every_pair_of_states(pairs: PostgresMirror) -> None:
    lefts, rights = every_pair()
    pairs.set_clock(0)
    for side in (lefts, rights):
        pairs.apply(changes(side))
    assert differing(stored(pairs), lefts, rights)[:5] == []


def test_timestamps_put_together_from_pieces_are_the_same(pairs: PostgresMirror, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as patched:
        patched.setattr(expressions, "SLOTS_A_PIECE", 0)  # as in wide tables
        forget_statements()
        assert "||" in statements.update(pairs.layout(PAIRS), (0,))
        test_sql_and_python_agree_on_every_pair_of_states(pairs)
    forget_statements()


def forget_statements() -> None:
    for statement in (statements.update, statements.set_apart, statements.upsert):
        statement.cache_clear()


@pytest.mark.parametrize("sweeps", [False, True], ids=["expired on arrival", "swept between"])
@pytest.mark.parametrize("sample", [6_000, pytest.param(None, marks=pytest.mark.long)])
def test_pairs_whose_first_has_expired_show_what_python_shows(
    pairs: PostgresMirror, sample: int | None, *, sweeps: bool
) -> None:
    lefts, rights = every_pair(sample)
    pairs.set_clock(0 if sweeps else SOON)
    pairs.apply(changes(lefts))
    pairs.set_clock(SOON)
    if sweeps:
        pairs.sweep()
    pairs.apply(changes(rights))
    for now in (SOON, LATE - 1, LATE):
        pairs.set_clock(now)
        pairs.sweep()
        assert shown(pairs) == expected_to_show(lefts, rights, now)


def every_pair(sample: int | None = None) -> tuple[list[RowState], list[RowState]]:
    """Return the left and the right of each pair of states, both orders among them, or of a seeded sample."""
    chosen = list(product(every_state(), repeat=2))
    if sample is not None:
        chosen = random.Random(sample).sample(chosen, sample)
    return [left for left, _ in chosen], [right for _, right in chosen]


def shown(mirror: PostgresMirror) -> dict[Key, list[str | None]]:
    return {key: list(values) for key, values in mirror.rows(PAIRS).items()}


def expected_to_show(lefts: Sequence[RowState], rights: Sequence[RowState], now: int) -> dict[Key, list[str | None]]:
    joined = [merge(left, right, INTS) for left, right in zip(lefts, rights, strict=True)]
    return {key(i): visible_values(state, now) for i, state in enumerate(joined) if is_visible(state, now)}


def test_a_row_shows_what_select_shows(pairs: PostgresMirror) -> None:
    cases = sorted((case for case in SIGHT_CASES if not _erased(case.state)), key=lambda case: case.now)
    for i, case in enumerate(cases):
        pairs.set_clock(case.now)
        pairs.apply([replace_key(case.state, key(i))])
        got = shown(pairs).get(key(i))
        assert (case.name, got) == (case.name, case.want)


def replace_key(state: RowState, new: Key) -> Change:
    return Change(table(), msgspec.structs.replace(state, key=new), NO_RECORD)


def _erased(state: RowState) -> bool:
    """Return whether a state can only be in PostgreSQL after a sweep, never on its way there."""
    expires = state.expires or [None] * len(state.values)
    return any(value is None and expiry is not None for value, expiry in zip(state.values, expires, strict=True))
