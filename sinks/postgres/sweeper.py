"""The thread that takes what has expired out of sight, and forgets what has been remembered long enough."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

from sinks.postgres.writer import Writer


class Sweeper:
    """Sweeps every `interval_seconds` and purges every `purge_interval_seconds`, on a connection of its own."""

    def __init__(
        self,
        writer: Writer,
        *,
        interval_seconds: float,
        purge_interval_seconds: float,
        on_error: Callable[[BaseException], None] = lambda _: None,
    ) -> None:
        """`on_error` is told what ended the thread: an idle sink is not asked for a snapshot, where it would be raised."""
        self._writer = writer
        self._interval = interval_seconds
        self._purge_interval = purge_interval_seconds
        self._on_error = on_error
        self._ending = threading.Event()
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None
        self._error: BaseException | None = None

    def watch(self, writer: Writer) -> None:
        """Notice for a writer that has nothing to write when PostgreSQL has gone back."""
        self._writer.watch(writer)

    def start(self) -> None:
        """Start the thread once."""
        with self._lock:
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="postgres-sweeper", daemon=True)
                self._thread.start()

    @property
    def is_started(self) -> bool:
        return self._thread is not None

    def raise_error(self) -> None:
        """Raise what ended the thread, if anything did."""
        if self._error is not None:
            raise self._error

    def finish(self) -> None:
        """End the thread and sweep once more, so that a drained exit leaves nothing expired in sight."""
        self._ending.set()
        if self._thread is not None:
            self._thread.join()
        self.raise_error()
        self._writer.sweep()
        self._writer.close()

    def abandon(self) -> None:
        """End the thread as it is; raises nothing. It may be waiting for the server, and is left to that."""
        self._ending.set()

    def _run(self) -> None:
        purge_at = time.monotonic() + self._purge_interval
        try:
            while not self._ending.wait(self._interval):
                self._writer.sweep()
                if time.monotonic() >= purge_at:
                    self._writer.purge()
                    purge_at = time.monotonic() + self._purge_interval
        except BaseException as error:  # noqa: BLE001  # it is raised where the engine can see it
            self._error = error
            self._on_error(error)
