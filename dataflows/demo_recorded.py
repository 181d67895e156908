"""`cassmirror demo --recorded`: recorded events through real servers and the mirror, compared with what Cassandra held."""

from __future__ import annotations

import random
import time
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from dataflows.demo_compare import Comparison, compare, not_compared
from dataflows.demo_flow import FlowProcess, Lane, watching
from dataflows.demo_outcome import Outcome
from dataflows.demo_recordings import REPLICAS, Recording, read_recordings, rounds
from dataflows.demo_screen import Screen
from dataflows.demo_servers import end, new_services, psql_command, signals_raise
from runtime.embedded.stack import EmbeddedServices

_GLANCE_S = 0.2


@dataclass(frozen=True)
class Wishes:
    """What the command line asks of it."""

    names: tuple[str, ...]
    samples: Path
    seed: int
    show: str
    rows: int
    keep: bool


def play(wishes: Wishes) -> Outcome:
    """Mirror the recordings and compare; some of them want dead letters."""
    started = time.monotonic()
    screen = Screen()
    recordings = read_recordings(wishes.samples, wishes.names)
    screen.say("starting PostgreSQL and Kafka")
    with signals_raise(), new_services(("postgres", "kafka"), on_serving=screen.serving) as services, services:
        screen.say(f"sending the events of {len(recordings)} recordings")
        lanes = _lanes(services, recordings)
        _mirror(screen, lanes, random.Random(wishes.seed))  # noqa: S311 - an order that can be had again
        found = [comparison for lane in lanes for comparison in compare(lane.dsn, lane.played)]
        _report(screen, lanes, found, not_compared(recordings), (wishes.show, wishes.rows))
        outcome = Outcome(sum(one.differing_cells for one in found))
        cells, seconds = sum(one.cells for one in found), time.monotonic() - started
        screen.say(f"\ncompared {cells:,} cells of {len(found)} tables, {seconds:.1f} s in all")
        _tell_how_to_connect(screen, services, lanes)
        end(screen, outcome, services, target="demo-recorded", keep=wishes.keep)
    return outcome


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
) -> None:
    """Print both sides."""
    table, rows = shown
    screen.comparisons(lanes, found)
    filled = [one for one in found if one.want]
    if rows and filled:
        screen.side_by_side(next((one for one in filled if one.table.full_name == table), filled[0]), rows)
    screen.gaps(lanes, found, uncompared)
    screen.differences(found)


def _tell_how_to_connect(screen: Screen, services: EmbeddedServices, lanes: Sequence[Lane]) -> None:
    screen.say(f"\nconnect: {psql_command(services, lanes[0].dsn)}")
    screen.say(f"databases: {', '.join(lane.name for lane in lanes)}; a Cassandra keyspace is a PostgreSQL schema there")
