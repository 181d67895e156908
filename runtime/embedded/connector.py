"""Run the Debezium Cassandra connector as a process of its own beside an embedded Cassandra."""

from __future__ import annotations

import json
import re
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Protocol
from urllib.parse import quote

from cdc.errors import ServiceFailed
from runtime.embedded.capacity import MIB
from runtime.embedded.cassandra import CLUSTER_NAME, DATACENTER, CassandraServer, java_options, write_logback
from runtime.embedded.jars import ensure
from runtime.embedded.java import java, java_environment
from runtime.embedded.process import Launch
from runtime.embedded.server import Server

# Cassandra's own, which the driver leaves out unless told otherwise.
_OWN_KEYSPACES = ("!system", "!/^system_.*/")
# Paths are relative to the state directory: in that of the relocation no dot may stand.
_PROPERTIES = {
    "cassandra.driver.config.file": "driver.conf",
    "cassandra.cluster.name": CLUSTER_NAME,
    "offset.backing.store.dir": "offsets",
    "commit.log.relocation.dir": "relocation",
    # With the defaults an event waits until its segment is full, and then for each of these timers.
    "commit.log.real.time.processing.enabled": "true",
    "commit.log.marked.complete.poll.interval.ms": "20",
    "cdc.dir.poll.interval.ms": "100",
    "poll.interval.ms": "10",
    "commit.log.relocation.dir.poll.interval.ms": "1000",
    # A row with a TTL ends a snapshot and the connector with it.
    "snapshot.mode": "never",
    "snapshot.consistency": "ONE",
    # The other modes are not exact.
    "decimal.handling.mode": "string",
    "varint.handling.mode": "string",
    "key.converter": "org.apache.kafka.connect.json.JsonConverter",
    "key.converter.schemas.enable": "false",
    "value.converter": "org.apache.kafka.connect.json.JsonConverter",
    "value.converter.schemas.enable": "false",
    "kafka.producer.acks": "all",
    "kafka.producer.enable.idempotence": "true",
    # Events are much alike: of the benchmark's a seventh of the bytes goes to the broker and from it.
    # The batches grow only under load.
    "kafka.producer.compression.type": "lz4",
    "kafka.producer.batch.size": "262144",
    # A record that cannot be sent within these is dropped: no outage may be long enough.
    "kafka.producer.delivery.timeout.ms": "2147483647",
    "kafka.producer.max.block.ms": "2147483647",
    # A larger one too. The greatest mutation, half a segment, has six times its size as JSON at worst.
    "kafka.producer.max.request.size": "16777216",
    # It counts records, not bytes: 512 of the greatest mutations fit into its memory.
    "max.queue.size": "512",
    "max.batch.size": "256",
    # The default writes the file of offsets for every record, falls behind, and then sends records twice.
    "offset.flush.interval.ms": "1000",
    "max.offset.flush.size": "1000000",
}
# While the driver is not connected no change of a schema is seen: the default waits up to a minute. A debouncer's window would
# lose a table that is made right after its keyspace, and more of the rows after any DDL.
_DRIVER = """\
datastax-java-driver {{
  basic.contact-points = [{contact_point}]
  basic.load-balancing-policy.local-datacenter = {datacenter}
  basic.request.timeout = 20 seconds
  advanced.reconnection-policy {{ class = ConstantReconnectionPolicy, base-delay = 500 milliseconds }}
  advanced.metadata.schema.debouncer.window = 0 milliseconds
  advanced.metadata.schema.refreshed-keyspaces = {keyspaces}
}}
"""
# The driver tells of every try to reach a node that is away.
_LOGGERS = {"io.debezium.connector.cassandra": "INFO", "com.datastax.oss.driver": "ERROR"}
_READING = "Reading existing commit logs in"
_LOST_SEGMENT = re.compile(r"Processing of LogicalCommitLog\{.*errored out")
_LOST_RECORD = re.compile("Failed to (?:emit|send the) record")
_NAME = r'(\w+|"(?:[^"]|"")+")'
_KEYSPACE = re.compile(rf"Added keyspace \[CREATE KEYSPACE {_NAME} WITH ")
_TABLE = re.compile(rf"(Removed table \[)?CREATE TABLE {_NAME}\.{_NAME} \(\n(.*?)\n\) WITH ", re.DOTALL)
_COLUMN = re.compile(rf"^ +{_NAME} ", re.MULTILINE)
_REFUSALS = (
    "Error happened while adding table {} to schema instance",
    "Error happened while reacting on changed table {} in schema instance",
)


class Broker(Protocol):
    """What the connector has to know about Kafka."""

    @property
    def bootstrap_servers(self) -> str:
        """The address for clients, once it runs."""


