"""Which rows a clustering range holds: prefixes, open ends, both bounds, both directions."""

from __future__ import annotations

from typing import NamedTuple

import pytest

from cdc.event import Bound, RangeDeletion
from cdc.ranges import ClusteringOrder


class CoverCase(NamedTuple):
    """A range of rows `(int, text)` and those of the grid 1-3 by a-c that it holds."""

    name: str
    start: Bound
    end: Bound
    want: str


def number(value: int) -> bytes:
    return value.to_bytes(4, "big", signed=True)


def bound(*values: int | str, inclusive: bool = True) -> Bound:
    return Bound(tuple(number(v) if isinstance(v, int) else v.encode() for v in values), inclusive)


def signed(value: bytes) -> int:
    return int.from_bytes(value, "big", signed=True)


ALL = "1a 1b 1c 2a 2b 2c 3a 3b 3c"
ASCENDING = [
    CoverCase("both ends open: the partition", bound(), bound(), ALL),
    CoverCase("an open start", bound(), bound(1), "1a 1b 1c"),
    CoverCase("an open end", bound(3), bound(), "3a 3b 3c"),
    CoverCase("a prefix is all rows that begin with it", bound(2), bound(2), "2a 2b 2c"),
    CoverCase("a full key as a range is one row", bound(2, "b"), bound(2, "b"), "2b"),
    CoverCase("an exclusive start leaves its prefix out", bound(1, inclusive=False), bound(), "2a 2b 2c 3a 3b 3c"),
    CoverCase("an exclusive end leaves its prefix out", bound(), bound(2, inclusive=False), "1a 1b 1c"),
    CoverCase("bounds of unequal length", bound(1, "b"), bound(2), "1b 1c 2a 2b 2c"),
    CoverCase("a slice within a prefix", bound(2, "a", inclusive=False), bound(2), "2b 2c"),
    CoverCase("a slice of two columns", bound(1, "b"), bound(3, "a", inclusive=False), "1b 1c 2a 2b 2c"),
    CoverCase("nothing between exclusive neighbours", bound(1, inclusive=False), bound(2, inclusive=False), ""),
    CoverCase("numbers order as numbers, below zero too", bound(-1), bound(1), "1a 1b 1c"),
    CoverCase("a bound that no row has", bound(2, "aa"), bound(2, "bb"), "2b"),
]
FIRST_DESCENDING = [
    CoverCase("the start is the larger value", bound(3), bound(2), "2a 2b 2c 3a 3b 3c"),
    CoverCase("an exclusive start leaves the larger out", bound(3, inclusive=False), bound(), "1a 1b 1c 2a 2b 2c"),
    CoverCase("greater than one has an open start", bound(), bound(1, inclusive=False), "2a 2b 2c 3a 3b 3c"),
    CoverCase("the second column still ascends", bound(2, "b"), bound(1, "a"), "1a 2b 2c"),
]
SECOND_DESCENDING = [
    CoverCase("greater than a, within a prefix", bound(2), bound(2, "a", inclusive=False), "2b 2c"),
    CoverCase("from c down to b", bound(2, "c"), bound(2, "b"), "2b 2c"),
    CoverCase("a slice over the first column", bound(1, "b"), bound(2), "1a 1b 2a 2b 2c"),
]


@pytest.mark.parametrize(
    ("descending", "case"),
    [
        *(((False, False), case) for case in ASCENDING),
        *(((True, False), case) for case in FIRST_DESCENDING),
        *(((False, True), case) for case in SECOND_DESCENDING),
    ],
    ids=str,
)
def test_a_range_holds_its_rows(descending: tuple[bool, bool], case: CoverCase) -> None:
    order = ClusteringOrder((signed, bytes), descending)
    rows = {f"{first}{second}": (number(first), second.encode()) for first in (1, 2, 3) for second in "abc"}
    deletion = RangeDeletion(("1",), b"", case.start, case.end, 0)
    got = " ".join(name for name, row in rows.items() if order.covers(deletion, row))
    assert got == case.want


def test_values_that_compare_equal_are_one_place() -> None:
    order = ClusteringOrder((lambda value: value.lower(), bytes), (False, False))
    deletion = RangeDeletion(("1",), b"", Bound((b"A", b"b")), Bound((b"A", b"c")), 0)
    got = [order.covers(deletion, (b"a", second)) for second in (b"a", b"b", b"c", b"d")]
    assert got == [False, True, True, False]
