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

from bench.broker import create_topics, discarding_consumer, fill, topic_of
from bench.ceiling import Ceiling, settle
from bench.flow_settings import flow_settings
from bench.mirror import FLOW, KAFKA, OTHER, POSTGRES, Run, run_flow
from bench.tables import show, write_json
from bench.workloads import Workload, workloads
from operators import dedupe, deserialize, map_types, source_feed
from runtime.embedded.stack import EmbeddedServices
from sinks.postgres import overlap

progress = Console(stderr=True)
STAGES = {
    "source": source_feed.STAGE,
    "deser.": deserialize.STAGE,
    "map": map_types.STAGE,
    "dedupe": dedupe.STAGE,
    "prep.": overlap.PREPARE,
    "write": overlap.WRITE,
    "other": OTHER,
}
"""The columns of the flow's processor time."""


@dataclass(frozen=True)
class Round:
    """A workload, once by the flow and once by the ceiling. Rates count distinct writes: copies are work, not results."""

    flow_per_second: float
    ceiling_per_second: float
    run: Run

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
    stage_us_per_record: Mapping[str, float]
    postgres_us_per_record: float
    kafka_us_per_record: float
    peak_mb: int
    p50_ms: int
    p99_ms: int


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
    """Print one table; processor time is in microseconds a record, p50 and p99 are from the poll of a batch to its commit."""
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
    show(*table(results), dense=True)
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
    result = Round(rate, best, run)
    progress.print(f"{one.workload.name}: {result.flow_per_second:,.0f}/s, ceiling {best:,.0f}/s, ratio {result.ratio:.2f}")
    return result


def _result(one: Filled, processes: int, rounds: Sequence[Round]) -> Result:
    runs = [each.run for each in rounds]

    def cpu_us(party: str) -> float:
        return round(median(run.cpu_us_per_record[party] for run in runs), 1)

    def stage_us(stage: str) -> float:
        return round(median(run.stage_us_per_record.get(stage, 0.0) for run in runs), 2)

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
        stage_us_per_record={stage: stage_us(stage) for stage in STAGES.values()},
        postgres_us_per_record=cpu_us(POSTGRES),
        kafka_us_per_record=cpu_us(KAFKA),
        peak_mb=round(max(run.peak_mb for run in runs)),
        p50_ms=round(median(run.p50_ms for run in runs)),
        p99_ms=round(median(run.p99_ms for run in runs)),
    )


def table(results: Sequence[Result]) -> tuple[list[str], list[list[str]]]:
    """Return columns and rows of the table."""
    columns = ["workload", "procs", "bytes", "flow/s", "ceiling/s", "ratio", "of rounds", "flow\nus"]
    columns += [*STAGES, "PG\nus", "Kafka\nus", "peak\nMB", "p50\nms", "p99\nms"]
    return columns, [_row(result) for result in results]


def _row(result: Result) -> list[str]:
    return [
        result.workload,
        str(result.processes),
        str(result.bytes_per_event),
        f"{result.flow_per_second:,}",
        f"{result.ceiling_per_second:,}",
        f"{result.ratio:.2f}",
        " ".join(f"{ratio:.2f}" for ratio in result.ratios),
        f"{result.flow_us_per_record}",
        *(f"{us:.2f}" for us in result.stage_us_per_record.values()),
        f"{result.postgres_us_per_record}",
        f"{result.kafka_us_per_record}",
        str(result.peak_mb),
        str(result.p50_ms),
        str(result.p99_ms),
    ]


if __name__ == "__main__":
    main()