class ConnectorServer(Server):
    """The connector of one embedded Cassandra, which must run when it starts; either may stop and come back later.

    It remembers how far it has read. What it reads before it knows of a table or column is lost: tables are best made before
    its start; while it runs, make a keyspace, `wait_for_keyspace`, make a table, `wait_for_table`, write.
    """

    name = "connector"
    disk_bytes = 256 * MIB
    memory_bytes = 448 * MIB
    ready_timeout_s = 300.0  # on a busy machine

    def __init__(
        self,
        state_dir: Path,
        cassandra: CassandraServer,
        broker: Broker,
        *,
        port: int | None = None,
        topic_prefix: str = "cassandra",
        keyspaces: Sequence[str] = (),
        heap: str = "320m",
        settings: Mapping[str, str] | None = None,
        short_lived: bool = False,
    ) -> None:
        """Follow `keyspaces`, names or `!name` to leave one out; none: all.

        A `vector` column in a keyspace that is followed silences it at its next start. `settings` are more or other
        properties. The port is that of its health check.
        """
        super().__init__(state_dir, port=port)
        self._cassandra = cassandra
        self._broker = broker
        self._topic_prefix = topic_prefix
        self._keyspaces = tuple(keyspaces)
        self._heap = heap
        self._settings = dict(settings or {})
        self._short_lived = short_lived
        self._jars: list[Path] = []
        self._log_start = 0

    @property
    def address(self) -> str:
        """The URL of its health check."""
        return f"http://{self.host_port}/health"

    @property
    def lost_segments(self) -> int:
        """How often since its start a statement that it cannot read has cost the rest of a commit-log segment."""
        return len(_LOST_SEGMENT.findall(self._said()))

    @property
    def lost_records(self) -> int:
        """How many records since its start Kafka has refused."""
        return len(_LOST_RECORD.findall(self._said()))

    def knows(self, keyspace: str, table: str, columns: Collection[str] = ()) -> bool:
        """Tell whether it has the table, with at least these columns; names as Cassandra stores them."""
        known = False
        for removed, *names, body in _TABLE.findall(self._said()):
            if [_stored(name) for name in names] == [keyspace, table]:
                known = not removed and set(columns) <= set(map(_stored, _COLUMN.findall(body)))
        return known

    def wait_for_keyspace(self, keyspace: str, *, timeout_s: float = 60.0) -> None:
        """Wait until it has a keyspace that was made while it runs.

        A table made before that is missed in one case of ten, and then lost until the next start.
        Raises ServiceFailed if it does not take note of the keyspace.
        """
        self._wait(lambda: keyspace in map(_stored, _KEYSPACE.findall(self._said())), keyspace, timeout_s)

    def wait_for_table(self, keyspace: str, table: str, columns: Collection[str] = (), *, timeout_s: float = 60.0) -> None:
        """Wait until it has the table, so that rows written from now on arrive.

        Raises ServiceFailed if it cannot: a table with a user-defined type it knows only after its next start.
        """
        name = f"{keyspace}.{table}"
        self._wait(lambda: self.knows(keyspace, table, columns), name, timeout_s)

    def _wait(self, known: Callable[[], bool], name: str, timeout_s: float) -> None:
        deadline = time.monotonic() + timeout_s
        while not known():
            said = self._said()
            refused = not self.running() or any(words.format(name) in said for words in _REFUSALS)
            if refused or time.monotonic() > deadline:
                raise ServiceFailed(
                    f"the connector {'cannot take' if refused else 'has not taken'} note of {name}",
                    hint=f"stop and start it; its reasons stand in {self.log}",
                )
            time.sleep(0.05)

    def prepare(self) -> None:
        """Download the jar if it is not there."""
        self._jars = ensure(self.name)

    def _launch(self) -> Launch:
        if not self._cassandra.running():
            raise ServiceFailed("the connector needs Cassandra, which does not run", hint="start Cassandra first")
        for directory in ("offsets", "relocation", "storage", "tmp"):
            (self.state_dir / directory).mkdir(exist_ok=True)
        self._write_files()
        self._log_start = self.log.stat().st_size if self.log.exists() else 0
        (jar,) = self._jars
        options = java_options({"cassandra.storagedir": "storage"}, short_lived=self._short_lived)
        argv = [str(java()), f"-Xmx{self._heap}", *options, "-jar", str(jar), "connector.properties"]
        return Launch(argv, env=java_environment())

    def _write_files(self) -> None:
        properties = {
            "topic.prefix": self._topic_prefix,
            "cassandra.config": quote(str(self._cassandra.configuration)),  # it becomes a URL
            "kafka.producer.bootstrap.servers": self._broker.bootstrap_servers,
            "http.port": str(self.port),
            **_PROPERTIES,
            **self._settings,
        }
        text = "".join(f"{name}={value}\n" for name, value in properties.items())
        (self.state_dir / "connector.properties").write_text(text)
        driver = _DRIVER.format(
            contact_point=json.dumps(self._cassandra.contact_point),
            datacenter=DATACENTER,
            keyspaces=json.dumps([*self._keyspaces, *_OWN_KEYSPACES]),
        )
        (self.state_dir / "driver.conf").write_text(driver)
        write_logback(self.state_dir, level="WARN", loggers=_LOGGERS)

    def _ready(self) -> bool:
        """Ask its health check, and look for the line that it writes when it begins to read."""
        with suppress(OSError, urllib.error.URLError), urllib.request.urlopen(self.address, timeout=5) as answer:  # noqa: S310 - ours
            return bool(answer.status == 200) and _READING in self._said()
        return False

    def _said(self) -> str:
        with suppress(FileNotFoundError), self.log.open("rb") as log:
            log.seek(self._log_start)
            return log.read().decode(errors="replace")
        return ""


def _stored(name: str) -> str:
    """Return a name as Cassandra stores it, from the form in which CQL writes it."""
    return name[1:-1].replace('""', '"') if name.startswith('"') else name
