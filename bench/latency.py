"""Time from a CQL write to its PostgreSQL commit, and who takes it: `python -m bench.latency`.

The parts, all on the clock of one machine:

- **write to Kafka**, the floor: from the client's time just before it sends the statement, which the row carries, until a plain
  consumer beside the flow holds the event. Cassandra's commit log and the connector take it, nothing of ours. Kafka's own
  timestamp of the record, which the connector's producer sets when it begins to send, is shown beside it, in milliseconds.
- **Kafka to PostgreSQL**, ours: from the consumer's arrival to the commit of the transaction that wrote the row.
- **the whole** from the client's time to the commit.

The commit's time is PostgreSQL's own (`track_commit_timestamp`), exact to the microsecond and free of polling. The server takes
it just before it flushes the commit to disk, so the time of that flush is measured, too, and its mean is added to every commit.
The consumer reads as the flow does; what its own thread waits for the processor counts against the floor, not against us.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

import click
import psycopg
from cassandra.cluster import Session
from confluent_kafka import OFFSET_BEGINNING, Consumer, TopicPartition
from rich.console import Console
from rich.table import Table

from runtime.embedded.cassandra import CassandraServer
from runtime.embedded.stack import ALL, EmbeddedServices

PREFIX = "latency"
TABLE = "bench.orders"
DDL = (
    "CREATE KEYSPACE bench WITH replication = {'class': 'SimpleStrategy', 'replication_factor': 1}",
    "CREATE TABLE bench.orders (id int PRIMARY KEY, sent_us bigint, customer text, total decimal) WITH cdc = true",
)
INSERT = "INSERT INTO bench.orders (id, sent_us, customer, total) VALUES (?, ?, 'somebody', 12.50)"
PATIENCE_SECONDS = 120.0


@dataclass(frozen=True)
class Part:
    """One part of the way, in milliseconds."""

    name: str
    p50: float
    p99: float
    most: float


@dataclass(frozen=True)
class Seen:
    """One event in Kafka, in microseconds since 1970."""

    arrived_us: int
    record_us: int


@dataclass(frozen=True)
class Result:
    """One run. `load` is the machine's, of the last minute."""

    rate: int
    writes: int
    flush_ms: float
    load: float
    parts: list[Part]


@click.command()
@click.option("--rate", type=click.IntRange(1, 2_000), default=100, show_default=True, help="Writes a second.")
@click.option("--seconds", type=click.IntRange(min=1), default=60, show_default=True, help="How long it is measured.")
@click.option("--warm-up", type=click.IntRange(min=0), default=20, show_default=True, help="Seconds of writes before it.")
@click.option("--repeat", type=click.IntRange(min=1), default=1, show_default=True, help="Runs, on the same servers and flow.")
@click.option("--output", type=click.Path(path_type=Path, dir_okay=False), help="Write the results as JSON.")
def main(rate: int, seconds: int, warm_up: int, repeat: int, output: Path | None) -> None:
    """Print one table a run: p50, p99 and the maximum of each part, in milliseconds."""
    directory = Path(tempfile.mkdtemp(prefix="cassmirror-bench-"))
    directory.chmod(0o711)  # PostgreSQL's account passes through it
    try:
        results = list(measure(directory, rate, seconds, warm_up, repeat))
    finally:
        shutil.rmtree(directory, ignore_errors=True)
    if output:
        output.write_text(json.dumps([asdict(result) for result in results], indent=2) + "\n")


def measure(directory: Path, rate: int, seconds: int, warm_up: int, repeat: int) -> Iterator[Result]:
    """Run the whole stack and the flow; measure as often as wanted."""
    services = EmbeddedServices(directory / "services", ALL, topic_prefix=PREFIX, before_connector=_make_table)
    with services, services.cassandra.session() as session:
        _note_commit_times(services)
        dsn = services.postgres.dsn
        with _flow(services, directory) as flow, _arrivals(services.kafka.bootstrap_servers) as seen:
            first = _write(session, range(rate * warm_up + 1), rate)
            _wait_until_mirrored(dsn, first, flow)
            for _ in range(repeat):
                ids = range(first, first + rate * seconds)
                flushes = _flushes(dsn)
                first = _write(session, ids, rate)
                _wait_until_mirrored(dsn, first, flow)
                result = _result(dsn, rate, ids, seen, _mean_flush_ms(flushes, _flushes(dsn)))
                show(result)
                yield result


def _make_table(cassandra: CassandraServer) -> None:
    with cassandra.session() as session:
        for statement in DDL:
            session.execute(statement)


def _note_commit_times(services: EmbeddedServices) -> None:
    with psycopg.connect(services.postgres.dsn, autocommit=True) as connection:
        for setting in ("track_commit_timestamp", "track_wal_io_timing"):
            connection.execute(f"ALTER SYSTEM SET {setting} = on")
    services.postgres.stop()
    services.postgres.start()


@contextmanager
def _flow(services: EmbeddedServices, directory: Path) -> Iterator[subprocess.Popen[bytes]]:
    """Run the mirror with the settings it has unless told otherwise; raise `RuntimeError` unless it drains in the end."""
    settings = {
        "CDC_KAFKA__BOOTSTRAP_SERVERS": services.kafka.bootstrap_servers,
        "CDC_KAFKA__TOPIC_PREFIX": PREFIX,
        "CDC_POSTGRES__DSN": services.postgres.dsn,
        "CDC_REDIS__URL": services.valkey.url,
        "CDC_CASSANDRA__CONTACT_POINTS": services.cassandra.contact_point,
        "CDC_HTTP__PORT": "0",
    }
    log = directory / "flow.log"
    command = [sys.executable, "-m", "dataflows", "run", "--recovery-dir", str(directory / "recovery")]
    with log.open("ab") as out:
        process = subprocess.Popen(command, env={**_without_settings(os.environ), **settings}, stdout=out, stderr=out)
    try:
        yield process
    finally:
        process.terminate()
        if process.wait():
            sys.stderr.write(log.read_text(errors="replace")[-5_000:])
    if process.returncode:
        raise RuntimeError(f"the flow ended with {process.returncode}")


