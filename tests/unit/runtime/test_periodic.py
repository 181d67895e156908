"""Work that is repeated beside the flow."""

from __future__ import annotations

import threading

import pytest
from structlog.testing import capture_logs

from runtime.periodic import Periodic


def test_work_is_repeated_until_the_end_whatever_becomes_of_it() -> None:
    done = threading.Semaphore(0)

    def work() -> None:
        done.release()
        raise ValueError("open sesame")

    with capture_logs() as logs:
        periodic = Periodic("odd", 0.001, work)
        periodic.start()
        periodic.start()
        for _ in range(3):
            assert done.acquire(timeout=30)
        periodic.finish()
    assert {(line["event"], line["work"]) for line in logs} == {("periodic_work_failed", "odd")}
    assert "odd" not in {thread.name for thread in threading.enumerate()}


@pytest.mark.parametrize("at_end", [True, False])
def test_only_what_is_wanted_at_the_end_is_done_then(at_end: bool) -> None:
    done: list[int] = []
    periodic = Periodic("last", 3_600, lambda: done.append(1), at_end=at_end)
    periodic.start()
    periodic.finish()
    assert done == [1] * at_end


def test_what_never_began_ends_at_once() -> None:
    Periodic("never", 1, lambda: None, at_end=True).finish()
