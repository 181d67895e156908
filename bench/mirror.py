"""The whole flow as its own process, and how fast its offsets move in PostgreSQL."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import psutil  # type: ignore[import-untyped]
import psycopg

from bench.pages import Pages, Told
from runtime.embedded.ports import any_free

POLL_SECONDS = 0.25  # looking costs processor time too
FLOW, POSTGRES, KAFKA = PARTIES = "flow", "postgres", "java"  # the servers by the names of their processes
OTHER = "other"  # what the flow needs beside its stages: the engine, snapshots, librdkafka's threads
MIDDLE = 0.1, 0.9  # a backlog's begin and end are no steady state: not all processes have started, one has nothing left to do


@dataclass(frozen=True)
class Run:
    """One drained flow: what it did while it committed the middle of the topic, and the peak of its largest process.

    `p50_ms` and `p99_ms` are of its batches, from the poll of the oldest record to the commit.
    """

    records_per_second: float
    cpu_us_per_record: Mapping[str, float]  # by party
    stage_us_per_record: Mapping[str, float]  # the flow's, by stage and `OTHER`
    p50_ms: float
    p99_ms: float
    peak_mb: float


@dataclass(frozen=True)
class Seen:
    """A moment (seconds), the records committed by then, the processor time (seconds) of each party, and what the flow told."""

    at: float
    records: int
    cpu_seconds: Mapping[str, float]
    told: Told


def run_flow(
    settings: Mapping[str, str],
    directory: Path,
    dsn: str,
    topic: str,
    records: int,
    *,
    processes: int = 1,
    under: Sequence[str] = (),
) -> Run:
    """Run the flow, `under` another program if one is given, on a topic that it has not read before.

    Raises `RuntimeError` when it fails or leaves records.
    """
    seen, peak_bytes = drain(settings, directory, dsn, topic, records, processes=processes, under=under)
    middle = [moment for moment in seen if MIDDLE[0] * records <= moment.records <= MIDDLE[1] * records]
    if len(middle) < 2:
        raise RuntimeError(f"{records} records are drained too fast to be timed")
    if not middle[-1].told.stage_seconds:
        raise RuntimeError("the flow did not answer for its metrics")
    return between(middle[0], middle[-1], peak_bytes / 2**20)


def between(first: Seen, last: Seen, peak_mb: float) -> Run:
    """Return what was done from one moment to another."""
    done, told = last.records - first.records, last.told.since(first.told)
    cpu_us = {party: (last.cpu_seconds[party] - first.cpu_seconds[party]) / done * 1e6 for party in PARTIES}
    stage_us = {stage: seconds / done * 1e6 for stage, seconds in told.stage_seconds.items()}
    stage_us[OTHER] = cpu_us[FLOW] - sum(stage_us.values())
    p50_ms, p99_ms = (told.quantile(share) * 1e3 for share in (0.5, 0.99))
    return Run(done / (last.at - first.at), cpu_us, stage_us, p50_ms, p99_ms, peak_mb)


def drain(
    settings: Mapping[str, str],
    directory: Path,
    dsn: str,
    topic: str,
    records: int,
    *,
    processes: int = 1,
    under: Sequence[str] = (),
) -> tuple[list[Seen], int]:
    """Run the flow to the end of the topic; return what was seen meanwhile, and the peak of its largest process in bytes."""
    log = directory / "flow.log"
    command = [*under, sys.executable, "-m", "dataflows", "run", "--processes", str(processes)]
    command += ["--recovery-dir", str(directory / "recovery")]
    port = any_free("the flow's metrics", processes)
    with log.open("ab") as out:
        environment = {**os.environ, **settings, "CDC_HTTP__PORT": str(port)}
        process = subprocess.Popen(command, env=environment, stdout=out, stderr=out)
    usage, pages = Usage(process.pid), Pages(port, processes)
    seen = [Seen(time.perf_counter(), 0, usage.cpu_seconds(), Told())]
    with psycopg.connect(dsn, autocommit=True) as connection:
        while process.poll() is None:
            usage.look()
            reached = read_offsets(connection, topic)
            if reached > seen[-1].records:
                seen.append(Seen(time.perf_counter(), reached, usage.cpu_seconds(), pages.look()))
            time.sleep(POLL_SECONDS)
        reached = read_offsets(connection, topic)
    if process.wait() or reached != records:
        raise RuntimeError(f"the flow ended with {process.returncode} at {reached} of {records} records: see {log}")
    return seen, max(usage.peak_bytes.values())


class Usage:
    """What the flow and the servers, all started by this process, have used; each process as long as it was seen."""

    def __init__(self, flow_pid: int) -> None:
        self._flow_pid = flow_pid
        self._seconds: dict[tuple[str, int], float] = {}
        self.peak_bytes: dict[int, int] = {}
        """Resident memory of the flow's processes."""

    def look(self) -> None:
        """Look at all of them once."""
        for process in psutil.Process().children(recursive=True):
            with suppress(psutil.Error):
                party = FLOW if self._flow_pid in (process.pid, process.ppid()) else process.name()
                times = process.cpu_times()
                self._seconds[party, process.pid] = times.user + times.system
                if party == FLOW:
                    self.peak_bytes[process.pid] = max(process.memory_info().rss, self.peak_bytes.get(process.pid, 0))

    def cpu_seconds(self) -> dict[str, float]:
        """Return the processor time of each party."""
        return {party: sum(seconds for (its, _), seconds in self._seconds.items() if its == party) for party in PARTIES}


def read_offsets(connection: psycopg.Connection, topic: str) -> int:
    """Return the sum of the stored offsets of a topic, 0 before there are any."""
    row = connection.execute("SELECT to_regclass('cdc.offsets')").fetchone()
    if row is None or row[0] is None:
        return 0
    row = connection.execute("SELECT coalesce(sum(next_offset), 0) FROM cdc.offsets WHERE topic = %s", (topic,)).fetchone()
    return int(row[0]) if row else 0
