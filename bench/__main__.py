"""Rows a second of the whole flow as a ratio to the ceiling of the same machine in the same run: `python -m bench`."""

from __future__ import annotations

import json
import platform
import shutil
import tempfile
from dataclasses import asdict, dataclass
from pathlib import Path

import click
import psutil  # type: ignore[import-untyped]
from rich.console import Console
from rich.table import Table

from bench.broker import create_topics, discarding_consumer, fill, topic_of
from bench.ceiling import Ceiling
from bench.flow_settings import flow_settings
from bench.mirror import run_flow
from bench.workloads import Workload, workloads
from runtime.embedded.stack import EmbeddedServices


@dataclass(frozen=True)
class Result:
    """One workload. Rates count distinct writes: copies are work, not results."""

    workload: str
    processes: int
    writes: int
    records: int
    bytes_per_event: int
    flow_per_second: float
    ceiling_per_second: float
    ratio: float
    cpu_us_per_record: float
    peak_mb: float


@click.command()
@click.option("--rows", type=click.IntRange(min=10_000), default=200_000, show_default=True, help="Writes of each workload.")
@click.option("--only", multiple=True, help="Workloads to run, by name; the ones before them run too.")
@click.option(
    "--processes",
    type=click.IntRange(1, 64),
    default=psutil.cpu_count() or 1,
    show_default="one a core",
    help="Processes of the flow.",
)
@click.option("--output", type=click.Path(path_type=Path, dir_okay=False), help="Write the results as JSON.")
def main(rows: int, only: tuple[str, ...], processes: int, output: Path | None) -> None:
    """Print one table: workload, rates, ratio to the ceiling, processor time and peak memory of the flow."""
    directory = Path(tempfile.mkdtemp(prefix="cassmirror-bench-"))
    try:
        results = measure(directory, rows, processes, only)
    finally:
        shutil.rmtree(directory, ignore_errors=True)
    show(results)
    if output:
        machine = {"machine": platform.machine(), "system": platform.platform(), "python": platform.python_version()}
        output.write_text(json.dumps({"machine": machine, "results": [asdict(result) for result in results]}, indent=2) + "\n")


def measure(directory: Path, rows: int, processes: int, only: tuple[str, ...] = ()) -> list[Result]:
    """Run every workload on embedded servers: first the flow, then the ceiling, on the same broker and server."""
    plan = workloads(rows)
    if only:
        plan = plan[: max(i for i, workload in enumerate(plan) if workload.name in only) + 1]
    with EmbeddedServices(directory / "services", ("postgres", "kafka")) as services:
        dsn, bootstrap = services.postgres.dsn, services.kafka.bootstrap_servers
        create_topics(bootstrap, plan)
        ceiling = Ceiling(dsn)
        settings = flow_settings(directory, dsn, bootstrap)
        return [_measure_one(workload, settings, directory, ceiling, processes) for workload in plan]


def _measure_one(workload: Workload, settings: dict[str, str], directory: Path, ceiling: Ceiling, processes: int) -> Result:
    bootstrap, topic = settings["CDC_KAFKA__BOOTSTRAP_SERVERS"], topic_of(workload)
    records, size = fill(bootstrap, workload)
    run = run_flow(settings, directory, settings["CDC_POSTGRES__DSN"], topic, records, processes=processes)
    with discarding_consumer(bootstrap, topic):
        best = ceiling.rows_per_second(workload)
    rate = run.records_per_second / workload.copies
    result = Result(
        workload.name,
        processes,
        len(workload.writes),
        records,
        size,
        round(rate),
        round(best),
        round(rate / best, 2),
        round(run.cpu_seconds / records * 1e6, 1),
        round(run.peak_mb),
    )
    Console(stderr=True).print(f"{workload.name}: {rate:,.0f}/s, ceiling {best:,.0f}/s, ratio {rate / best:.2f}")
    return result


def show(results: list[Result]) -> None:
    """Print the table."""
    table = Table("workload", "processes", "bytes", "flow/s", "ceiling/s", "ratio", "flow CPU us/record", "peak MB")
    for result in results:
        table.add_row(
            result.workload,
            str(result.processes),
            str(result.bytes_per_event),
            f"{result.flow_per_second:,}",
            f"{result.ceiling_per_second:,}",
            f"{result.ratio:.2f}",
            str(result.cpu_us_per_record),
            str(result.peak_mb),
        )
    Console().print(table)


if __name__ == "__main__":
    main()
