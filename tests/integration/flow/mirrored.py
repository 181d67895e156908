"""One mirror of a test: its topics, its database, its process, and what is then in the tables."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

import psycopg
from bytewax.testing import run_main

from cdc.recording import Difference
from dataflows.cassandra_to_postgres import mirror
from dataflows.mirror_parts import open_parts
from runtime.settings import Settings
from runtime.settings_loading import load_settings
from runtime.stop import Stop
from tests.integration.flow.flow_process import FlowProcess, flow_process
from tests.integration.flow.source_flow import Topics, eventually
from tests.integration.flow.stories import Story, story_of
from tests.model.mirror import PostgresMirror
from tests.model.recorded import Replay, replay_of


@dataclass
class Mirrored:
    """A story, by its name, on its way through the whole flow. Its consumer group is `group`, or the topics' prefix."""

    name: str
    topics: Topics
    dsn: str
    directory: Path
    more: dict[str, str] = field(default_factory=dict)
    group: str = ""

    @property
    def story(self) -> Story:
        return story_of(self.name)

    @property
    def replay(self) -> Replay:
        return replay_of(self.name)

    @property
    def group_id(self) -> str:
        return self.group or self.topics.prefix

    def settings(self, **more: str) -> dict[str, str]:
        """Return the environment of a process; `more` names settings without the prefix."""
        schema = self.directory / "schema.cql"
        schema.write_bytes(self.story.ddl.encode())
        ours = {
            "CDC_KAFKA__BOOTSTRAP_SERVERS": self.topics.bootstrap,
            "CDC_KAFKA__TOPIC_PREFIX": self.topics.prefix,
            "CDC_KAFKA__GROUP_ID": self.group_id,
            "CDC_KAFKA__DEAD_LETTER_TOPIC": f"{self.group_id}.cdc.dlq",
            "CDC_KAFKA__UNTIL_CAUGHT_UP": "true",
            "CDC_POSTGRES__DSN": self.dsn,
            "CDC_SCHEMA__FILE": str(schema),
            "CDC_CLOCK__AT": datetime.fromtimestamp(self.story.now, UTC).isoformat(),
        }
        return ours | self.more | {f"CDC_{name}": value for name, value in more.items()}

    @contextmanager
    def running(
        self, command: str = "run", *, workers: int = 1, name: str = "only", arguments: Iterable[str] = (), **more: str
    ) -> Iterator[FlowProcess]:
        """Yield a process of the flow, gone afterwards; its name gives it a directory of its own."""
        with flow_process(self.settings(**more), self.directory / name, command, workers, arguments) as flow:
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
        mirror = PostgresMirror(self.dsn, self.story.tables, group="reader")
        try:
            return self.story.unexplained(mirror)
        finally:
            mirror.close()

    def applied(self) -> int:
        """Return how many records PostgreSQL has behind it, over all partitions; 0 while it is away."""
        query = "SELECT coalesce(sum(next_offset), 0)::bigint FROM cdc.offsets WHERE group_id = %s"
        try:
            with psycopg.connect(self.dsn, connect_timeout=5) as connection:
                row = connection.execute(query, (self.group_id,)).fetchone()
        except (psycopg.errors.UndefinedTable, psycopg.OperationalError):
            return 0
        return int(row[0]) if row else 0

    def await_applied(self, count: int, flow: FlowProcess) -> None:
        """Wait until so many records are applied. The flow must not end before."""

        def reached() -> bool:
            assert flow.is_running(), flow.log.read_text()
            return self.applied() >= count

        eventually(reached, f"{count} records applied", seconds=120)


def _run(settings: Settings) -> None:
    run_main(mirror(open_parts(settings, Stop())), epoch_interval=timedelta(seconds=0.1))  # type: ignore[no-untyped-call]


def exit_codes(flows: Iterable[FlowProcess]) -> list[int]:
    """Wait for processes and return how they ended."""
    return [flow.wait() for flow in flows]
