"""Where rows of one batch meet: what stays plain, and what is looked into."""

from __future__ import annotations

import pytest

from cdc.event import ABSENT, PlainRow, RowState, Value
from cdc.plain_state import Row
from sinks.postgres.collapse import collapse
from tests.fixtures.events import table_of
from tests.model.plain import plain_row
from tests.unit.postgres.test_statements import DDL, layout_of

LAYOUT = layout_of(table_of(DDL))
KEY = ("1", "2")


def plain(ts: int, text: str | None, total: str | None = "1", *, marker: bool = False, key: tuple[str, str] = KEY) -> PlainRow:
    """Return an INSERT (`marker`) or UPDATE; None is a column that it leaves alone."""
    values: list[Value] = [ABSENT if value is None else value for value in (text, total)]
    row = plain_row(RowState(key, ts, values, ts if marker else None))
    assert row is not None
    return row


def collapsed(*rows: Row) -> list[Row]:
    return list(collapse(LAYOUT, rows))


def test_rows_that_are_alone_are_not_looked_into() -> None:
    rows = [plain(5, "x", key=("1", str(n))) for n in range(3)]
    assert all(got is row for got, row in zip(collapsed(*rows), rows, strict=True))


REPLACED: dict[str, tuple[PlainRow, PlainRow]] = {
    "two updates": (plain(5, "x"), plain(6, "y")),
    "two inserts": (plain(5, "x", marker=True), plain(6, "y", marker=True)),
    "an update and a newer insert": (plain(5, "x"), plain(6, "y", marker=True)),
    "a key alone twice": (plain(5, None, None, marker=True), plain(6, None, None, marker=True)),
}


@pytest.mark.parametrize("name", REPLACED)
def test_a_row_that_is_written_over_leaves_the_newer_as_it_is(name: str) -> None:
    older, newer = REPLACED[name]
    assert [collapsed(older, newer), collapsed(newer, older), collapsed(older, newer, older)] == [[newer]] * 3


JOINED: dict[str, tuple[Row, Row, RowState]] = {
    "an insert and a newer update": (
        plain(5, "x", marker=True),
        plain(6, "y"),
        RowState(KEY, 6, ["y", "1"], marker=5),
    ),
    "different columns": (plain(5, "x", None), plain(6, None, "2"), RowState(KEY, 6, ["x", "2"], stamps=[5, 6])),
    "fewer columns later": (plain(5, "x"), plain(6, "y", None), RowState(KEY, 6, ["y", "1"], stamps=[6, 5])),
    "one time": (plain(5, "x"), plain(5, "y"), RowState(KEY, 5, ["y", "1"])),
    "a row deletion between": (
        plain(5, "x"),
        RowState(KEY, 6, [ABSENT, ABSENT], deletion=6),
        RowState(KEY, 6, [ABSENT, ABSENT], deletion=6),
    ),
    "a null of one column": (plain(5, "x"), RowState(KEY, 6, [None, ABSENT]), RowState(KEY, 6, [None, "1"], stamps=[6, 5])),
}


@pytest.mark.parametrize("name", JOINED)
def test_rows_of_one_key_are_joined(name: str) -> None:
    one, other, want = JOINED[name]
    assert [collapsed(one, other), collapsed(other, one)] == [[want]] * 2


def test_keys_with_escapes_meet() -> None:
    key = ("a\tb", "\\N\n\r")
    deletion = RowState(key, 6, [ABSENT, ABSENT], deletion=6)
    assert collapsed(plain(5, "x", key=key), deletion, plain(5, "x", key=("a", "b"))) == [
        deletion,
        plain(5, "x", key=("a", "b")),
    ]
