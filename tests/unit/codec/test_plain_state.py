"""The state that a plain row's line holds."""

from __future__ import annotations

import pytest

from cdc.event import ABSENT, PlainRow, RowState
from cdc.plain_state import key_texts, row_state
from tests.fixtures.events import table_of
from tests.model.plain import plain_row

TABLE = table_of("CREATE TABLE shop.t (a int, b text, c text, d text, PRIMARY KEY (a, b))")


def test_escapes_are_read_back_and_untouched_cells_are_absent() -> None:
    row = PlainRow(rb"1" b"\t" rb"x\\N\t", b"1\tx\\\\N\\t\ta\\nb\\r\t5\t\\N\t", (1,), 5, None)
    assert row_state(TABLE, row) == RowState(("1", "x\\N\t"), 5, [ABSENT, "a\nb\r"])


def test_a_row_with_all_its_cells_is_whole() -> None:
    row = PlainRow(b"1\tx", b"1\tx\t\t\xc3\xa9\t-5\t-5\t", (0, 1), -5, -5)
    assert row_state(TABLE, row) == RowState(("1", "x"), -5, ["", "é"], -5, is_whole=True)


@pytest.mark.parametrize("odd", ["", "\t", "\n", "\r", "\\", "\\t", "\\N", "\\\\n", "é\U0001f600\x0b\x85\u2028"])
def test_any_text_goes_into_a_line_and_comes_back(odd: str) -> None:
    state = RowState(("1", odd), 5, [odd, ABSENT], 5)
    row = plain_row(state)
    assert row is not None
    assert (row_state(TABLE, row), key_texts([state, row])) == (state, [row.key] * 2)
    assert row.line.startswith(row.key + b"\t")
