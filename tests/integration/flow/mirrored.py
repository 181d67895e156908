"""One mirror of a test: its topics, its database, its process, and what is then in the tables."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

from bytewax.testing import run_main

from cdc.recording import Difference
from dataflows.cassandra_to_postgres import mirror
from dataflows.mirror_parts import open_parts
from runtime.settings import Settings, load_settings
from runtime.stop import Stop
from tests.fixtures.recordings import SAMPLES
from tests.integration.flow.flow_process import FlowProcess, flow_process
from tests.integration.flow.source_flow import Topics
from tests.model.mirror import PostgresMirror
from tests.model.recorded import Replay, replay_of


@dataclass
class Mirrored:
    """A recording on its way through the whole flow."""

    name: str
    topics: Topics
    dsn: str
    directory: Path
    more: dict[str, str] = field(default_factory=dict)

    @property
    def replay(self) -> Replay:
        return replay_of(self.name)

    def settings(self, **more: str) -> dict[str, str]:
        """Return the environment of a process; `more` names settings without the prefix."""
        at = datetime.fromtimestamp(self.replay.now, UTC).isoformat()
        ours = {
            "CDC_KAFKA__BOOTSTRAP_SERVERS": self.topics.bootstrap,
            "CDC_KAFKA__TOPIC_PREFIX": self.topics.prefix,
            "CDC_KAFKA__GROUP_ID": self.topics.prefix,
            "CDC_KAFKA__DEAD_LETTER_TOPIC": self.topics.full("cdc.dlq"),
            "CDC_KAFKA__UNTIL_CAUGHT_UP": "true",
            "CDC_POSTGRES__DSN": self.dsn,
            "CDC_SCHEMA__FILE": str(SAMPLES / f"{self.name}.cql"),
            "CDC_CLOCK__AT": at,
        }
        return ours | self.more | {f"CDC_{name}": value for name, value in more.items()}

    @contextmanager
    def running(self, command: str = "run", *, workers: int = 1, name: str = "only", **more: str) -> Iterator[FlowProcess]:
        """Yield a process of the flow, gone afterwards; its name gives it a directory of its own."""
        with flow_process(self.settings(**more), self.directory / name, command, workers) as flow:
            yield flow

    def run_here(self, processes: int = 1, **more: str) -> None:
        """Run the flow to its end in threads of this process, one for each shard: quicker than processes."""
        environments = [
            self.settings(SHARD__INDEX=str(index), SHARD__COUNT=str(processes), HTTP__PORT="0", **more)
            for index in range(processes)
        ]
        with ThreadPoolExecutor(processes) as pool:
            for ended in [pool.submit(_run, load_settings(environment)) for environment in environments]:
                ended.result()

    def unexplained(self) -> list[Difference]:
        """Return where the tables are not what Cassandra held."""
        mirror = PostgresMirror(self.dsn, self.replay.schema.tables.values(), group="reader")
        try:
            return self.replay.unexplained(mirror)
        finally:
            mirror.close()


def _run(settings: Settings) -> None:
    run_main(mirror(open_parts(settings, Stop())), epoch_interval=timedelta(seconds=0.1))  # type: ignore[no-untyped-call]


def exit_codes(flows: Iterable[FlowProcess]) -> list[int]:
    """Wait for processes and return how they ended."""
    return [flow.wait() for flow in flows]
