"""Memory and rate of the flow over many events: `python -m bench.memory`. Neither may change with them (law 5)."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path
from statistics import fmean
from typing import NamedTuple, overload

import click
import psutil  # type: ignore[import-untyped]
import psycopg
from rich.console import Console
from rich.table import Table

from bench.broker import create_topics, fill, topic_of
from bench.flow_settings import flow_settings
from bench.mirror import read_offsets
from bench.workloads import BASE_US, Workload, Write, keys
from runtime.embedded.stack import EmbeddedServices

KEYS = 200_000


class Versions(Sequence[Write]):
    """Full writes of the same keys again and again, made when they are asked for."""

    def __init__(self, events: int) -> None:
        self._events = events
        self._keys = keys(min(events, KEYS))

    def __len__(self) -> int:
        return self._events

    @overload
    def __getitem__(self, at: int) -> Write: ...
    @overload
    def __getitem__(self, at: slice) -> Sequence[Write]: ...
    def __getitem__(self, at: int | slice) -> Write | Sequence[Write]:
        if isinstance(at, slice):
            return [self[i] for i in range(*at.indices(self._events))]
        version, number = divmod(at, len(self._keys))
        return Write("i", *self._keys[number], BASE_US + at, number, version)


class Moment(NamedTuple):
    """Events mirrored, at which second of a clock, and the resident memory then."""

    events: int
    seconds: float
    megabytes: float


@click.command()
@click.option("--events", type=click.IntRange(min=200_000), default=2_000_000, show_default=True)
@click.option(
    "--first", type=click.IntRange(min=10_000), default=100_000, show_default=True, help="Where growth is measured from."
)
def main(events: int, first: int) -> None:
    """Print the resident memory of the flow at several numbers of events, its growth and its peak, and the rate up to each."""
    directory = Path(tempfile.mkdtemp(prefix="cassmirror-bench-"))
    try:
        seen, peak = measure(directory, events)
    finally:
        shutil.rmtree(directory, ignore_errors=True)
    show(seen, first)
    Console().print(f"peak {peak:.0f} MB")


def measure(directory: Path, events: int) -> tuple[list[Moment], float]:
    """Return what was seen forty times while the flow drained the topic, and the most MB it ever had."""
    workload = Workload("versions", "orders", Versions(events))
    with EmbeddedServices(directory / "services", ("postgres", "kafka")) as services:
        dsn, bootstrap = services.postgres.dsn, services.kafka.bootstrap_servers
        create_topics(bootstrap, [topic_of(workload)])
        fill(bootstrap, workload)
        command = [sys.executable, "-m", "dataflows", "run", "--recovery-dir", str(directory / "recovery")]
        environment = {**os.environ, **flow_settings(directory, dsn, bootstrap, workload)}
        with (directory / "flow.log").open("wb") as out:
            process = subprocess.Popen(command, env=environment, stdout=out, stderr=out)
        return _watch(process, dsn, topic_of(workload), events)


def _watch(process: subprocess.Popen[bytes], dsn: str, topic: str, events: int) -> tuple[list[Moment], float]:
    seen: list[Moment] = []
    peak = 0.0
    watched = psutil.Process(process.pid)
    with psycopg.connect(dsn, autocommit=True) as connection:
        while process.poll() is None:
            reached, megabytes = read_offsets(connection, topic), watched.memory_info().rss / 2**20
            peak = max(peak, megabytes)
            if reached >= (len(seen) + 1) * events / 40:
                seen.append(Moment(reached, time.monotonic(), megabytes))
            time.sleep(0.05)
    if process.wait() or not seen:
        raise RuntimeError(f"the flow ended with {process.returncode}")
    return seen, peak


def show(seen: list[Moment], first: int) -> None:
    """Print the figures, and the means of the first and the last quarter behind the first `first` events."""
    table = Table("events", "events/s", "MB")
    for before, moment in pairwise(seen):
        rate = (moment.events - before.events) / (moment.seconds - before.seconds)
        table.add_row(f"{moment.events:,}", f"{rate:,.0f}", f"{moment.megabytes:.0f}")
    settled = [moment for moment in seen if moment.events >= first]
    quarter = max(1, len(settled) // 4)
    console = Console()
    console.print(table)
    for what, of in (("MB", lambda part: fmean(moment.megabytes for moment in part)), ("events/s", _rate)):
        early, late = of(settled[: quarter + 1]), of(settled[-quarter - 1 :])
        console.print(f"first quarter {early:,.0f} {what}, last {late:,.0f}: {late / early - 1:+.1%}")


def _rate(part: Sequence[Moment]) -> float:
    return (part[-1].events - part[0].events) / (part[-1].seconds - part[0].seconds)


if __name__ == "__main__":
    main()
