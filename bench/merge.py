"""PostgreSQL's processor time a row, in the guarded merge and in a plain upsert: `python -m bench.merge`.

Processor time of the one backend, so that a busy machine shows little. Every figure is of the same rows in the same batches.
"""

from __future__ import annotations

import json
import random
import tempfile
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import click
import psutil  # type: ignore[import-untyped]
import psycopg
from rich.console import Console
from rich.table import Table

from bench.ceiling import Ceiling
from bench.workloads import REGULAR, Workload, ddl_of, workloads
from cdc.ddl import read_ddl
from cdc.event import ABSENT, Change, Record, RowState, Value
from cdc.types.registry import codec_for
from runtime.embedded.postgres import PostgresServer
from sinks.postgres.migrate import migrate
from sinks.postgres.writer import Writer, WriterOptions

BATCH = 5_000
TABLE = read_ddl(ddl_of("orders")).tables["bench", "orders"]
RECORD = Record("bench.bench.orders", 0, 0, -1, None, None)


@click.command()
@click.option("--rows", type=click.IntRange(min=10_000), default=60_000, show_default=True, help="Rows of each workload.")
def main(rows: int) -> None:
    """Print microseconds of the backend's processor time a row: merged and plainly upserted."""
    table = Table("workload", "merge us", "plain upsert us", "ratio")
    with tempfile.TemporaryDirectory(prefix="cassmirror-bench-") as place:
        server = PostgresServer(Path(place) / "postgres")
        server.start()
        try:
            for name, merged, plain in measure(server.dsn, rows):
                ratio = f"{plain / merged:.2f}" if plain else ""
                table.add_row(name, f"{merged:.1f}", f"{plain:.1f}" if plain else "", ratio)
        finally:
            server.stop()
    Console().print(table)


def measure(dsn: str, rows: int) -> Iterator[tuple[str, float, float]]:
    """Yield a workload's name and its two figures; one that no plain upsert can do has 0 for the second."""
    writer = Writer(WriterOptions(dsn, "bench"), lambda: migrate(dsn, [TABLE]), lambda _: None)
    ceiling = Ceiling(dsn)
    plan = [workload for workload in workloads(rows) if workload.table == "orders"]
    for workload in plan:
        merged = _merge(dsn, writer, batches(workload), rows)
        plain = _backend_us(ceiling.backend_pid, rows, partial(ceiling.rows_per_second, workload))
        yield workload.name, merged, plain
    yield "the same again", _merge(dsn, writer, batches(plan[-1]), rows), 0
    writer.close()


def _merge(dsn: str, writer: Writer, batches: Iterator[list[Change]], rows: int) -> float:
    prepared = [writer.prepare(batch, []) for batch in batches]
    writer.stored_positions()  # opens the connection
    return _backend_us(_backend_of_writer(dsn), rows, lambda: [writer.write(batch) for batch in prepared])


def _backend_of_writer(dsn: str) -> int:
    with psycopg.connect(dsn) as connection:
        row = connection.execute("SELECT pid FROM pg_stat_activity WHERE application_name = 'cassmirror'").fetchone()
    if row is None:
        raise RuntimeError("the writer has no connection")
    return int(row[0])


def _backend_us(pid: int, rows: int, work: Callable[[], object]) -> float:
    before = _seconds(pid)
    work()
    return (_seconds(pid) - before) / rows * 1e6


def _seconds(pid: int) -> float:
    times = psutil.Process(pid).cpu_times()
    return float(times.user + times.system)


def batches(workload: Workload) -> Iterator[list[Change]]:
    """Yield the changes of a workload as the sink gets them, in batches, in no order."""
    codecs = {column.name: codec_for(column.type) for column in TABLE.regular}
    changes = []
    for write in workload.writes:
        values: list[Value] = [ABSENT] * len(REGULAR)
        for name, json_text in write.values().items():
            values[REGULAR.index(name)] = codecs[name].from_event(json.loads(json_text))
        marker = write.ts_us if write.op == "i" else None
        deletion = write.ts_us if write.op == "d" else None
        state = RowState((write.id, str(write.seq)), write.ts_us, values, marker, deletion=deletion)
        changes.append(Change(TABLE, state, RECORD))
    random.Random(1).shuffle(changes)
    for start in range(0, len(changes), BATCH):
        yield changes[start : start + BATCH]


assert tuple(column.name for column in TABLE.regular) == REGULAR


if __name__ == "__main__":
    main()
