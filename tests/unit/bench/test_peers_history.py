"""What must be there after the history that peers are checked with."""

from __future__ import annotations

import json
import random
from collections import Counter
from decimal import Decimal

import pytest

from bench.peers.history import COPIES, cell, expected_rows, history
from bench.workloads import REGULAR, Workload, Write, full_row
from cdc.event import ABSENT, RowState, Value
from cdc.ordering import collapse

KEY = ("7f6a4a0e-0000-0000-0000-000000000001", 3)


def write(op: str, ts_us: int, columns: tuple[str, ...] = REGULAR, nulls: tuple[str, ...] = ()) -> Write:
    """Return a write of which every value tells its time."""
    return Write(op, *KEY, ts_us, ts_us, 1, columns, nulls)


def cells(**ts_us_by_column: int) -> tuple[object, ...]:
    """Return cells, each written at a time; the others are null."""
    return tuple(
        cell(column, full_row(ts_us_by_column[column], 1)[column]) if column in ts_us_by_column else None for column in REGULAR
    )


ALL_OF_1 = cells(**dict.fromkeys(REGULAR, 1))
CASES = {
    "an insert is a row": ([write("i", 1)], ALL_OF_1),
    "an update is one too": ([write("u", 1, ("count",))], cells(count=1)),
    "an update leaves other columns alone": (
        [write("i", 1), write("u", 2, ("count", "name"))],
        cells(**dict.fromkeys(REGULAR, 1) | {"count": 2, "name": 2}),
    ),
    "an older write that comes late changes what nothing newer has written": (
        [write("u", 2, ("count",)), write("i", 1)],
        cells(**dict.fromkeys(REGULAR, 1) | {"count": 2}),
    ),
    "a null is a write": ([write("i", 1), write("u", 2, ("count",), ("count",))], cells(**dict.fromkeys(REGULAR[1:], 1))),
    "an older null is not": ([write("i", 2), write("u", 1, ("count",), ("count",))], cells(**dict.fromkeys(REGULAR, 2))),
    "a delete removes what is older": ([write("i", 1), write("d", 2, ())], None),
    "a delete that comes late removes nothing newer": (
        [write("u", 1, ("name",)), write("u", 3, ("count",)), write("d", 2, ())],
        cells(count=3),
    ),
    "a row of updates ends with its last cell": ([write("u", 1, ("count",)), write("u", 2, ("count",), ("count",))], None),
    "an inserted row does not": ([write("i", 1, ("count",)), write("u", 2, ("count",), ("count",))], cells()),
    "an insert older than a delete is no marker": (
        [write("i", 1), write("d", 2, ()), write("u", 3, ("count",), ("count",))],
        None,
    ),
}


@pytest.mark.parametrize(("writes", "want"), CASES.values(), ids=CASES.keys())
def test_the_last_write_wins_cell_by_cell(writes: list[Write], want: tuple[object, ...] | None) -> None:
    got = expected_rows(writes)
    assert got == ({} if want is None else {KEY: want})


def test_neither_order_nor_repetition_matters() -> None:
    writes = list(history(2_000).writes)
    shuffled = writes * 2
    random.Random(3).shuffle(shuffled)
    assert expected_rows(shuffled) == expected_rows(writes)


def test_the_rules_of_the_mirror_give_the_same_rows() -> None:
    writes = history(2_000).writes
    joined = collapse((_state(write) for write in writes), [str.encode] * len(REGULAR))
    want = {
        (state.key[0] or "", int(state.key[1] or "")): tuple(
            None if value is ABSENT or value is None else cell(column, str(value))
            for column, value in zip(REGULAR, state.values, strict=True)
        )
        for state in joined.values()
        if state.marker is not None or any(isinstance(value, str) for value in state.values)
    }
    assert expected_rows(writes) == want


def test_the_history_has_every_kind_of_write_and_late_ones() -> None:
    workload = history(2_000)
    kinds = Counter((write.op, len(write.columns) < len(REGULAR), bool(write.nulls)) for write in workload.writes)
    assert set(kinds) == {
        ("i", False, False),
        ("i", False, True),
        ("u", True, False),
        ("u", True, True),
        ("d", True, False),
    }
    times = [write.ts_us for write in workload.writes]
    assert times != sorted(times)
    assert len(set(times)) == len(times)
    assert workload.copies == COPIES


def test_it_is_the_same_each_time() -> None:
    assert history(500) == history(500)
    assert isinstance(history(500), Workload)


def test_prices_are_compared_as_numbers() -> None:
    assert cell("price", '"1.50"') == Decimal("1.5")
    assert cell("price", "null") is None


def _state(write: Write) -> RowState:
    values: list[Value] = [ABSENT] * len(REGULAR)
    for column, json_text in write.values().items():
        values[REGULAR.index(column)] = None if json.loads(json_text) is None else json_text
    marker = write.ts_us if write.op == "i" else None
    deletion = write.ts_us if write.op == "d" else None
    return RowState((write.id, str(write.seq)), write.ts_us, values, marker, deletion=deletion)
