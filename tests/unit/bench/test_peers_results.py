"""What the comparison of peers counts, times and prints."""

from __future__ import annotations

import pytest

from bench.peers import jars
from bench.peers.clock import Rate, rate_of
from bench.peers.compare import Differences, compare
from bench.peers.results import WHOLE_RUN, Report, Result
from runtime.embedded.jars import read_lock

RATES = {
    "the middle of the rows": ([(float(n), 10) for n in range(20)], Rate(10.0, middle=True)),
    "slow first and last commits do not count": (
        [(0.0, 9), *((100.0 + n, 10) for n in range(9)), (500.0, 1)],
        Rate(10.0, middle=True),
    ),
    "too few commits for a middle": ([(0.0, 50), (1.0, 50), (2.0, 50)], Rate(50.0, middle=False)),
    "one commit": ([(0.0, 150)], None),
    "none": ([], None),
}


@pytest.mark.parametrize(("commits", "want"), RATES.values(), ids=RATES.keys())
def test_a_rate_is_read_from_commits(commits: list[tuple[float, int]], want: Rate | None) -> None:
    assert rate_of(commits) == want


def test_differences_are_cells_of_rows_on_both_sides_and_rows_of_one() -> None:
    expected = {("a", 1): (1, "x"), ("b", 1): (2, None), ("c", 1): (3, "z")}
    got = {("a", 1): (1, "y"), ("b", 1): (9, "y"), ("d", 1): (4, "w"), ("e", 1): (5, "v")}
    assert compare(expected, got) == Differences(wrong_cells=3, missing_rows=1, extra_rows=2)


def test_a_peer_that_failed_stands_in_the_table_with_the_reason() -> None:
    right = Result("one", "1.0", 5_000, 3.0, middle=False, wrong_cells=0, missing_rows=0, extra_rows=1_200)
    failed = Result("two", failures=("could not | be installed",))
    lines = Report(10, 20, 30, 2, 10_000.0, [right, failed]).markdown().splitlines()
    assert lines[2] == f"| one | 1.0 | 5,000 | 0.50 | 3.0 | 0 | 0 | 1,200 | {WHOLE_RUN} |"
    assert lines[3] == "| two |  |  |  |  |  |  |  | could not / be installed |"


def test_every_jar_of_the_peers_is_pinned() -> None:
    pinned = read_lock(jars.LOCK_FILE)
    assert set(pinned) == set(jars.ROOTS)
    for name, roots in jars.ROOTS.items():
        assert set(roots) <= {jar.coordinate for jar in pinned[name]}
