"""Tells operators through Redis how far each topic partition is; recovery trusts PostgreSQL alone."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Final

from runtime.progress import Progress
from runtime.redis_cache import RedisCache

JOIN_SECONDS: Final = 5.0


class Checkpoints:
    """Writes `checkpoint:<topic>:<partition>` for every offset that moved, in one round trip, on a thread of its own.

    Each is a hash of `offset` (the next one to read), `timestamp` (ISO, when PostgreSQL was seen to hold it) and `worker_id`.
    What Redis did not take is written with the next.
    """

    def __init__(
        self,
        cache: RedisCache,
        progress: Progress,
        worker_id: str,
        *,
        interval_seconds: float = 1.0,
        now: Callable[[], float] = time.time,
    ) -> None:
        self._cache = cache
        self._progress = progress
        self._worker_id = worker_id
        self._interval = interval_seconds
        self._now = now
        self._written: dict[tuple[str, int], int] = {}
        self._ending = threading.Event()
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        """Begin to write; without Redis there is nothing to do. Idempotent."""
        if self._cache.is_set and self._thread is None:
            self._thread = threading.Thread(target=self._run, name="checkpoints", daemon=True)
            self._thread.start()

    def write(self) -> int:
        """Write what moved since the last time; return how many checkpoints that are."""
        offsets = self._progress.offsets()
        moved = {key: offset for key, offset in offsets.items() if self._written.get(key) != offset}
        timestamp = datetime.fromtimestamp(self._now(), UTC).isoformat(timespec="milliseconds")
        hashes: dict[str, dict[str, str | int]] = {
            f"checkpoint:{topic}:{partition}": {"offset": offset, "timestamp": timestamp, "worker_id": self._worker_id}
            for (topic, partition), offset in moved.items()
        }
        if not hashes or not self._cache.write_hashes(hashes):
            return 0
        self._written |= moved
        return len(moved)

    def finish(self) -> None:
        """Write the last ones and end the thread."""
        self._ending.set()
        if self._thread is not None:
            self._thread.join(JOIN_SECONDS)

    def _run(self) -> None:
        while not self._ending.wait(self._interval):
            self.write()
        self.write()