def _without_settings(environ: Mapping[str, str]) -> dict[str, str]:
    return {name: value for name, value in environ.items() if not name.startswith("CDC_")}


@contextmanager
def _arrivals(bootstrap: str) -> Iterator[dict[int, Seen]]:
    """Note when the event of each id is there for a plain consumer, on a thread of its own."""
    seen: dict[int, Seen] = {}
    stop = threading.Event()
    thread = threading.Thread(target=_consume, args=(bootstrap, seen, stop), name="consumer", daemon=True)
    thread.start()
    try:
        yield seen
    finally:
        stop.set()
        thread.join()


def _consume(bootstrap: str, seen: dict[int, Seen], stop: threading.Event) -> None:
    consumer = Consumer({"bootstrap.servers": bootstrap, "group.id": "bench-latency", "enable.auto.commit": False})
    topic = f"{PREFIX}.{TABLE}"
    while not stop.is_set() and not (known := consumer.list_topics(topic, 10).topics[topic].partitions):
        stop.wait(0.1)
    consumer.assign([TopicPartition(topic, number, OFFSET_BEGINNING) for number in known])
    while not stop.is_set():
        message = consumer.poll(0.2)
        if message is None or message.error() or (key := message.key()) is None:
            continue
        arrived_us = time.time_ns() // 1_000
        seen.setdefault(json.loads(key)["id"], Seen(arrived_us, message.timestamp()[1] * 1_000))
    consumer.close()


def _write(session: Session, ids: range, rate: int) -> int:
    """Insert a row an id, evenly, whatever the answers take; return the id behind the last."""
    insert = session.prepare(INSERT)
    answers = []
    began = time.monotonic()
    for number, row_id in enumerate(ids):
        time.sleep(max(0.0, began + number / rate - time.monotonic()))
        answers.append(session.execute_async(insert, (row_id, time.time_ns() // 1_000)))
    for answer in answers:
        answer.result()
    return ids.stop


def _wait_until_mirrored(dsn: str, rows: int, flow: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + PATIENCE_SECONDS
    while flow.poll() is None and time.monotonic() < deadline:
        with psycopg.connect(dsn, autocommit=True) as connection:
            there = connection.execute("SELECT to_regclass(%s)", (TABLE,)).fetchone()
            if there and there[0]:
                count = connection.execute(f"SELECT count(*) FROM {TABLE}").fetchone()
                if count and count[0] == rows:
                    return
        time.sleep(0.5)
    raise RuntimeError(f"not {rows} rows in PostgreSQL within {PATIENCE_SECONDS:.0f} s")


def _flushes(dsn: str) -> tuple[int, float]:
    """Return how often the log of PostgreSQL was flushed, and the milliseconds that took."""
    query = "SELECT sum(fsyncs), sum(fsync_time) FROM pg_stat_io WHERE object = 'wal' AND backend_type = 'client backend'"
    with psycopg.connect(dsn, autocommit=True) as connection:
        row = connection.execute(query).fetchone()
    return (int(row[0] or 0), float(row[1] or 0)) if row else (0, 0.0)


def _mean_flush_ms(before: tuple[int, float], after: tuple[int, float]) -> float:
    return (after[1] - before[1]) / max(1, after[0] - before[0])


def _result(dsn: str, rate: int, ids: range, seen: Mapping[int, Seen], flush_ms: float) -> Result:
    query = f"SELECT id, sent_us, extract(epoch FROM pg_xact_commit_timestamp(xmin)) * 1000000 FROM {TABLE} WHERE id >= %s"
    with psycopg.connect(dsn, autocommit=True) as connection:
        rows = [(id_, sent, int(at) + int(flush_ms * 1_000)) for id_, sent, at in connection.execute(query, (ids.start,))]
    if len(rows) != len(ids):
        raise RuntimeError(f"{len(rows)} of {len(ids)} rows in PostgreSQL")
    parts = [
        _part("write to Kafka (floor)", [seen[id_].arrived_us - sent for id_, sent, _ in rows]),
        _part("write to Kafka, its timestamp", [seen[id_].record_us - sent for id_, sent, _ in rows]),
        _part("Kafka to PostgreSQL (ours)", [committed - seen[id_].arrived_us for id_, _, committed in rows]),
        _part("write to PostgreSQL", [committed - sent for _, sent, committed in rows]),
    ]
    return Result(rate, len(rows), round(flush_ms, 2), round(os.getloadavg()[0], 1), parts)


def _part(name: str, microseconds: list[int]) -> Part:
    ordered = sorted(microseconds)
    p50, p99 = (ordered[int(share * (len(ordered) - 1))] for share in (0.5, 0.99))
    return Part(name, *(round(value / 1_000, 1) for value in (p50, p99, ordered[-1])))


def show(result: Result) -> None:
    """Print the table of a run."""
    title = f"{result.writes:,} writes at {result.rate}/s, load {result.load}, flush of a commit {result.flush_ms} ms (counted)"
    table = Table("ms", "p50", "p99", "max", title=title)
    for part in result.parts:
        table.add_row(part.name, f"{part.p50:.1f}", f"{part.p99:.1f}", f"{part.most:.1f}")
    Console().print(table)


if __name__ == "__main__":
    main()
