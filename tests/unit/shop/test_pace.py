"""When the statements of a workload are due, on a clock of the test's own."""

from __future__ import annotations

from itertools import count

import pytest

from dataflows.shop.pace import paced


class Clock:
    """Stands still but for those who sleep."""

    def __init__(self) -> None:
        self.at = 0.0

    def now(self) -> float:
        return self.at

    def sleep(self, seconds: float) -> None:
        self.at += seconds


@pytest.mark.parametrize(
    ("rate", "seconds", "want"),
    [(4, 1.0, [0, 0.25, 0.5, 0.75]), (1, 2.5, [0, 1, 2]), (10, 0.1, [0])],
)
def test_items_come_at_the_rate_for_the_time(rate: float, seconds: float, want: list[float]) -> None:
    clock = Clock()
    got = [round(clock.at, 6) for _ in paced(count(), rate, seconds, now=clock.now, sleep=clock.sleep)]
    assert got == pytest.approx(want)
    assert clock.at == pytest.approx(seconds)


def test_without_a_rate_they_come_at_once() -> None:
    clock = Clock()
    assert list(paced(range(5), 0, 60, now=clock.now, sleep=clock.sleep)) == [0, 1, 2, 3, 4]
    assert clock.at == 0


def test_what_is_late_is_made_up_for() -> None:
    clock, got = Clock(), []
    for _ in paced(count(), 2, 3, now=clock.now, sleep=clock.sleep):
        got.append(clock.at)
        clock.at += 1.4 if len(got) == 1 else 0  # one write takes long
    assert got == pytest.approx([0, 1.4, 1.4, 1.5, 2, 2.5])


def test_it_ends_when_stopped() -> None:
    clock = Clock()
    got = list(paced(count(), 1, now=clock.now, sleep=clock.sleep, stopped=lambda: clock.at > 3.5))
    assert got == [0, 1, 2, 3]
