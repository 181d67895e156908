"""Whether deletions cost what they touch, or what is there beside it: `python -m bench.growth`.

Cost must follow the rows touched. Every operation is done to tables of growing size; a line that grows down its group shows an
operation that reads what it need not. Processor time of both sides, blocks and WAL a row tell it on a busy machine, too.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import click
import psycopg
from rich.console import Console

from bench.backend import Backend, Used
from bench.growth_operations import Ground, Operation, of_size, of_tombstones
from bench.tables import show, write_json, write_markdown
from cdc.schema import Table
from runtime.embedded.postgres import PostgresServer
from sinks.postgres.migrate import migrate
from sinks.postgres.writer import Writer, WriterOptions

COLUMNS = (
    "operation",
    "beside",
    "rows",
    "seconds",
    "rows/s",
    "backend us/row",
    "flow us/row",
    "blocks/row",
    "WAL bytes/row",
    "backend MB",
    "flow +MB",
)
TOMBSTONES = (100, 1_000, 10_000)

progress = Console(stderr=True)


@dataclass(frozen=True)
class Result:
    """One operation beside so many `of`; `rows` are those of one turn, `used` is of all turns."""

    operation: str
    of: str
    beside: int
    rows: int
    turns: int
    used: Used

    @property
    def touched(self) -> int:
        return self.rows * self.turns


@click.command()
@click.option("--largest", type=click.IntRange(4, 8), default=6, show_default=True, help="Rows of the largest table, as 10^n.")
@click.option("--only", default="", help="Only operations whose name contains this.")
@click.option("--output", type=click.Path(path_type=Path, dir_okay=False), help="Write the results as JSON.")
@click.option("--markdown", type=click.Path(path_type=Path, dir_okay=False), help="Write the table as Markdown.")
def main(*, largest: int, only: str, output: Path | None, markdown: Path | None) -> None:
    """Print one table: what each operation costs, by the size of what is beside it."""
    with tempfile.TemporaryDirectory(prefix="cassmirror-bench-") as place:
        server = PostgresServer(Path(place) / "postgres")
        server.start()
        try:
            results = list(measure(server, [10**n for n in range(4, largest + 1)], only))
        finally:
            server.stop()
    order = list(dict.fromkeys(result.operation for result in results))
    results.sort(key=lambda result: (order.index(result.operation), result.beside))
    lines = [_line(result) for result in results]
    show(COLUMNS, lines)
    if markdown:
        write_markdown(markdown, COLUMNS, lines)
    if output:
        write_json(output, results)


def measure(server: PostgresServer, sizes: list[int], only: str) -> Iterator[Result]:
    """Yield the results, the largest tables last; each size has a database of its own."""
    plans = [(f"tombstones_{stored}", [of_tombstones(stored)]) for stored in TOMBSTONES]
    plans += [(f"rows_{rows}", list(of_size(rows))) for rows in sizes]
    with psycopg.connect(server.dsn, autocommit=True) as connection:
        for setting in ("autovacuum", "full_page_writes"):  # what they do would be counted now here, now there
            connection.execute(f"ALTER SYSTEM SET {setting} = off".encode())
        connection.execute("SELECT pg_reload_conf()")
    for name, tables in plans:
        dsn = server.create_database(name)
        for table, ground, operations in tables:
            chosen = [operation for operation in operations if only in operation.name]
            if chosen:
                yield from _of_table(dsn, table, ground, chosen)
        server.drop_database(name)


def _of_table(dsn: str, table: Table, ground: Ground, operations: list[Operation]) -> Iterator[Result]:
    writer = Writer(WriterOptions(dsn, "bench"), lambda: migrate(dsn, [table]), lambda _: None)
    layout = writer.layouts[table.full_name]
    with psycopg.connect(dsn, autocommit=True) as connection:
        _run(connection, [*ground(layout), "VACUUM (ANALYZE)", "CHECKPOINT"])
        for operation in operations:
            backend = Backend(writer, connection)
            first = 0 if operation.warm_up else 1
            for number in range(first, operation.turns + 1):
                turn = operation.turn(number)
                _run(connection, turn.ground(layout))
                if number:
                    with backend.timed():
                        operation.do(writer, turn)
                else:
                    operation.do(writer, turn)
                    backend = Backend(writer, connection)
            result = Result(operation.name, operation.of, operation.beside, turn.rows, operation.turns, backend.used())
            progress.print(f"{result.operation} beside {result.beside:,} {result.of}: {result.used.seconds:.2f} s")
            yield result
        _run(connection, [f"DROP TABLE {layout.relation}", f"DROP TABLE {layout.graveyard}", "CHECKPOINT"])
    writer.close()


def _run(connection: psycopg.Connection, statements: list[str]) -> None:
    for statement in statements:
        connection.execute(statement.encode())


def _line(result: Result) -> list[str]:
    used, touched = result.used, result.touched
    return [
        result.operation,
        f"{result.beside:,} {result.of}",
        f"{result.rows:,}",
        f"{used.seconds / result.turns:.3f}",
        f"{touched / used.seconds:,.0f}",
        f"{used.backend_seconds / touched * 1e6:,.1f}",
        f"{used.flow_seconds / touched * 1e6:,.1f}",
        f"{used.blocks / touched:,.1f}",
        f"{used.wal_bytes / touched:,.0f}",
        f"{used.backend_peak_mb:.0f}",
        f"{used.flow_growth_mb:.0f}",
    ]


if __name__ == "__main__":
    main()
