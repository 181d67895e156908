"""Cassandra's rules, case by case, and pair by pair against a second formulation of them."""

from __future__ import annotations

import functools

import pytest

from cdc.event import RowState
from cdc.ordering import Cell, cells_of, collapse, is_visible, merge, reconcile, strip, visible_values
from tests.unit.ordering.cases import (
    KEY,
    LATE,
    MERGE_CASES,
    SIGHT_CASES,
    SOON,
    STRIP_CASES,
    Case,
    SightCase,
    StripCase,
    cell,
    deletion,
    every_state,
    insert,
)


def serialize_int(text: str) -> bytes:
    return int(text).to_bytes(4, "big", signed=True)


INTS = (serialize_int, serialize_int)


@pytest.mark.parametrize("case", MERGE_CASES, ids=lambda case: case.name)
def test_merge_keeps_what_cassandra_keeps(case: Case) -> None:
    got = [merge(case.left, case.right, INTS), merge(case.right, case.left, INTS)]
    assert got == [case.want, case.want]


@pytest.mark.parametrize("case", MERGE_CASES, ids=lambda case: case.name)
def test_a_state_that_is_known_changes_nothing(case: Case) -> None:
    got = [merge(case.want, state, INTS) for state in (case.left, case.right, case.want)]
    assert got == [case.want] * 3


@pytest.mark.parametrize("case", STRIP_CASES, ids=lambda case: case.name)
def test_strip_leaves_what_a_range_deletion_does_not_cover(case: StripCase) -> None:
    assert strip(case.state, case.deletion_ts) == case.want


@pytest.mark.parametrize("case", SIGHT_CASES, ids=lambda case: case.name)
def test_a_row_shows_what_select_shows(case: SightCase) -> None:
    got = visible_values(case.state, case.now) if is_visible(case.state, case.now) else None
    assert got == case.want


def test_collapse_keeps_keys_apart_and_one_state_a_key() -> None:
    other = RowState(("1", "2"), 1, ["1", None])
    got = collapse([cell(1, "1"), other, cell(2, "2"), deletion(1)], INTS)
    assert got == {KEY: RowState(KEY, 2, ["2", cell(1, "1").values[1]], deletion=1), ("1", "2"): other}


def test_collapse_of_nothing_is_nothing() -> None:
    assert collapse([], INTS) == {}


def test_merge_leaves_its_operands_as_they_were() -> None:
    left, right = insert(1, "1", "2", SOON), insert(2, "2", None)
    merge(left, right, INTS)
    assert (left, right) == (insert(1, "1", "2", SOON), insert(2, "2", None))


def test_only_a_tie_of_values_asks_for_bytes() -> None:
    def refuse(text: str) -> bytes:
        raise AssertionError(text)

    got = reconcile(Cell(1, "1", SOON), Cell(1, "2", LATE), refuse)
    assert got == Cell(1, "2", LATE)


def _resolve_regular(left: Cell, right: Cell) -> int:
    """Compare as `Cells.resolveRegular` of Cassandra 5 does, written as it is there: positive when left wins."""
    if left.write_ts != right.write_ts:
        return 1 if left.write_ts > right.write_ts else -1
    left_dies, right_dies = (cell.value is None or cell.expires is not None for cell in (left, right))
    if left_dies or right_dies:
        if left_dies != right_dies:
            return 1 if left_dies else -1
        left_is_tombstone, right_is_tombstone = left.expires is None, right.expires is None
        if left_is_tombstone != right_is_tombstone:
            return 1 if left_is_tombstone else -1
        if left.expires is not None and right.expires is not None and left.expires != right.expires:
            return 1 if left.expires > right.expires else -1
    mine, theirs = (serialize_int(cell.value) if cell.value is not None else b"" for cell in (left, right))
    return (mine > theirs) - (mine < theirs)


def _by_hand(left: RowState, right: RowState) -> tuple[Cell | None, tuple[int, int | None] | None, int | None]:
    """Join two states of the first column as `Row.Merger` does: the deletion first, then what it leaves."""
    deletions = [state.deletion for state in (left, right) if state.deletion is not None]
    floor = max(deletions, default=None)
    cells = [held for state in (left, right) if (held := cells_of(state)[0]) and (floor is None or held.write_ts > floor)]
    markers = [
        (state.marker, state.marker_expires)
        for state in (left, right)
        if state.marker is not None and (floor is None or state.marker > floor)
    ]
    best = max(cells, key=functools.cmp_to_key(_resolve_regular), default=None)
    return best, max(markers, key=lambda mark: (mark[0], -1 if mark[1] is None else mark[1]), default=None), floor


def test_every_pair_of_states_agrees_with_the_rules_as_cassandra_writes_them() -> None:
    states = every_state()
    differing = []
    for left in states:
        for right in states:
            joined = merge(left, right, INTS)
            mark = None if joined.marker is None else (joined.marker, joined.marker_expires)
            if (cells_of(joined)[0], mark, joined.deletion) != _by_hand(left, right):
                differing.append((left, right))
    assert differing == []
