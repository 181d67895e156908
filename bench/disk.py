"""What an event costs PostgreSQL's disk, merged and plainly upserted: `python -m bench.disk`.

WAL an event, once without the page images that follow a checkpoint and once with all of them: a checkpoint stands before each
workload, so that real life is between the two. Then the share of updates that touch no index (HOT), and what tables and indexes
hold a row. The updates again and again at the end show whether they go on growing. The server's own vacuum is off; unless told
otherwise, the tables are vacuumed before each workload, as autovacuum would when a fifth of their rows has changed.
"""

from __future__ import annotations

import random
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import click
import psutil  # type: ignore[import-untyped]
import psycopg
from rich.console import Console

from bench.backend import Backend
from bench.ceiling import Ceiling
from bench.merge import TABLE, batches
from bench.tables import show, write_json, write_markdown
from bench.workloads import BASE_US, Workload, Write, keys, workloads
from runtime.embedded.postgres import PostgresServer
from sinks.postgres.migrate import migrate
from sinks.postgres.writer import Writer, WriterOptions

COLUMNS = (
    "workload",
    "WAL",
    "plain",
    "WAL and page images",
    "plain",
    "HOT %",
    "plain",
    "table bytes/row",
    "plain",
    "index bytes/row",
    "plain",
    "graveyard bytes/row",
)
UPDATED = "SELECT n_tup_upd, n_tup_hot_upd FROM pg_stat_user_tables WHERE relid = to_regclass(%s)"
SIZES = "SELECT coalesce(pg_table_size(to_regclass(%s)), 0), coalesce(pg_indexes_size(to_regclass(%s)), 0)"
WAL = "SELECT pg_current_wal_insert_lsn() - '0/0'::pg_lsn"

progress = Console(stderr=True)


@dataclass(frozen=True)
class Cost:
    """What one workload cost, by event, and what the relations held afterwards, by row of the table."""

    wal_bytes: float
    updates: int
    hot_updates: int
    table_bytes: float
    index_bytes: float
    graveyard_bytes: float

    @property
    def hot_percent(self) -> str:
        return f"{100 * self.hot_updates / self.updates:.0f}" if self.updates else ""


@dataclass(frozen=True)
class Result:
    """One workload; the `_images` are of the run in which PostgreSQL logged page images."""

    workload: str
    merged: Cost
    plain: Cost
    merged_images: Cost
    plain_images: Cost


class Merged:
    """The mirrored table, by the writer."""

    def __init__(self, dsn: str, watcher: psycopg.Connection, fillfactor: int | None) -> None:
        self._writer = Writer(WriterOptions(dsn, "bench"), lambda: migrate(dsn, [TABLE]), lambda _: None)
        layout = self._writer.layouts[TABLE.full_name]
        self.relations = layout.relation, layout.graveyard
        if fillfactor:
            watcher.execute(f"ALTER TABLE {layout.relation} SET (fillfactor = {fillfactor})".encode())
        self._backend = Backend(self._writer, watcher)

    def write(self, workload: Workload) -> None:
        """Write the workload and have its statistics told."""
        for batch in batches(workload):
            self._writer.apply(batch)
        self._backend.settle()

    def close(self) -> None:
        self._writer.close()


class Plain:
    """The table of the ceiling, which has the same columns, fillfactor and indexes."""

    relations = "ceiling.orders", "ceiling.none"

    def __init__(self, dsn: str) -> None:
        self._dsn = dsn

    def write(self, workload: Workload) -> None:
        """Write the workload and have its statistics told: a backend does that when it ends."""
        ceiling = Ceiling(self._dsn)
        ceiling.rows_per_second(workload)
        pid = ceiling.backend_pid
        ceiling.close()
        while psutil.pid_exists(pid):
            time.sleep(0.01)

    def close(self) -> None:
        """Nothing is open."""


