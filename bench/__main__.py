"""Rows a second of the whole flow as a ratio to the ceiling of the same machine in the same run: `python -m bench`.

One figure says little of a machine that others share, so flow and ceiling take turns, in several rounds on fresh databases, and
medians are printed.
"""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median

import click
import psutil  # type: ignore[import-untyped]
from rich.console import Console
from rich.table import Table

from bench.broker import create_topics, discarding_consumer, fill, topic_of
from bench.ceiling import Ceiling, settle
from bench.flow_settings import flow_settings
from bench.mirror import FLOW, KAFKA, POSTGRES, run_flow
from bench.tables import write_json
from bench.workloads import Workload, workloads
from runtime.embedded.stack import EmbeddedServices

progress = Console(stderr=True)


@dataclass(frozen=True)
class Round:
    """A workload, once by the flow and once by the ceiling. Rates count distinct writes: copies are work, not results."""

    flow_per_second: float
    ceiling_per_second: float
    cpu_us_per_record: Mapping[str, float]
    peak_mb: float

    @property
    def ratio(self) -> float:
        return self.flow_per_second / self.ceiling_per_second


@dataclass(frozen=True)
class Filled:
    """A workload in Kafka."""

    workload: Workload
    records: int
    bytes_per_event: int


@dataclass(frozen=True)
class Result:
    """One workload: medians of its rounds, their ratios from lowest to highest, the highest peak of memory."""

    workload: str
    processes: int
    writes: int
    records: int
    bytes_per_event: int
    flow_per_second: int
    ceiling_per_second: int
    ratio: float
    ratios: list[float]
    flow_us_per_record: float
    postgres_us_per_record: float
    kafka_us_per_record: float
    peak_mb: int


@click.command()
@click.option("--rows", type=click.IntRange(min=10_000), default=500_000, show_default=True, help="Writes of each workload.")
@click.option("--rounds", type=click.IntRange(min=1), default=3, show_default=True, help="Turns of flow and ceiling.")
@click.option("--only", multiple=True, help="Workloads to run, by name; those that fill their tables run too.")
@click.option(
    "--processes",
    type=click.IntRange(1, 64),
    default=psutil.cpu_count() or 1,
    show_default="one a core",
    help="Processes of the flow.",
)
@click.option("--compression", help="Of the topics, in place of the connector's, e.g. none.")
@click.option("--output", type=click.Path(path_type=Path, dir_okay=False), help="Write the results as JSON.")
def main(
    *, rows: int, rounds: int, only: tuple[str, ...], processes: int, compression: str | None, output: Path | None
) -> None:
    """Print one table; processor time a record is that of flow, PostgreSQL and Kafka."""
    directory = Path(tempfile.mkdtemp(prefix="cassmirror-bench-"))
    plan = workloads(rows)
    if unknown := set(only) - {workload.name for workload in plan}:
        known = ", ".join(workload.name for workload in plan)
        raise click.BadParameter(f"{', '.join(sorted(unknown))} is none of: {known}", param_hint="--only")
    if only:
        chosen = [place for place, workload in enumerate(plan) if workload.name in only]
        tables = {plan[place].table for place in chosen}
        plan = [workload for workload in plan[: max(chosen) + 1] if workload.table in tables]
    try:
        results = measure(directory, plan, rounds, processes, compression)
    finally:
        shutil.rmtree(directory, ignore_errors=True)
    show(results)
    if output:
        write_json(output, results)


def measure(directory: Path, plan: Sequence[Workload], rounds: int, processes: int, compression: str | None) -> list[Result]:
    """Run every workload in every round on embedded servers: the flow, then the ceiling, on the same broker and server."""
    with EmbeddedServices(directory / "services", ("postgres", "kafka")) as services:
        bootstrap = services.kafka.bootstrap_servers
        create_topics(bootstrap, map(topic_of, plan))
        filled = [Filled(workload, *fill(bootstrap, workload, compression)) for workload in plan]
        done: list[list[Round]] = [[] for _ in plan]
        for number in range(rounds):
            ceiling = Ceiling(services.postgres.create_database(f"round_{number}"))
            for one, its_rounds in zip(filled, done, strict=True):
                its_rounds.append(_round(one, directory / f"{number}-{one.workload.name}", bootstrap, ceiling, processes))
            ceiling.close()
    return [_result(one, processes, its_rounds) for one, its_rounds in zip(filled, done, strict=True)]


def _round(one: Filled, directory: Path, bootstrap: str, ceiling: Ceiling, processes: int) -> Round:
    directory.mkdir()
    topic, dsn = topic_of(one.workload), ceiling.dsn
    settings = flow_settings(directory, dsn, bootstrap, one.workload)
    settings["CDC_KAFKA__GROUP_ID"] = directory.name
    settle(dsn)
    run = run_flow(settings, directory, dsn, topic, one.records, processes=processes)
    settle(dsn)
    with discarding_consumer(bootstrap, topic):
        best = ceiling.rows_per_second(one.workload)
    rate = run.records_per_second * len(one.workload.writes) / one.records
    result = Round(rate, best, run.cpu_us_per_record, run.peak_mb)
    progress.print(f"{one.workload.name}: {result.flow_per_second:,.0f}/s, ceiling {best:,.0f}/s, ratio {result.ratio:.2f}")
    return result


def _result(one: Filled, processes: int, rounds: Sequence[Round]) -> Result:
    def cpu_us(party: str) -> float:
        return round(median(each.cpu_us_per_record[party] for each in rounds), 1)

    return Result(
        workload=one.workload.name,
        processes=processes,
        writes=len(one.workload.writes),
        records=one.records,
        bytes_per_event=one.bytes_per_event,
        flow_per_second=round(median(each.flow_per_second for each in rounds)),
        ceiling_per_second=round(median(each.ceiling_per_second for each in rounds)),
        ratio=round(median(each.ratio for each in rounds), 2),
        ratios=sorted(round(each.ratio, 2) for each in rounds),
        flow_us_per_record=cpu_us(FLOW),
        postgres_us_per_record=cpu_us(POSTGRES),
        kafka_us_per_record=cpu_us(KAFKA),
        peak_mb=round(max(each.peak_mb for each in rounds)),
    )


def show(results: Sequence[Result]) -> None:
    """Print the table."""
    table = Table("workload", "processes", "bytes", "flow/s", "ceiling/s", "ratio", "of rounds", "CPU us", "peak MB")
    for result in results:
        table.add_row(
            result.workload,
            str(result.processes),
            str(result.bytes_per_event),
            f"{result.flow_per_second:,}",
            f"{result.ceiling_per_second:,}",
            f"{result.ratio:.2f}",
            " ".join(f"{ratio:.2f}" for ratio in result.ratios),
            f"{result.flow_us_per_record} {result.postgres_us_per_record} {result.kafka_us_per_record}",
            str(result.peak_mb),
        )
    Console(width=None if Console().is_terminal else 140).print(table)


if __name__ == "__main__":
    main()
