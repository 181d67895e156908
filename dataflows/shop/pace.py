"""When each statement of a workload is due."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator
from typing import TypeVar

_T = TypeVar("_T")
_GLANCE_S = 0.2


def paced(
    items: Iterable[_T],
    rate: float,
    seconds: float | None = None,
    *,
    stopped: Callable[[], bool] = lambda: False,
    now: Callable[[], float] = time.monotonic,
    sleep: Callable[[float], None] = time.sleep,
) -> Iterator[_T]:
    """Yield each item when it is due: `rate` a second, 0 means at once; those that are late follow without a pause.

    Ends with the items, after `seconds`, or as soon as `stopped`.
    """
    start = now()
    for number, item in enumerate(items):
        due = start + (number / rate if rate else 0)
        if seconds is not None and max(due, now()) - start >= seconds:
            _sleep_until(start + seconds, stopped, now, sleep)
            return
        _sleep_until(due, stopped, now, sleep)
        if stopped():
            return
        yield item


def _sleep_until(due: float, stopped: Callable[[], bool], now: Callable[[], float], sleep: Callable[[float], None]) -> None:
    while (left := due - now()) > 0 and not stopped():
        sleep(min(left, _GLANCE_S))