@click.command()
@click.option("--rows", type=click.IntRange(min=10_000), default=60_000, show_default=True, help="Rows of the table.")
@click.option(
    "--rounds", type=click.IntRange(min=0), default=4, show_default=True, help="Times that all rows are updated again."
)
@click.option("--vacuum/--no-vacuum", default=True, show_default=True, help="Vacuum the tables before each workload.")
@click.option("--fillfactor", type=click.IntRange(10, 100), help="Of the mirrored table, in place of its own.")
@click.option("--output", type=click.Path(path_type=Path, dir_okay=False), help="Write the results as JSON.")
@click.option("--markdown", type=click.Path(path_type=Path, dir_okay=False), help="Write the table as Markdown.")
def main(*, rows: int, rounds: int, vacuum: bool, fillfactor: int | None, output: Path | None, markdown: Path | None) -> None:
    """Print one table: bytes an event of WAL, HOT updates, and bytes a row of the relations."""
    plan = [workload for workload in workloads(rows) if workload.table == "orders"]
    plan.append(Workload("the same again", "orders", plan[-1].writes))
    plan += [_updates(rows, number) for number in range(1, rounds + 1)]
    with tempfile.TemporaryDirectory(prefix="cassmirror-bench-") as place:
        server = PostgresServer(Path(place) / "postgres")
        server.start()
        try:
            results = measure(server, plan, rows, fillfactor, vacuum=vacuum)
        finally:
            server.stop()
    lines = [_line(result) for result in results]
    show(COLUMNS, lines)
    if markdown:
        write_markdown(markdown, COLUMNS, lines)
    if output:
        write_json(output, results)


def measure(server: PostgresServer, plan: list[Workload], rows: int, fillfactor: int | None, *, vacuum: bool) -> list[Result]:
    """Run all workloads four times: merged and plain, without page images and with them."""
    columns: list[list[Cost]] = []
    for images in ("off", "on"):
        _configure(server.dsn, {"autovacuum": "off", "full_page_writes": images})
        for name, make in _sides(fillfactor).items():
            dsn = server.create_database(f"{name}_{images}")
            with psycopg.connect(dsn, autocommit=True) as connection:
                side = make(dsn, connection)
                columns.append([_cost(connection, side, workload, rows, vacuum=vacuum) for workload in plan])
                side.close()
            progress.print(f"{name}, page images {images}: done")
    return [Result(workload.name, *costs) for workload, *costs in zip(plan, *columns, strict=True)]


def _sides(fillfactor: int | None) -> dict[str, Callable[[str, psycopg.Connection], Merged | Plain]]:
    return {"merged": lambda dsn, watcher: Merged(dsn, watcher, fillfactor), "plain": lambda dsn, _: Plain(dsn)}


def _configure(dsn: str, settings: dict[str, str]) -> None:
    with psycopg.connect(dsn, autocommit=True) as connection:
        for name, value in settings.items():
            connection.execute(f"ALTER SYSTEM SET {name} = {value}".encode())
        connection.execute("SELECT pg_reload_conf()")


def _cost(connection: psycopg.Connection, side: Merged | Plain, workload: Workload, rows: int, *, vacuum: bool) -> Cost:
    table, graveyard = side.relations
    if vacuum:
        connection.execute("VACUUM (ANALYZE)")
    connection.execute("CHECKPOINT")
    before = *_figures(connection, UPDATED, table), *_figures(connection, WAL)
    side.write(workload)
    after = *_figures(connection, UPDATED, table), *_figures(connection, WAL)
    updates, hot, wal = (then - since for since, then in zip(before, after, strict=True))
    table_bytes, index_bytes = _figures(connection, SIZES, table, table)
    buried_bytes = sum(_figures(connection, SIZES, graveyard, graveyard))
    return Cost(wal / len(workload.writes), updates, hot, table_bytes / rows, index_bytes / rows, buried_bytes / rows)


def _figures(connection: psycopg.Connection, query: str, *parameters: str) -> tuple[int, ...]:
    row = connection.execute(query.encode(), parameters or None).fetchone()
    return tuple(map(int, row)) if row else (0, 0)


def _updates(rows: int, number: int) -> Workload:
    """Return full updates of every row, in no order."""
    where = list(enumerate(keys(rows)))
    random.Random(number).shuffle(where)
    first = BASE_US + (3 + number) * rows
    writes = [Write("u", *key, first + i, n, 4 + number) for i, (n, key) in enumerate(where)]
    return Workload(f"full updates, round {number}", "orders", writes)


def _line(result: Result) -> list[str]:
    merged, plain = result.merged, result.plain
    return [
        result.workload,
        f"{merged.wal_bytes:,.0f}",
        f"{plain.wal_bytes:,.0f}",
        f"{result.merged_images.wal_bytes:,.0f}",
        f"{result.plain_images.wal_bytes:,.0f}",
        merged.hot_percent,
        plain.hot_percent,
        f"{merged.table_bytes:,.0f}",
        f"{plain.table_bytes:,.0f}",
        f"{merged.index_bytes:,.0f}",
        f"{plain.index_bytes:,.0f}",
        f"{merged.graveyard_bytes:,.0f}",
    ]


if __name__ == "__main__":
    main()
