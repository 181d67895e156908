"""The wish to stop: asked for once, the sources end and everything drains; asked for twice, or too slow, the process ends."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Callable
from types import FrameType

from runtime.logs import get_logger

EXIT_NOT_DRAINED = 1
EXIT_NOTHING_TO_DRAIN = 0
LAST_SECONDS = 2.0
log = get_logger("stop")


class Stop:
    """A flag that sources look at. Ending the process hard is always safe: offsets follow what is committed."""

    def __init__(self, grace_seconds: float = 25.0) -> None:
        self.grace_seconds = grace_seconds
        self.gives_up = threading.Event()
        """Set when the grace is over: who waits for a server may raise, so that the process ends in order."""
        self._requested = threading.Event()
        self._drained = threading.Event()

    @property
    def requested(self) -> bool:
        return self._requested.is_set()

    def request(self) -> None:
        """Let the sources end; give up when they have not drained within the grace."""
        if not self._requested.is_set():
            self._requested.set()
            threading.Thread(target=self._give_up_late, name="stop-grace", daemon=True).start()

    def drained(self) -> None:
        """Say that everything has ended well, so that no grace runs any more."""
        self._drained.set()

    def end_on_signals(self) -> None:
        """Let SIGTERM and SIGINT end a process that still starts: it may be waiting for a server, and has nothing to drain."""
        _handle_signals(_end_at_once)

    def on_signals(self) -> None:
        """Take SIGTERM and SIGINT as the wish to stop from now on."""
        _handle_signals(self._on_signal)

    def _on_signal(self, number: int, _frame: FrameType | None) -> None:
        if self.requested:
            os._exit(EXIT_NOT_DRAINED)
        os.write(2, f"{signal.Signals(number).name}: draining, once more to end at once\n".encode())
        self.request()

    def _give_up_late(self) -> None:
        if self._drained.wait(self.grace_seconds):
            return
        log.error("not drained within the grace, giving up; nothing is lost", grace_seconds=self.grace_seconds)
        self.gives_up.set()
        if not self._drained.wait(LAST_SECONDS):
            os._exit(EXIT_NOT_DRAINED)


def _handle_signals(handler: Callable[[int, FrameType | None], None]) -> None:
    """Set the handler. Only the main thread may; elsewhere this does nothing."""
    if threading.current_thread() is threading.main_thread():
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, handler)


def _end_at_once(number: int, _frame: FrameType | None) -> None:
    """End without waiting for the threads of drivers, which try to connect for seconds."""
    os.write(2, f"{signal.Signals(number).name}: ended before anything was read, nothing to drain\n".encode())
    os._exit(EXIT_NOTHING_TO_DRAIN)
