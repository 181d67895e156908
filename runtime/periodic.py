"""Work that is repeated on a thread of its own."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Final

from runtime.logs import get_logger

JOIN_SECONDS: Final = 5.0
_log = get_logger("periodic")


class Periodic:
    """Does some work every few seconds, with `at_end` once more at the end. What fails is logged, and done again when due."""

    def __init__(self, name: str, interval_seconds: float, work: Callable[[], object], *, at_end: bool = False) -> None:
        self._name = name
        self._interval = interval_seconds
        self._work = work
        self._at_end = at_end
        self._ending = threading.Event()
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        """Begin, one interval from now. Idempotent."""
        if self._thread is None:
            self._thread = threading.Thread(target=self._run, name=self._name, daemon=True)
            self._thread.start()

    def finish(self) -> None:
        """End the thread; one that hangs is left behind."""
        self._ending.set()
        if self._thread is not None:
            self._thread.join(JOIN_SECONDS)

    def _run(self) -> None:
        while not self._ending.wait(self._interval):
            self._do()
        if self._at_end:
            self._do()

    def _do(self) -> None:
        try:
            self._work()
        except Exception as error:  # noqa: BLE001 - what runs beside the flow must not end silently
            _log.exception("periodic_work_failed", work=self._name, exc_info=error)
