"""A demo succeeds only when something was compared, nothing differs and no event was given up."""

from __future__ import annotations

import pytest

from dataflows.demo_outcome import EXIT_DIFFERENT, Outcome


@pytest.mark.parametrize(
    ("outcome", "exit_code", "line"),
    [
        (Outcome(0), 0, "0 differences"),
        (Outcome(1), EXIT_DIFFERENT, "1 difference"),
        (Outcome(1_234), EXIT_DIFFERENT, "1,234 differences"),
        (Outcome(0, dead_letters=1), EXIT_DIFFERENT, "0 differences, 1 dead letter"),
        (Outcome(2, dead_letters=3), EXIT_DIFFERENT, "2 differences, 3 dead letters"),
        (Outcome(0, compared_nothing=True), EXIT_DIFFERENT, "nothing was compared"),
    ],
)
def test_what_a_demo_says_at_its_end(outcome: Outcome, exit_code: int, line: str) -> None:
    assert (outcome.exit_code, str(outcome)) == (exit_code, line)
