"""The newest deletion that covers a row is found among many as if each of them had been asked."""

from __future__ import annotations

from collections.abc import Callable
from itertools import product
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from cdc.event import Bound, RangeDeletion
from cdc.ranges import ClusteringOrder, Coverage
from cdc.types.identifiers import timeuuid_order
from cdc.types.integers import signed_order

INTS = [number.to_bytes(4, "big", signed=True) for number in (-2, -1, 0, 3)]
TEXTS = [b"", b"a", b"a\x00", b"b"]
TIMES = [
    bytes.fromhex(digits)
    for digits in (
        "00000002000011ee8000000000000001",
        "00000001000111ee8000000000000001",
        "ffffffff000011ee8000000000000001",
        "ffffffff000011ee7f00000000000000",
    )
]
CASES = [b"a", b"A", b"b", b"B"]  # two ways to write each value
KINDS: list[tuple[list[bytes], Callable[[bytes], Any]]] = [
    (INTS, signed_order),
    (TEXTS, bytes),
    (TIMES, timeuuid_order),
    (CASES, bytes.lower),
    (TEXTS, lambda value: (value,) if value else ()),
]


@st.composite
def partitions(draw: st.DrawFn) -> tuple[ClusteringOrder, list[RangeDeletion], list[tuple[bytes, ...]]]:
    """Return an order, deletions with bounds of every shape, and all rows of the values that bounds have."""
    kinds = draw(st.lists(st.sampled_from(KINDS), min_size=1, max_size=3))
    order = ClusteringOrder([sort_key for _, sort_key in kinds], [draw(st.booleans()) for _ in kinds])
    values = st.tuples(*[st.sampled_from(samples) for samples, _ in kinds])
    bounds = st.builds(
        lambda all_of_them, length, inclusive: Bound(all_of_them[:length], inclusive),
        values,
        st.integers(0, len(kinds)),
        st.booleans(),
    )
    deletions = st.builds(RangeDeletion, st.just(("1",)), st.just(b""), bounds, bounds, st.integers(-2, 5))
    return order, draw(st.lists(deletions, max_size=8)), list(product(*[samples for samples, _ in kinds]))


@settings(max_examples=1_000, deadline=None)
@given(partitions())
def test_the_newest_covering_deletion_is_that_of_asking_each(
    drawn: tuple[ClusteringOrder, list[RangeDeletion], list[tuple[bytes, ...]]],
) -> None:
    order, deletions, rows = drawn
    coverage = Coverage(order, deletions)
    want = [max((d.deletion_ts for d in deletions if order.covers(d, row)), default=None) for row in rows]
    assert [coverage.newest(row) for row in rows] == want
