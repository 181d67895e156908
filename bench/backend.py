"""What one backend of PostgreSQL 18 has used, and this process beside it, as Linux and the server tell."""

from __future__ import annotations

import gc
import os
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import psycopg

from sinks.postgres.writer import Writer

MIB = 2**20
PAUSE_SECONDS = 1.1  # a backend tells its statistics at the end of a transaction, at most once a second
LOOK_SECONDS = 0.01
BLOCKS = "SELECT sum(hits) + sum(reads) FROM pg_stat_get_backend_io(%s) WHERE object = 'relation'"


@dataclass(frozen=True)
class Used:
    """Time of the clock, processor seconds of both sides, and WAL of the whole server.

    `blocks` are looks at a block of a table or index, found in the cache or read; the staging table's are left out. Of memory
    that is a process's own the backend's peak, and how far this process went beyond what it had.
    """

    seconds: float
    backend_seconds: float
    flow_seconds: float
    blocks: int
    wal_bytes: int
    backend_peak_mb: float
    flow_growth_mb: float


class Backend:
    """The backend of an open writer. Nobody else may write to the server meanwhile."""

    def __init__(self, writer: Writer, watcher: psycopg.Connection) -> None:
        """`watcher` is a connection of its own, in autocommit mode."""
        self._writer = writer
        self._watcher = watcher
        writer.stored_positions()  # opens the connection
        self.pid = int(self._ask("SELECT pid FROM pg_stat_activity WHERE application_name = 'cassmirror'"))
        self._seconds = self._backend_seconds = self._flow_seconds = 0.0
        self._wal_bytes = 0
        self._peaks = [0.0, 0.0]
        self._own_megabytes = own_megabytes(os.getpid())
        self._blocks = self._settled_blocks()

    @contextmanager
    def timed(self) -> Iterator[None]:
        """Add what happens inside to what was used, without the garbage that others have left."""
        gc.collect()
        before = self._wal_position(), cpu_seconds(self.pid), time.process_time(), time.perf_counter()
        with self._watched_memory():
            yield
        after = time.perf_counter(), time.process_time(), cpu_seconds(self.pid), self._wal_position()
        wal, backend, flow, clock = (then - since for since, then in zip(before, reversed(after), strict=True))
        self._seconds += clock
        self._backend_seconds += backend
        self._flow_seconds += flow
        self._wal_bytes += int(wal)

    def used(self) -> Used:
        """Return what was used since the beginning."""
        blocks = self._settled_blocks() - self._blocks
        times = self._seconds, self._backend_seconds, self._flow_seconds
        return Used(*times, blocks, self._wal_bytes, self._peaks[0], max(0.0, self._peaks[1] - self._own_megabytes))

    def settle(self) -> None:
        """Have the backend tell its statistics."""
        time.sleep(PAUSE_SECONDS)
        self._writer.stored_positions()

    def _settled_blocks(self) -> int:
        self.settle()
        return int(self._ask(BLOCKS, self.pid))

    def _wal_position(self) -> int:
        return int(self._ask("SELECT pg_current_wal_insert_lsn() - '0/0'::pg_lsn"))

    def _ask(self, query: str, *parameters: object) -> int:
        row = self._watcher.execute(query.encode(), parameters or None).fetchone()
        if row is None:
            raise RuntimeError("the writer has no connection")
        return int(row[0] or 0)

    @contextmanager
    def _watched_memory(self) -> Iterator[None]:
        ending = threading.Event()

        def look() -> None:
            while True:
                for side, pid in enumerate((self.pid, os.getpid())):
                    self._peaks[side] = max(self._peaks[side], own_megabytes(pid))
                if ending.wait(LOOK_SECONDS):
                    return

        thread = threading.Thread(target=look, name="memory", daemon=True)
        thread.start()
        try:
            yield
        finally:
            ending.set()
            thread.join()


def cpu_seconds(pid: int) -> float:
    """Return the processor time of a process with one thread, in nanoseconds: the clock of psutil ticks 100 times a second."""
    return int(Path(f"/proc/{pid}/schedstat").read_text().split()[0]) / 1e9


def own_megabytes(pid: int) -> float:
    """Return the resident memory that is the process's own: without shared buffers and files."""
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("RssAnon:"):
            return int(line.split()[1]) * 1024 / MIB
    return 0.0
