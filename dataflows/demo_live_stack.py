"""The mirror of the live demo: its settings, its topics, and how far it is."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from cdc.errors import ServiceFailed
from dataflows.demo_flow import PARTITIONS, FlowProcess, only_with, run_command
from dataflows.shop.schema import KEYSPACE, TABLES
from runtime.cassandra.writer import StatementWriter
from runtime.embedded import ports
from runtime.embedded.capacity import MIB, require_memory
from runtime.embedded.stack import EmbeddedServices
from runtime.glance import Glance, glance
from runtime.kafka.client import KafkaClient
from runtime.kafka.load import create_topics
from runtime.kafka.scout import ClusterScout
from sinks.postgres.read import MirrorReader

GROUP = "cassmirror-demo"
PREFIX = "cassandra"
DEAD_LETTERS = "dead-letters"
_FLOW_BYTES = 192 * MIB
_READY_S = 120.0
_GLANCE_S = 0.05


class Marker:
    """A row that is written last: all that was written before it has arrived when it has."""

    TABLE: ClassVar = "demo.marker"
    DDL: ClassVar = (
        "CREATE KEYSPACE demo WITH replication = {'class': 'SimpleStrategy', 'replication_factor': 1}",
        "CREATE TABLE demo.marker (id int PRIMARY KEY) WITH cdc = true",
    )

    def __init__(self, writer: StatementWriter) -> None:
        self._writer = writer

    def write(self) -> None:
        self._writer.execute(f"INSERT INTO {self.TABLE} (id) VALUES (1)")  # noqa: S608 - a name of ours


@dataclass
class LiveMirror:
    """One process of the mirror beside the servers."""

    services: EmbeddedServices
    dsn: str
    directory: Path
    port: int
    flow: FlowProcess | None = None

    @property
    def log(self) -> Path:
        """What the process prints."""
        return self.directory / "mirror.log"

    @property
    def url(self) -> str:
        """Where the process answers for its health."""
        return f"http://{ports.LOOPBACK}:{self.port}"

    def argv(self) -> list[str]:
        """Return the command that mirrors."""
        return run_command(self.directory / "recovery")

    def environment(self) -> dict[str, str]:
        """Return its environment: who says the schema is Cassandra."""
        return only_with(
            {
                "KAFKA__BOOTSTRAP_SERVERS": self.services.kafka.bootstrap_servers,
                "KAFKA__TOPIC_PREFIX": PREFIX,
                "KAFKA__GROUP_ID": GROUP,
                "KAFKA__DEAD_LETTER_TOPIC": DEAD_LETTERS,
                "POSTGRES__DSN": self.dsn,
                "REDIS__URL": self.services.valkey.url,
                "CASSANDRA__CONTACT_POINTS": self.services.cassandra.contact_point,
                "HTTP__PORT": str(self.port),
                "HTTP__HOST": ports.LOOPBACK,
            }
        )

    def make_topics(self) -> None:
        """Make the topics before their first event: otherwise that one waits until the mirror lists topics again."""
        create_topics(KafkaClient(self.services.kafka.bootstrap_servers), self.topics(), PARTITIONS)

    def topics(self) -> list[str]:
        return [*(f"{PREFIX}.{KEYSPACE}.{name}" for name in TABLES), f"{PREFIX}.{Marker.TABLE}"]

    def glance(self) -> Glance:
        """Ask the process how it is."""
        return glance(self.url)

    def wait_until_ready(self) -> None:
        """Wait until it reads. Raises `ServiceFailed` when it ends, or takes too long."""
        self._wait(self._ready, "the mirror did not become ready", _READY_S)

    def wait_until_quiet(self, marker: Marker, reader: MirrorReader, timeout_s: float) -> None:
        """Write the marker and wait for it, then for the ends that the topics have."""
        marker.write()
        self._wait(lambda: reader.row_counts().get(marker.TABLE, 0) > 0, "the last row did not arrive", timeout_s)
        with ClusterScout(KafkaClient(self.services.kafka.bootstrap_servers), f"{GROUP}-watch") as scout:
            parts = [(topic.name, number) for topic in scout.topics(self.topics()) for number in topic.partitions]
            end = sum(scout.log_ends(parts).values())
            self._wait(lambda: sum(reader.applied(GROUP).values()) >= end, "not all events were applied", timeout_s)

    def require_running(self) -> None:
        """Raise `ServiceFailed` with its last words when it has ended, or when a server has."""
        if self.flow is not None and not self.flow.running():
            self.flow.require_success()
            raise ServiceFailed("the mirror ended by itself")
        for server in self.services.servers:
            if not server.running():
                raise ServiceFailed(f"{server.name} ended by itself", hint=f"read {server.log}")

    def _ready(self) -> bool:
        with suppress(ServiceFailed):
            return self.glance().ready.well
        return False

    def _wait(self, done: Callable[[], bool], otherwise: str, timeout_s: float) -> None:
        deadline = time.monotonic() + timeout_s
        while not done():
            self.require_running()
            if time.monotonic() > deadline:
                raise ServiceFailed(f"{otherwise} within {timeout_s:.0f} s", hint=f"read {self.log}")
            time.sleep(_GLANCE_S)


def live_mirror(services: EmbeddedServices) -> LiveMirror:
    """Return the mirror of servers that serve, with a database of its own."""
    directory = services.state_dir
    port = ports.choose(directory / "mirror-port", name="the mirror")
    return LiveMirror(services, services.postgres.create_database("demo"), directory, port)


def require_room(services: EmbeddedServices) -> None:
    """Raise `ServiceFailed` unless there is memory for the servers and the mirror."""
    try:
        require_memory(sum(server.memory_bytes for server in services.servers) + _FLOW_BYTES, "the demo with a real Cassandra")
    except ServiceFailed as error:
        hint = "end other programs, or run `make demo-recorded`, which needs less"
        raise ServiceFailed(error.message, hint=hint) from error
