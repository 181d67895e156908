"""When a group is upserted at once, and when what is there is updated first."""

from __future__ import annotations

from sinks.postgres.merge import NEW_BATCHES, NewRows
from sinks.postgres.statements import DELETION

WHOLE = (0, 1, 2)
PARTIAL = (1,)


def test_only_whole_rows_are_expected_to_be_new() -> None:
    new_rows = NewRows(WHOLE)
    assert [new_rows.expected(form) for form in (WHOLE, PARTIAL, DELETION, None)] == [True, False, False, False]


def test_new_rows_are_expected_until_it_is_time_for_another_look() -> None:
    new_rows = NewRows(WHOLE)
    new_rows.looked(PARTIAL, new=0.5)
    assert [new_rows.expected(PARTIAL) for _ in range(NEW_BATCHES + 2)] == [True] * NEW_BATCHES + [False] * 2


def test_few_new_rows_are_no_reason() -> None:
    new_rows = NewRows(WHOLE)
    new_rows.looked(PARTIAL, new=0.05)
    assert not new_rows.expected(PARTIAL)


def test_an_upsert_that_found_its_rows_is_the_last() -> None:
    new_rows = NewRows(WHOLE)
    new_rows.inserted([WHOLE], new=0.05)
    assert not new_rows.expected(WHOLE)


def test_an_upsert_of_new_rows_is_not_the_last() -> None:
    new_rows = NewRows(WHOLE)
    new_rows.inserted([WHOLE], new=0.9)
    new_rows.upserted(WHOLE, unchanging=0.01)
    assert new_rows.expected(WHOLE)


def test_an_upsert_of_copies_is_the_last() -> None:
    new_rows = NewRows(WHOLE)
    new_rows.upserted(WHOLE, unchanging=0.5)
    assert not new_rows.expected(WHOLE)
