"""Tells operators through Redis how far each topic partition is; recovery trusts PostgreSQL alone."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import UTC, datetime

from runtime.progress import Progress
from runtime.redis_cache import RedisCache


class Checkpoints:
    """Writes `checkpoint:<topic>:<partition>` for every offset that moved, in one round trip.

    Each is a hash of `offset` (the next one to read), `timestamp` (ISO, when PostgreSQL was seen to hold it) and `worker_id`.
    What Redis did not take is written with the next.
    """

    def __init__(
        self,
        cache: RedisCache,
        progress: Progress,
        worker_id: str,
        *,
        now: Callable[[], float] = time.time,
    ) -> None:
        self._cache = cache
        self._progress = progress
        self._worker_id = worker_id
        self._now = now
        self._written: dict[tuple[str, int], int] = {}

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
