"""`cassmirror demo`: recorded events through real servers and the mirror, compared with the rows that Cassandra held."""

from __future__ import annotations

import random
import shlex
import shutil
import signal
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from types import FrameType
from urllib.parse import urlsplit

import click

from cdc.errors import ServiceFailed
from dataflows.demo_compare import Comparison, compare, not_compared
from dataflows.demo_flow import FlowProcess, Lane, watching
from dataflows.demo_recordings import REPLICAS, SAMPLES, Recording, read_recordings, rounds
from dataflows.demo_screen import Screen
from runtime.embedded.accounts import server_account
from runtime.embedded.postgres_programs import find_programs
from runtime.embedded.stack import EmbeddedServices

EXIT_DIFFERENT = 3
_GLANCE_S = 0.2


@click.command()
@click.argument("names", nargs=-1)
@click.option(
    "--samples",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    default=SAMPLES,
    help="Where the recordings are.",
)
@click.option("--seed", type=int, default=1, show_default=True, help="Of the order in which the events are sent.")
@click.option("--show", default="shop.customers", show_default=True, help="The table whose rows are printed side by side.")
@click.option("--rows", type=click.IntRange(min=0), default=4, show_default=True, help="How many of them.")
@click.option("--keep", is_flag=True, envvar="KEEP", help="Leave the servers running until Ctrl+C. Also KEEP=1.")
@click.pass_context
def demo(ctx: click.Context, names: tuple[str, ...], samples: Path, *, seed: int, show: str, rows: int, keep: bool) -> None:
    """Mirror recorded events with servers of its own, and compare with the rows that Cassandra held. NAMES: all recordings.

    Exits 0 when nothing differs, else 3.
    """
    started = time.monotonic()
    screen = Screen()
    recordings = read_recordings(samples, names)
    screen.say("starting PostgreSQL and Kafka")
    with _signals_raise(), _new_services() as services:
        screen.say(f"sending the events of {len(recordings)} recordings")
        lanes = _lanes(services, recordings)
        _mirror(screen, lanes, random.Random(seed))  # noqa: S311 - an order that can be had again
        found = [comparison for lane in lanes for comparison in compare(lane.dsn, lane.played)]
        differing = _report(screen, lanes, found, not_compared(recordings), (show, rows))
        cells, seconds = sum(one.cells for one in found), time.monotonic() - started
        screen.say(f"\ncompared {cells:,} cells of {len(found)} tables, {seconds:.1f} s in all")
        _tell_how_to_connect(screen, services, lanes)
        if not keep:
            screen.say("KEEP=1 make demo leaves the servers running.")
        screen.say("1 difference" if differing == 1 else f"{differing:,} differences")
        if keep:
            _wait_for_the_user(screen, services)
    ctx.exit(EXIT_DIFFERENT if differing else 0)


@contextmanager
def _new_services() -> Iterator[EmbeddedServices]:
    """Yield servers in a new directory; afterwards they are stopped and their data is gone."""
    parent = Path(tempfile.mkdtemp(prefix="cassmirror-demo-"))
    parent.chmod(0o711)  # started by root, PostgreSQL runs as somebody else
    services = EmbeddedServices(parent / "services", ("postgres", "kafka"), durable=False)
    try:
        with services:
            yield services
    finally:
        for server in services.servers:  # one may keep its files elsewhere than it was told
            shutil.rmtree(server.state_dir, ignore_errors=True)
        shutil.rmtree(parent, ignore_errors=True)


@contextmanager
def _signals_raise() -> Iterator[None]:
    """Let SIGTERM and SIGHUP end the demo as Ctrl+C does: with everything that it started."""

    def interrupt(_number: int, _frame: FrameType | None) -> None:
        raise KeyboardInterrupt

    if threading.current_thread() is threading.main_thread():
        for number in (signal.SIGTERM, signal.SIGHUP):
            if signal.getsignal(number) is not signal.SIG_IGN:  # as under nohup
                signal.signal(number, interrupt)
    yield


def _lanes(services: EmbeddedServices, recordings: Sequence[Recording]) -> list[Lane]:
    bootstrap = services.kafka.bootstrap_servers
    return [
        Lane(played, bootstrap, services.postgres.create_database(played.name), services.state_dir)
        for played in rounds(recordings)
    ]


def _mirror(screen: Screen, lanes: Sequence[Lane], dice: random.Random) -> None:
    """Send all events, run a process of the mirror for each lane, and show how far they are until they have drained."""
    for lane in lanes:
        lane.send(lane.played.records(dice))
    events = sum(table.sent for lane in lanes for table in lane.tables.values())
    screen.say(f"sent {events:,} events in random order, {REPLICAS} copies of each as {REPLICAS} replicas write them")
    with ExitStack() as stack:
        flows = [stack.enter_context(FlowProcess(lane)) for lane in lanes]
        watches = [stack.enter_context(watching(lane)) for lane in lanes]
        with screen.progress(lanes) as progress:
            while any([flow.running() for flow in flows]):  # noqa: C419 - each of them is asked
                for watch in watches:
                    watch.look()
                progress.show()
                time.sleep(_GLANCE_S)
            for flow, watch in zip(flows, watches, strict=True):
                flow.require_success()
                watch.look_to_the_end()
            progress.show(last=True)


def _report(
    screen: Screen, lanes: Sequence[Lane], found: Sequence[Comparison], uncompared: Sequence[str], shown: tuple[str, int]
) -> int:
    """Print both sides, and return the number of cells that differ."""
    table, rows = shown
    screen.comparisons(lanes, found)
    filled = [one for one in found if one.want]
    if rows and filled:
        screen.side_by_side(next((one for one in filled if one.table.full_name == table), filled[0]), rows)
    screen.gaps(lanes, found, uncompared)
    screen.differences(found)
    return sum(one.differing_cells for one in found)


def _tell_how_to_connect(screen: Screen, services: EmbeddedServices, lanes: Sequence[Lane]) -> None:
    address = urlsplit(lanes[0].dsn)
    program = shutil.which("psql") or find_programs(server_account()) / "psql"
    password = shlex.quote(str(services.postgres.password_file))
    command = f"{program} -h {address.hostname} -p {address.port} -U {address.username} {lanes[0].name}"
    screen.say(f"\nconnect: PGPASSWORD=$(cat {password}) {command}")
    screen.say(f"databases: {', '.join(lane.name for lane in lanes)}; a Cassandra keyspace is a PostgreSQL schema there")


def _wait_for_the_user(screen: Screen, services: EmbeddedServices) -> None:
    """Return at Ctrl+C. Raises `ServiceFailed` when a server ends by itself."""
    screen.say("running; Ctrl+C stops the servers and removes their data")
    try:
        while all(server.running() for server in services.servers):
            time.sleep(_GLANCE_S)
    except KeyboardInterrupt:
        screen.say("stopped")
        return
    raise ServiceFailed("a server ended by itself")
