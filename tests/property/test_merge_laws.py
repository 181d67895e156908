"""The merge is a join: any order, any repetition, any split, range deletions before or after.

Times come from a domain of six, so that ties are the rule and not the exception.
"""

from __future__ import annotations

import random
from functools import reduce
from itertools import product

from hypothesis import given, settings
from hypothesis import strategies as st

from cdc.event import ABSENT, RowState
from cdc.ordering import Cell, cells_of, collapse, is_visible, merge, row_state, strip, visible_values

WIDTH = 3
KEYS = [("1",), ("2",)]
SERIALIZERS = (str.encode,) * WIDTH

timestamps = st.integers(0, 5)
_TIMES: list[int] = list(range(6))
_EXPIRIES: list[int | None] = [None, 0, 1, 2, 3]
_CELLS: list[Cell | None] = [None, *(Cell(*cell) for cell in product(_TIMES, (None, "a", "b", "ab"), _EXPIRIES))]
_MARKERS: list[tuple[int, int | None] | None] = [None, *product(_TIMES, _EXPIRIES)]
_DELETIONS: list[int | None] = [None, None, *_TIMES]


def states(key: tuple[str, ...] = KEYS[0]) -> st.SearchStrategy[RowState]:
    """Return row states as stages and sweeps make them: expiring, erased, with or without a marker or a deletion."""
    cells = st.tuples(*[st.sampled_from(_CELLS)] * WIDTH)
    return st.builds(row_state, st.just(key), cells, st.sampled_from(_MARKERS), st.sampled_from(_DELETIONS))


def reduced(state: RowState) -> RowState:
    """Return the same state in the one form that the merge gives."""
    return merge(state, state, SERIALIZERS)


def joined(parts: list[RowState]) -> RowState:
    return reduce(lambda left, right: merge(left, right, SERIALIZERS), parts)


def stripped(state: RowState | None, times: list[int]) -> RowState | None:
    for time in times:
        state = None if state is None else strip(state, time)
    return state


@settings(max_examples=1_000)
@given(states(), states())
def test_merge_is_commutative(left: RowState, right: RowState) -> None:
    assert merge(left, right, SERIALIZERS) == merge(right, left, SERIALIZERS)


@settings(max_examples=1_000)
@given(states(), states(), states())
def test_merge_is_associative(one: RowState, two: RowState, three: RowState) -> None:
    got = merge(merge(one, two, SERIALIZERS), three, SERIALIZERS)
    assert got == merge(one, merge(two, three, SERIALIZERS), SERIALIZERS)


@given(states(), states())
def test_merge_is_idempotent(left: RowState, right: RowState) -> None:
    both = merge(left, right, SERIALIZERS)
    assert [merge(both, part, SERIALIZERS) for part in (left, right, both)] == [both] * 3


@settings(max_examples=500)
@given(st.lists(states(), min_size=1, max_size=6), st.integers(0, 2**32), st.data())
def test_any_order_repetition_and_split_gives_one_state(parts: list[RowState], seed: int, data: st.DataObject) -> None:
    shuffled = parts + random.Random(seed).choices(parts, k=len(parts))
    random.Random(seed).shuffle(shuffled)
    cut = data.draw(st.integers(0, len(shuffled)))
    batches = [collapse(batch, SERIALIZERS) for batch in (shuffled[:cut], shuffled[cut:])]
    got = collapse([state for batch in batches for state in batch.values()], SERIALIZERS)
    assert reduced(got[KEYS[0]]) == joined(parts)


@given(st.lists(st.sampled_from(KEYS).flatmap(states), max_size=8))
def test_collapse_joins_each_key_alone(mixed: list[RowState]) -> None:
    got = {key: reduced(state) for key, state in collapse(mixed, SERIALIZERS).items()}
    assert got == {key: joined(mine) for key in KEYS if (mine := [state for state in mixed if state.key == key])}


@settings(max_examples=1_000)
@given(states(), states(), st.lists(timestamps, min_size=1, max_size=3))
def test_a_range_deletion_may_come_before_between_or_after(left: RowState, right: RowState, times: list[int]) -> None:
    after = stripped(merge(left, right, SERIALIZERS), times)
    parts = [part for part in (stripped(left, times), stripped(right, times)) if part is not None]
    before = joined(parts) if parts else None
    between = merge(part, right, SERIALIZERS) if (part := stripped(left, times)) is not None else right
    assert [before, stripped(between, times)] == [after, after]


@given(states(), timestamps, timestamps)
def test_range_deletions_commute_and_the_greatest_counts(state: RowState, one: int, two: int) -> None:
    got = [stripped(state, [one, two]), stripped(state, [two, one]), stripped(state, [one, one])]
    assert got == [strip(state, max(one, two)), strip(state, max(one, two)), strip(state, one)]


@settings(max_examples=500)
@given(states(), timestamps, st.integers(0, 4))
def test_a_range_deletion_and_a_row_deletion_of_one_time_look_alike(state: RowState, time: int, now: int) -> None:
    left = strip(state, time)
    deleted = merge(state, RowState(state.key, time, [ABSENT] * WIDTH, deletion=time), SERIALIZERS)
    assert _seen(left, now) == _seen(deleted, now)


@settings(max_examples=500)
@given(states(), states(), st.integers(0, 3))
def test_erasing_what_has_expired_changes_nothing_that_is_seen_later(left: RowState, right: RowState, now: int) -> None:
    got = merge(_erased(left, now), right, SERIALIZERS)
    want = merge(left, right, SERIALIZERS)
    assert [_seen(got, later) for later in range(now, 5)] == [_seen(want, later) for later in range(now, 5)]


def _erased(state: RowState, now: int) -> RowState:
    """Return the state after a sweep at `now`: expired cells keep timestamp and expiry, their values are gone."""
    cells = [
        cell._replace(value=None) if cell is not None and cell.expires is not None and cell.expires <= now else cell
        for cell in cells_of(state)
    ]
    mark = None if state.marker is None else (state.marker, state.marker_expires)
    return row_state(state.key, cells, mark, state.deletion)


def _seen(state: RowState | None, now: int) -> list[str | None] | None:
    return visible_values(state, now) if state is not None and is_visible(state, now) else None
