"""The servers that all peers run on, one after the other, each time with a fresh database."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Collection
from dataclasses import dataclass, field
from pathlib import Path

import psycopg
from rich.console import Console

from bench.broker import create_topics, discarding_consumer, fill, produce, topic_of
from bench.ceiling import Ceiling, settle
from bench.peers.clock import keep_commit_times, rate_of, read_commits
from bench.peers.compare import NATURAL, TABLE, compare, read_rows
from bench.peers.flatten import Form, flatten
from bench.peers.history import Rows
from bench.peers.peer import Job, Peer, PeerError, form_topic
from bench.peers.results import Result
from bench.workloads import Workload, events
from runtime.embedded.stack import EmbeddedServices

progress = Console(stderr=True)


@dataclass
class Ground:
    """Two servers, the directory of everything, and how many workers each peer may have."""

    directory: Path
    services: EmbeddedServices
    workers: int
    records: dict[str, int] = field(default_factory=dict)
    """Of each workload that is filled in, by its name."""

    def __post_init__(self) -> None:
        keep_commit_times(self.services.postgres.dsn)
        self.services.postgres.stop()
        self.services.postgres.start()

    def install(self, peer: Peer) -> Result:
        """Install a peer, and return its result, which is still empty."""
        result = Result(peer.name)

        def prepare() -> None:
            progress.print(f"{peer.name}: installing")
            result.version = peer.prepare(self.directory)

        _attempt(result, prepare)
        return result

    def fill(self, workload: Workload, forms: Collection[Form]) -> None:
        """Produce a workload as the connector does it, and in the other forms that are asked for."""
        bootstrap = self.services.kafka.bootstrap_servers
        others = [form for form in Form if form in forms and form is not Form.CONNECTOR]
        create_topics(bootstrap, [topic_of(workload), *(form_topic(workload, form) for form in others)])
        self.records[workload.name], size = fill(bootstrap, workload)
        progress.print(f"{workload.name}: {self.records[workload.name]:,} events of {size:,} bytes")
        for form in others:
            _, size = produce(bootstrap, form_topic(workload, form), flatten(form, events(workload)))
            progress.print(f"{workload.name}, {form}: {size:,} bytes")

    def ceiling(self, workload: Workload, moment: str) -> float:
        """Return what PostgreSQL does at best with the workload's rows."""
        ceiling = Ceiling(self.services.postgres.create_database(f"ceiling_{moment}"))
        settle(ceiling.dsn)
        with discarding_consumer(self.services.kafka.bootstrap_servers, topic_of(workload)):
            rate = ceiling.rows_per_second(workload)
        ceiling.close()
        self.services.postgres.drop_database(f"ceiling_{moment}")
        progress.print(f"ceiling {moment} the peers: {rate:,.0f}/s")
        return rate

    def time(self, peer: Peer, result: Result, workload: Workload) -> None:
        """Measure how fast a peer writes the workload, whose rows are all different."""

        def look(dsn: str, started: float) -> None:
            commits = read_commits(dsn, peer.table)
            rate = rate_of(commits)
            if rate is not None:
                result.seconds = round(commits[-1][0] - started, 1)
                result.events_per_second, result.middle = round(rate.rows_per_second), rate.middle
            written = len(_rows(dsn, peer))
            if written != len(workload.writes):
                raise PeerError(f"{written:,} rows after {len(workload.writes):,} inserts")

        _attempt(result, lambda: self._run(peer, workload, look))
        progress.print(f"{peer.name}, {workload.name}: {result.events_per_second or 0:,}/s")

    def check(self, peer: Peer, result: Result, workload: Workload, expected: Rows) -> None:
        """Count what is wrong when a peer has written the workload."""

        def look(dsn: str, _started: float) -> None:
            found = compare(expected, _rows(dsn, peer))
            result.wrong_cells, result.missing_rows = found.wrong_cells, found.missing_rows
            result.extra_rows = found.extra_rows

        _attempt(result, lambda: self._run(peer, workload, look))
        progress.print(f"{peer.name}, {workload.name}: {result.wrong_cells} {result.missing_rows} {result.extra_rows}")

    def _run(self, peer: Peer, workload: Workload, look: Callable[[str, float], None]) -> None:
        name = re.sub(r"\W+", "_", f"{peer.name}_{workload.name}".lower())
        directory, dsn = self.directory / name, self.services.postgres.create_database(name)
        directory.mkdir()
        if peer.columns is not None:
            with psycopg.connect(dsn) as connection:
                connection.execute(TABLE.format(table=peer.table, **peer.columns))
        settle(dsn)
        bootstrap, started = self.services.kafka.bootstrap_servers, time.time()
        peer.run(Job(directory, bootstrap, dsn, workload, self.records[workload.name], self.workers))
        look(dsn, started)
        self.services.postgres.drop_database(name)


def _rows(dsn: str, peer: Peer) -> Rows:
    return read_rows(dsn, peer.table, (peer.columns or NATURAL)["key"])


def _attempt(result: Result, step: Callable[[], None]) -> None:
    """Take a step of a peer; what goes wrong becomes a part of its result."""
    try:
        step()
    except Exception as error:  # noqa: BLE001 - whatever happens to one peer, the others are still to be measured
        result.failures += (next(iter(str(error).splitlines()), type(error).__name__),)
        progress.print(f"{result.peer}: {error}", style="red")
