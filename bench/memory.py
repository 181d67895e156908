"""Memory of the flow over many events: `python -m bench.memory`. It must not grow with them (law 5)."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from statistics import fmean
from typing import overload

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


@click.command()
@click.option("--events", type=click.IntRange(min=200_000), default=2_000_000, show_default=True)
@click.option(
    "--first", type=click.IntRange(min=10_000), default=100_000, show_default=True, help="Where growth is measured from."
)
def main(events: int, first: int) -> None:
    """Print the resident memory of the flow at several numbers of events, its growth and its peak."""
    directory = Path(tempfile.mkdtemp(prefix="cassmirror-bench-"))
    try:
        seen = measure(directory, events)
    finally:
        shutil.rmtree(directory, ignore_errors=True)
    show(seen, first)


def measure(directory: Path, events: int) -> list[tuple[int, float]]:
    """Return pairs of events mirrored and MB resident, forty a run."""
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


def _watch(process: subprocess.Popen[bytes], dsn: str, topic: str, events: int) -> list[tuple[int, float]]:
    seen: list[tuple[int, float]] = []
    watched = psutil.Process(process.pid)
    with psycopg.connect(dsn, autocommit=True) as connection:
        while process.poll() is None:
            reached = read_offsets(connection, topic)
            if reached >= (len(seen) + 1) * events / 40:
                seen.append((reached, watched.memory_info().rss / 2**20))
            time.sleep(0.05)
    if process.wait() or not seen:
        raise RuntimeError(f"the flow ended with {process.returncode}")
    return seen


def show(seen: list[tuple[int, float]], first: int) -> None:
    """Print the figures, and the means of the first and the last quarter behind the first `first` events."""
    table = Table("events", "MB")
    for reached, megabytes in seen:
        table.add_row(f"{reached:,}", f"{megabytes:.0f}")
    settled = [megabytes for reached, megabytes in seen if reached >= first]
    quarter = max(1, len(settled) // 4)
    before, after = fmean(settled[:quarter]), fmean(settled[-quarter:])
    console = Console()
    console.print(table)
    console.print(f"first quarter {before:.0f} MB, last {after:.0f} MB: {after / before - 1:+.1%}; peak {max(settled):.0f} MB")


if __name__ == "__main__":
    main()
