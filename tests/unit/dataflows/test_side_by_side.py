"""Rows of both sides stand one below the other, equal values in one notation."""

from __future__ import annotations

import io
from collections import Counter

from rich.console import Console

from cdc.ddl import read_ddl
from cdc.recording import Rows, differences
from dataflows.demo_compare import Comparison
from dataflows.demo_screen import Screen

TABLE = read_ddl("CREATE TABLE k.t (a decimal PRIMARY KEY, d double, j frozen<map<text, int>>)").tables["k", "t"]


def shown(want: Rows, got: Rows, rows: int = 9) -> list[list[str]]:
    out = io.StringIO()
    comparison = Comparison("r", TABLE, want, got, list(differences(TABLE, want, got)), Counter())
    Screen(Console(file=out)).side_by_side(comparison, rows)
    lines = [line.strip("│").replace("│", " ").split() for line in out.getvalue().splitlines()]
    return [line for line in lines if line and line[0] in ("Cassandra", "PostgreSQL")]


def test_equal_values_are_shown_as_postgres_prints_them() -> None:
    got: Rows = {("1.5",): ["12", '{"x":1}']}
    want: Rows = {("1.5",): ["12.0", '{"x": 1}']}
    assert shown(want, got) == [["Cassandra", "1.5", "12", '{"x":1}'], ["PostgreSQL", "1.5", "12", '{"x":1}']]


def test_what_differs_is_shown_as_each_side_has_it() -> None:
    assert shown({("1",): ["12", None]}, {("1",): ["13", None]}) == [
        ["Cassandra", "1", "12", "null"],
        ["PostgreSQL", "1", "13", "null"],
    ]


def test_a_row_that_is_missing_has_an_empty_line() -> None:
    assert shown({("1",): ["12", None]}, {}) == [["Cassandra", "1", "12", "null"], ["PostgreSQL"]]


def test_no_more_rows_are_shown_than_wanted() -> None:
    rows: Rows = {(str(number),): ["1", None] for number in range(5)}
    assert len(shown(rows, rows, rows=2)) == 4
