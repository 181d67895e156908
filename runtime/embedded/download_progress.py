"""Show a download: a bar on a terminal, plain lines elsewhere."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn, TransferSpeedColumn


@contextmanager
def progress(title: str, total_bytes: int, console: Console | None = None) -> Iterator[Callable[[int], None]]:
    """Yield a function, safe to call from any thread, that takes the number of bytes that have just arrived."""
    screen = console or Console(stderr=True)
    if not screen.is_terminal:
        with _lines(title, total_bytes, screen) as advance:
            yield advance
        return
    columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn(), TransferSpeedColumn(), TimeRemainingColumn())
    with Progress(*columns, console=screen) as bar:
        task = bar.add_task(title, total=total_bytes)
        yield lambda count: bar.advance(task, count)


@contextmanager
def _lines(title: str, total_bytes: int, screen: Console) -> Iterator[Callable[[int], None]]:
    started, lock = time.monotonic(), threading.Lock()
    arrived, next_quarter = 0, total_bytes / 4

    def advance(count: int) -> None:
        nonlocal arrived, next_quarter
        with lock:
            arrived += count
            if next_quarter <= arrived < total_bytes:
                screen.print(f"{title}, {arrived / total_bytes:.0%}", highlight=False)
                next_quarter += total_bytes / 4

    screen.print(f"{title}, {total_bytes / 1e6:.1f} MB", highlight=False)
    yield advance
    screen.print(f"{title}, done in {time.monotonic() - started:.1f} s", highlight=False)
