"""`cassmirror load`: the workload of the demo on a Cassandra of yours."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterator
from contextlib import suppress
from itertools import islice

import click

from dataflows.shop.pace import paced
from dataflows.shop.schema import KEYSPACE, TABLES, create_keyspace, ddl
from dataflows.shop.statement import Statement
from dataflows.shop.workload import KEYS, statements
from runtime.cassandra.writer import StatementWriter
from runtime.settings_loading import load_cassandra_settings

_LINE_EVERY_S = 2.0


@click.command()
@click.option("--contact-points", default="", help="`host[:port]`, comma separated. Default: CDC_CASSANDRA__CONTACT_POINTS.")
@click.option(
    "--rate", type=click.FloatRange(min=0), default=100.0, show_default=True, help="Statements a second; 0: no limit."
)
@click.option("--duration", type=click.FloatRange(min=0, min_open=True), help="Seconds until it ends.")
@click.option("--statements", "most", type=click.IntRange(min=1), help="How many statements until it ends.")
@click.option("--seed", type=int, default=1, show_default=True, help="The same seed gives the same statements.")
@click.option("--keys", type=click.IntRange(min=1), default=KEYS, show_default=True, help="How many customers there are.")
@click.option("--keyspace", default=KEYSPACE, show_default=True, help="Where the tables are.")
@click.option(
    "--create/--no-create", default=True, show_default=True, help="Make the keyspace and the tables if they are missing."
)
def load(
    *,
    contact_points: str,
    rate: float,
    duration: float | None,
    most: int | None,
    seed: int,
    keys: int,
    keyspace: str,
    create: bool,
) -> None:
    """Write to Cassandra: inserts, updates, TTLs, batches and deletes of every shape, until Ctrl+C unless told otherwise.

    Where it had to make tables it ends without writing: a connector that runs would miss it.
    """
    settings = load_cassandra_settings(contact_points)
    counts: Counter[str] = Counter()
    with StatementWriter(settings) as writer:
        if create and (made := _create(writer, keyspace)):
            click.echo(f"made {made} tables in {keyspace}, wrote nothing: a connector that runs does not know them", err=True)
            click.echo("start it again, if there is one, then run this once more", err=True)
            return
        started = time.monotonic()
        with suppress(KeyboardInterrupt):
            due = paced(islice(statements(seed, keys, keyspace), most), rate, duration)
            for statement in _with_progress(due, counts):
                writer.write(statement.cql, statement.parameters)
                counts[statement.kind] += 1
        writer.drain()
    _tell(counts, time.monotonic() - started)


def _create(writer: StatementWriter, keyspace: str) -> int:
    """Make what is missing; return how many tables that were."""
    writer.execute(create_keyspace(keyspace))
    there = writer.execute("SELECT table_name FROM system_schema.tables WHERE keyspace_name = %s", [keyspace])
    missing = set(TABLES) - {row["table_name"] for row in there}
    for statement in ddl(keyspace) if missing else ():
        writer.execute(statement)
    return len(missing)


def _with_progress(due: Iterator[Statement], counts: Counter[str]) -> Iterator[Statement]:
    started = time.monotonic()
    next_line = started + _LINE_EVERY_S
    for statement in due:
        if (now := time.monotonic()) >= next_line:
            next_line = now + _LINE_EVERY_S
            click.echo(f"  {counts.total():,} statements, {counts.total() / (now - started):,.0f} a second", err=True)
        yield statement


def _tell(counts: Counter[str], seconds: float) -> None:
    for kind, count in counts.most_common():
        click.echo(f"{count:>9,}  {kind}")
    click.echo(f"{counts.total():>9,}  statements in {seconds:.1f} s, {counts.total() / max(seconds, 1e-9):,.0f} a second")
