"""`cassmirror demo`: a real Cassandra written to at a set rate and mirrored; when all is quiet, every cell is compared."""

from __future__ import annotations

import threading
import time
from collections import Counter
from contextlib import ExitStack
from dataclasses import dataclass

from cdc.ddl import read_ddl
from cdc.recording import differences
from cdc.schema import Table
from dataflows.demo_compare import Comparison
from dataflows.demo_flow import FlowProcess
from dataflows.demo_live_screen import LiveScreen
from dataflows.demo_live_stack import LiveMirror, Marker, live_mirror, require_room
from dataflows.demo_outcome import Outcome
from dataflows.demo_servers import end, new_services, psql_command, signals_raise
from dataflows.shop.pace import paced
from dataflows.shop.schema import create_keyspace, ddl
from dataflows.shop.truth import cassandra_rows
from dataflows.shop.workload import statements
from runtime.cassandra.writer import StatementWriter
from runtime.embedded.cassandra import CassandraServer
from runtime.embedded.stack import ALL
from runtime.settings import CassandraSettings
from sinks.postgres.layout import Layout
from sinks.postgres.migrate import migrate
from sinks.postgres.read import MirrorReader

_GLANCE_S = 0.4
_SETTLE_S = 25.0  # longer than the workload's TTLs, and the sweep's two seconds
_QUIET_S = 180.0


@dataclass(frozen=True)
class Wishes:
    """What the command line asks of it."""

    rate: float
    duration: float
    seed: int
    show: str
    rows: int
    keep: bool


def play(wishes: Wishes) -> Outcome:
    """Run the demo."""
    screen = LiveScreen()
    flow_stack = ExitStack()
    mirrors: list[LiveMirror] = []

    def prepare(cassandra: CassandraServer) -> None:
        screen.step("making the tables, starting mirror and connector")
        mirror = live_mirror(services)
        with StatementWriter(_settings(cassandra.contact_point)) as writer:
            for statement in (create_keyspace(), *ddl(), *Marker.DDL):
                writer.execute(statement)
        mirror.make_topics()
        mirror.flow = flow_stack.enter_context(FlowProcess(mirror))
        mirrors.append(mirror)

    with signals_raise(), new_services(ALL, before_connector=prepare, on_serving=screen.serving) as services:
        require_room(services)
        screen.step("starting Cassandra, Kafka, PostgreSQL and Valkey (the first time, their programs are downloaded)")
        try:
            with services, flow_stack:
                return _with_servers(wishes, screen, mirrors[0])
        finally:
            flow_stack.close()


def _settings(contact_point: str) -> CassandraSettings:
    return CassandraSettings(contact_points=(contact_point,), timeout_seconds=30)


def _with_servers(wishes: Wishes, screen: LiveScreen, mirror: LiveMirror) -> Outcome:
    """Write, watch, wait and compare."""
    services = mirror.services
    with StatementWriter(_settings(services.cassandra.contact_point)) as writer, MirrorReader(mirror.dsn) as reader:
        mirror.wait_until_ready()
        screen.step("the mirror is ready; writing begins")
        written = _write_and_watch(wishes, screen, mirror, writer, reader)
        screen.say(f"wrote {written.total():,} statements: {', '.join(f'{n:,} {kind}' for kind, n in written.most_common())}")
        screen.step("waiting until all of it has arrived")
        mirror.wait_until_quiet(Marker(writer), reader, _QUIET_S)
        screen.step("quiet; comparing")
        found = _compare_until_equal(mirror, writer, reader)
    glance, cells = mirror.glance(), sum(one.cells for one in found)
    screen.report(glance, found, wishes.show, wishes.rows)
    dead_letters = sum(table.dead_letters for table in glance.tables.values())
    outcome = Outcome(sum(one.differing_cells for one in found), dead_letters, compared_nothing=not cells)
    screen.step(f"compared {cells:,} cells of {len(found)} tables")
    screen.say(f"connect: {psql_command(services, mirror.dsn)}")
    screen.say(f"how the mirror is: {mirror.url}/ shows it, and `cassmirror status --url {mirror.url}`")
    screen.say(f"write more: cassmirror load --contact-points {services.cassandra.contact_point}")
    end(screen, outcome, services, target="demo", keep=wishes.keep)
    return outcome


def _write_and_watch(
    wishes: Wishes, screen: LiveScreen, mirror: LiveMirror, writer: StatementWriter, reader: MirrorReader
) -> Counter[str]:
    """Write on a thread while the screen shows how the mirror follows; return what was written."""
    counts: Counter[str] = Counter()
    failures: list[Exception] = []
    stop = threading.Event()

    def write() -> None:
        try:
            for statement in paced(statements(wishes.seed), wishes.rate, wishes.duration, stopped=stop.is_set):
                writer.write(statement.cql, statement.parameters)
                counts[statement.kind] += 1
            writer.drain()
        except Exception as error:  # noqa: BLE001 - raised by the thread that watches
            failures.append(error)

    thread = threading.Thread(target=write, name="load", daemon=True)
    thread.start()
    try:
        _watch(screen, mirror, reader, thread, counts)
    finally:
        stop.set()
        thread.join()
    for failure in failures:
        raise failure
    return counts


def _watch(
    screen: LiveScreen, mirror: LiveMirror, reader: MirrorReader, thread: threading.Thread, counts: Counter[str]
) -> None:
    began, seen = time.monotonic(), False
    with screen.live() as view:
        while thread.is_alive():
            mirror.require_running()
            rows = reader.row_counts()
            if not seen and any(rows.values()):
                seen = True
                screen.step("the first mirrored row")
            view.show(mirror.glance(), rows, counts.copy().total(), time.monotonic() - began)
            thread.join(_GLANCE_S if seen else 0.05)


def _compare_until_equal(mirror: LiveMirror, writer: StatementWriter, reader: MirrorReader) -> list[Comparison]:
    """Compare again for as long as TTLs may still run out between the reads; what then differs is a difference."""
    tables = [*read_ddl(";\n".join([create_keyspace(), *ddl()])).tables.values()]
    layouts = {layout.table.full_name: layout for layout in migrate(mirror.dsn, tables, create_tables=False)}
    deadline = time.monotonic() + _SETTLE_S
    while True:
        found = [_compared(table, layouts[table.full_name], writer, reader) for table in tables]
        if not any(one.unexplained for one in found) or time.monotonic() > deadline:
            return found
        time.sleep(_GLANCE_S)


def _compared(table: Table, layout: Layout, writer: StatementWriter, reader: MirrorReader) -> Comparison:
    want, got = cassandra_rows(writer, table), reader.rows(layout)
    return Comparison("shop", table, want, got, list(differences(table, want, got)), Counter())
