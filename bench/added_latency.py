"""What the mirror adds to the latency of a bare consumer that inserts: `python -m bench.added_latency`.

Events are produced evenly at a low rate, to one topic for each of two that take turns: the flow as users run it, recovery store
on, and a loop that polls, upserts and commits, knowing nothing of order, copies or deletes. Measured is from the call of the
producer, whose time is the event's write timestamp, to the commit, whose time is PostgreSQL's (`track_commit_timestamp`).
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from statistics import median

import click
import psycopg
from confluent_kafka import OFFSET_BEGINNING, Consumer, Producer, TopicPartition
from confluent_kafka.admin import AdminClient
from confluent_kafka.cimpl import NewTopic
from rich.console import Console
from rich.table import Table

from bench.broker import topic_of
from bench.flow_settings import flow_settings
from bench.tables import write_json
from bench.workloads import Workload, Write, events, keys
from runtime.embedded.stack import EmbeddedServices

FLOW = Workload("flow", "orders", [])
BARE = Workload("bare", "orders", [])
TABLES = {FLOW.name: "bench.orders", BARE.name: "bare.orders"}
WARM_UP_SECONDS = 10
PATIENCE_SECONDS = 60.0


@dataclass(frozen=True)
class Result:
    """One turn: milliseconds from producing to the commit."""

    of: str
    p50: float
    p99: float
    most: float


@click.command()
@click.option("--rate", type=click.IntRange(1, 5_000), default=100, show_default=True, help="Events a second.")
@click.option("--seconds", type=click.IntRange(min=5), default=20, show_default=True, help="How long a turn is measured.")
@click.option("--rounds", type=click.IntRange(min=1), default=3, show_default=True, help="Turns of each.")
@click.option("--partitions", type=click.IntRange(min=1), default=40, show_default=True, help="Of each topic.")
@click.option("--output", type=click.Path(path_type=Path, dir_okay=False), help="Write the results as JSON.")
def main(rate: int, seconds: int, rounds: int, partitions: int, output: Path | None) -> None:
    """Print p50, p99 and maximum of both in milliseconds, the medians of all rounds, and the differences of those."""
    directory = Path(tempfile.mkdtemp(prefix="cassmirror-bench-"))
    try:
        results = measure(directory, rate, seconds, rounds, partitions)
    finally:
        shutil.rmtree(directory, ignore_errors=True)
    show(results)
    if output:
        write_json(output, results)


def measure(directory: Path, rate: int, seconds: int, rounds: int, partitions: int) -> list[Result]:
    """Let both take turns; each is there only in its own."""
    results = []
    with EmbeddedServices(directory / "services", ("postgres", "kafka")) as services:
        with psycopg.connect(services.postgres.dsn, autocommit=True) as connection:
            connection.execute("ALTER SYSTEM SET track_commit_timestamp = on")
        services.postgres.stop()
        services.postgres.start()
        dsn, bootstrap = services.postgres.dsn, services.kafka.bootstrap_servers
        topics = [NewTopic(topic_of(workload), partitions, 1) for workload in (FLOW, BARE)]
        admin = AdminClient({"bootstrap.servers": bootstrap})
        for created in admin.create_topics(topics).values():
            created.result()
        count = rate * (seconds + WARM_UP_SECONDS)
        where = list(enumerate(keys(count * rounds)))
        for turn in range(rounds):
            mine = where[turn * count : (turn + 1) * count]
            for workload, running in ((FLOW, _flow(directory, dsn, bootstrap)), (BARE, _bare(dsn, bootstrap, partitions))):
                with running:
                    since = _produce(bootstrap, workload, mine, rate)
                    results.append(_result(workload.name, dsn, since, rate * seconds))
    return results


def _produce(bootstrap: str, workload: Workload, where: Sequence[tuple[int, tuple[str, int]]], rate: int) -> int:
    """Produce evenly; return the write timestamp (microseconds) of the first event behind the warm-up."""
    producer = Producer({"bootstrap.servers": bootstrap, "linger.ms": 0, "log_level": 2})
    began, since = time.monotonic(), 0
    for number, (row, key) in enumerate(where):
        time.sleep(max(0.0, began + number / rate - time.monotonic()))
        sent_us = time.time_ns() // 1_000
        since = sent_us if number == rate * WARM_UP_SECONDS else since
        one = Workload(workload.name, workload.table, [Write("i", *key, sent_us, row, 1)])
        for record_key, value in events(one):
            producer.produce(topic_of(workload), value, record_key)
        producer.poll(0)
    producer.flush()
    return since


@contextmanager
def _flow(directory: Path, dsn: str, bootstrap: str) -> Iterator[None]:
    settings = {**flow_settings(directory, dsn, bootstrap, FLOW), "CDC_KAFKA__UNTIL_CAUGHT_UP": "false"}
    command = [sys.executable, "-m", "bytewax.run", "dataflows.cassandra_to_postgres", "-s", "1", "-b", "0"]
    recovery = directory / "recovery"
    if not recovery.exists():
        recovery.mkdir()
        subprocess.run([sys.executable, "-m", "bytewax.recovery", str(recovery), "1"], check=True)
    with (directory / "flow.log").open("ab") as log:
        process = subprocess.Popen([*command, "-r", str(recovery)], env={**os.environ, **settings}, stdout=log, stderr=log)
    try:
        yield
    finally:
        process.terminate()
        process.wait()
    if process.returncode:
        raise RuntimeError(f"the flow ended with {process.returncode}")


@contextmanager
def _bare(dsn: str, bootstrap: str, partitions: int) -> Iterator[None]:
    process = subprocess.Popen([sys.executable, "-m", "bench.added_latency", "--bare", dsn, bootstrap, str(partitions)])
    try:
        yield
    finally:
        process.kill()
        process.wait()


def consume_and_insert(dsn: str, bootstrap: str, partitions: int) -> None:
    """Poll, upsert and commit for ever."""
    consumer = Consumer({"bootstrap.servers": bootstrap, "group.id": "bare", "enable.auto.commit": False})
    consumer.assign([TopicPartition(topic_of(BARE), number, OFFSET_BEGINNING) for number in range(partitions)])
    with psycopg.connect(dsn) as connection:
        connection.execute("CREATE SCHEMA IF NOT EXISTS bare")
        connection.execute(
            "CREATE TABLE IF NOT EXISTS bare.orders"
            " (id uuid, seq int, name text, note text, total bigint, _cdc_ts bigint, PRIMARY KEY (id, seq))"
        )
        connection.commit()
        while True:
            for message in consumer.consume(500, 0.001):
                event = json.loads(message.value() or b"{}")
                after = {name: (cell or {}).get("value") for name, cell in event["after"].items()}
                connection.execute(
                    "INSERT INTO bare.orders VALUES (%(id)s, %(seq)s, %(name)s, %(note)s, %(total)s, %(ts)s)"
                    " ON CONFLICT (id, seq) DO UPDATE SET name = excluded.name, note = excluded.note, total = excluded.total,"
                    " _cdc_ts = excluded._cdc_ts",
                    after | {"ts": event["source"]["ts_us"]},
                )
            connection.commit()


def _result(name: str, dsn: str, since: int, count: int) -> Result:
    """Wait for all events and return how long each took."""
    query = (
        f"SELECT (extract(epoch FROM pg_xact_commit_timestamp(xmin)) * 1000000 - _cdc_ts)::float / 1000 FROM {TABLES[name]}"
        " WHERE _cdc_ts >= %s ORDER BY 1"
    )
    deadline = time.monotonic() + PATIENCE_SECONDS
    with psycopg.connect(dsn, autocommit=True) as connection:
        while len(took := [ms for (ms,) in connection.execute(query, (since,))]) < count:
            if time.monotonic() > deadline:
                raise RuntimeError(f"{len(took)} of {count} rows of {name} in PostgreSQL")
            time.sleep(0.2)
    p50, p99 = (took[int(share * (len(took) - 1))] for share in (0.5, 0.99))
    return Result(name, round(p50, 1), round(p99, 1), round(took[-1], 1))


def show(results: Sequence[Result]) -> None:
    """Print the table."""
    table = Table("ms", "p50", "p99", "max")
    of = {name: [result for result in results if result.of == name] for name in TABLES}
    middle = {name: [median(part) for part in zip(*((r.p50, r.p99, r.most) for r in of[name]), strict=True)] for name in TABLES}
    for result in results:
        table.add_row(result.of, f"{result.p50:.1f}", f"{result.p99:.1f}", f"{result.most:.1f}")
    table.add_section()
    for name, parts in middle.items():
        table.add_row(f"{name}, median", *(f"{part:.1f}" for part in parts))
    added = [ours - bare for ours, bare in zip(middle[FLOW.name], middle[BARE.name], strict=True)]
    table.add_row("added", *(f"{part:.1f}" for part in added))
    Console().print(table)


if __name__ == "__main__":
    if sys.argv[1:2] == ["--bare"]:
        consume_and_insert(sys.argv[2], sys.argv[3], int(sys.argv[4]))
    else:
        main()
