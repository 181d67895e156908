"""What one partition remembers of its polls."""

from __future__ import annotations

from collections.abc import Iterable

import pytest

from cdc.event import Record
from cdc.runs import RecordRun
from operators.source_lane import Lane


def records(first: int, count: int) -> RecordRun:
    return RecordRun.of("t", 0, [Record("t", 0, offset, -1, None, b"v") for offset in range(first, first + count)])


def offsets(runs: Iterable[RecordRun]) -> list[int]:
    return [record.offset for run in runs for record in run.records()]


def lane(*polls: tuple[int, int, float]) -> Lane:
    """Return a lane that was handed polls, each of so many records, so many copies behind them, at a time."""
    made = Lane("t", 0, "id", 0, 0, 0, None)
    for count, copies, now in polls:
        made.queue(records(made.polled, count), copies, made.polled + count + copies, now)
    return made


TAKEN: dict[str, tuple[list[tuple[int, int, float]], list[int], list[float | None]]] = {
    "nothing": ([], [], [None]),
    "one poll in one piece": ([(3, 0, 1.0)], [5], [1.0, None]),
    "one poll in two pieces": ([(3, 0, 1.0)], [2, 2], [1.0, 1.0, None]),
    "two polls in one piece": ([(3, 0, 1.0), (2, 0, 2.0)], [5], [1.0, None]),
    "the rest of a poll is as old as the poll": ([(3, 0, 1.0), (2, 0, 2.0)], [2, 2], [1.0, 1.0, 2.0]),
    "what came later is younger": ([(3, 0, 1.0), (2, 0, 2.0), (2, 0, 3.0)], [3, 2, 2], [1.0, 2.0, 3.0, None]),
    "copies alone have their time": ([(0, 4, 1.0)], [5], [1.0, None]),
    "copies behind records go with the last of them": ([(3, 1, 1.0), (0, 4, 2.0)], [3], [1.0, None]),
    "copies before records are as old as they are": ([(0, 4, 1.0), (2, 0, 2.0)], [2], [1.0, None]),
}


@pytest.mark.parametrize("case", TAKEN)
def test_a_lane_knows_when_the_oldest_of_what_is_queued_was_polled(case: str) -> None:
    polls, takes, want = TAKEN[case]
    seen = lane(*polls)
    got = [seen.polled_at]
    for limit in takes:
        seen.take(limit)
        got.append(seen.polled_at)
    assert got == want


def test_copies_that_nobody_takes_do_not_pile_up() -> None:
    assert len(lane((2, 0, 1.0), *[(0, 5, 2.0 + number) for number in range(100)]).polls) == 1
    assert len(lane(*[(0, 5, 2.0 + number) for number in range(100)]).polls) == 1


def test_what_was_read_is_counted_where_it_was_queued() -> None:
    seen = lane((3, 1, 1.0), (0, 2, 2.0))
    assert (seen.polled, seen.copies, offsets(seen.runs)) == (6, 3, [0, 1, 2])


@pytest.mark.parametrize("limit", range(1, 8))
def test_what_is_queued_is_handed_out_once_in_its_order(limit: int) -> None:
    seen = lane((3, 2, 1.0), (1, 0, 2.0), (4, 1, 3.0))
    taken: list[int] = []
    while seen.has_more:
        some = offsets(seen.take(limit))
        taken += some
        assert len(some) <= limit
        assert seen.queued == 8 - len(taken)
        assert (seen.taken == 11) == (not seen.queued)
    assert taken == [0, 1, 2, 5, 6, 7, 8, 9]
