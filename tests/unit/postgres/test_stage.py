"""Which rows of a batch are staged together, and in which form."""

from __future__ import annotations

import pytest

from cdc.event import ABSENT, PlainRow, RowState, Value
from sinks.postgres.stage import MIN_GROUP_ROWS, Group, stage
from sinks.postgres.statements import DELETION, Touched
from tests.fixtures.events import table_of
from tests.model.plain import plain_row
from tests.unit.postgres.test_statements import DDL, layout_of

LAYOUT = layout_of(table_of(DDL))
KEY = ("1", "2")

FORMS: dict[str, tuple[RowState, Touched]] = {
    "a whole row": (RowState(KEY, 5, ["x", "1"], marker=5), (0, 1)),
    "one column": (RowState(KEY, 5, [ABSENT, "1"]), (1,)),
    "a key alone": (RowState(KEY, 5, [ABSENT, ABSENT], marker=5), ()),
    "a row deletion": (RowState(KEY, 5, [ABSENT, ABSENT], deletion=5), DELETION),
    "a row deletion and a newer key": (RowState(KEY, 6, [ABSENT, ABSENT], marker=6, deletion=5), None),
    "a row deletion and a newer value": (RowState(KEY, 6, ["x", ABSENT], deletion=5), None),
    "a null": (RowState(KEY, 5, [None, "1"]), None),
    "an expiring key": (RowState(KEY, 5, [ABSENT, ABSENT], marker=5, marker_expires=9), None),
}


@pytest.mark.parametrize("name", FORMS)
def test_a_row_is_staged_in_the_form_of_what_it_says(name: str) -> None:
    state, form = FORMS[name]
    assert [group.touched for group in stage(LAYOUT, [state])] == [form]


def test_row_deletions_are_staged_as_keys_with_a_time_behind_the_other_groups() -> None:
    rows = [RowState((str(n), "2"), 5, ["x", "1"], marker=5) for n in range(3)]
    deletions = [RowState((str(n), "2"), n, [ABSENT, ABSENT], deletion=n) for n in (7, 8)]
    assert stage(LAYOUT, [*deletions, *rows])[1:] == [Group(DELETION, 2, b"7\t2\t7\t1\n8\t2\t8\t1\n")]


def test_two_deletions_of_a_row_are_one() -> None:
    deletions = [RowState(KEY, ts, [ABSENT, ABSENT], deletion=ts) for ts in (5, 7, 6)]
    assert stage(LAYOUT, deletions) == [Group(DELETION, 1, b"1\t2\t7\t0\n")]


def test_plain_rows_and_states_of_one_form_are_one_group() -> None:
    state = RowState(("3", "2"), 5, ["x", "1"], marker=5, is_whole=True)
    want = Group((0, 1), 3, b"1\t2\ta\\\\b\t1\t6\t6\t0\n2\t2\tx\\ty\t1\t7\t\\N\t0\n3\t2\tx\t1\t5\t5\t0\n")
    assert stage(LAYOUT, [state, plain("1", ["a\\b", "1"], 6, 6), plain("2", ["x\ty", "1"], 7)]) == [want]


def test_plain_rows_are_grouped_by_the_columns_they_touch() -> None:
    whole = [plain(str(n), ["x", "1"], 5) for n in range(MIN_GROUP_ROWS + 1)]
    partial = [plain(str(100 + n), [ABSENT, "1"], 5) for n in range(MIN_GROUP_ROWS)]
    got = stage(LAYOUT, [*partial, *whole])
    assert [(group.touched, group.rows, group.lines[-3:]) for group in got] == [
        ((0, 1), MIN_GROUP_ROWS + 1, b"\t0\n"),
        ((1,), MIN_GROUP_ROWS, b"\t1\n"),
    ]


def test_plain_rows_of_a_rare_form_are_staged_in_the_general_one() -> None:
    whole = [plain(str(n), ["x", "1"], 5) for n in range(3)]
    got = stage(LAYOUT, [*whole, plain("7", [ABSENT, "a\tb"], 5)])
    assert got[1:] == [Group(None, 1, b"7\t2\t\\N\ta\\tb\t5\t\\N\t\\N\t\\N\t\\N\t1\n")]


def plain(key: str, values: list[Value], ts: int, marker: int | None = None) -> PlainRow:
    row = plain_row(RowState((key, "2"), ts, values, marker))
    assert row is not None
    return row
