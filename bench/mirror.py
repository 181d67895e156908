"""The whole flow as its own process, and how fast its offsets move in PostgreSQL."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import psutil  # type: ignore[import-untyped]
import psycopg

POLL_SECONDS = 0.1  # looking costs processor time too


@dataclass(frozen=True)
class Run:
    """One drained flow: records a second between first and last commit, processor time in all, peak of the largest process."""

    records_per_second: float
    seconds: float
    cpu_seconds: float
    peak_mb: float


def run_flow(settings: Mapping[str, str], directory: Path, dsn: str, topic: str, records: int, *, processes: int = 1) -> Run:
    """Run the flow until it has caught up. Raises `RuntimeError` when it fails or leaves records."""
    before = _offsets(dsn, topic)
    log = directory / "flow.log"
    command = [sys.executable, "-m", "dataflows", "run", "--processes", str(processes)]
    command += ["--recovery-dir", str(directory / f"recovery-{processes}")]
    with log.open("ab") as out:
        process = subprocess.Popen(command, env={**os.environ, **settings}, stdout=out, stderr=out)
    first: tuple[float, int] | None = None
    last = (time.perf_counter(), before)
    usage = Usage(process.pid)
    with psycopg.connect(dsn, autocommit=True) as connection:
        while process.poll() is None:
            usage.look()
            reached = read_offsets(connection, topic)
            if reached > last[1]:
                last = (time.perf_counter(), reached)
                first = first or last
            time.sleep(POLL_SECONDS)
    if process.wait() or first is None or last[1] - before != records:
        raise RuntimeError(f"the flow ended with {process.returncode} at {last[1] - before} of {records} records: see {log}")
    seconds = last[0] - first[0]
    return Run((last[1] - first[1]) / seconds, seconds, sum(usage.cpu_seconds.values()), max(usage.peak_bytes.values()) / 2**20)


class Usage:
    """What a process and those that it started have used, each as long as it was seen."""

    def __init__(self, pid: int) -> None:
        self._first = psutil.Process(pid)
        self.cpu_seconds: dict[int, float] = {}
        self.peak_bytes: dict[int, int] = {}

    def look(self) -> None:
        """Look at all of them once."""
        with suppress(psutil.Error):
            for process in (self._first, *self._first.children()):
                times, resident = process.cpu_times(), process.memory_info().rss
                self.cpu_seconds[process.pid] = times.user + times.system
                self.peak_bytes[process.pid] = max(resident, self.peak_bytes.get(process.pid, 0))


def _offsets(dsn: str, topic: str) -> int:
    with psycopg.connect(dsn, autocommit=True) as connection:
        return read_offsets(connection, topic)


def read_offsets(connection: psycopg.Connection, topic: str) -> int:
    """Return the sum of the stored offsets of a topic, 0 before there are any."""
    row = connection.execute("SELECT to_regclass('cdc.offsets')").fetchone()
    if row is None or row[0] is None:
        return 0
    row = connection.execute("SELECT coalesce(sum(next_offset), 0) FROM cdc.offsets WHERE topic = %s", (topic,)).fetchone()
    return int(row[0]) if row else 0
