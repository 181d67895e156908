"""Run one Cassandra 5 node with change data capture, from Maven jars and the Java of a wheel."""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping
from contextlib import AbstractContextManager
from pathlib import Path
from typing import TYPE_CHECKING

from runtime.embedded import ports
from runtime.embedded.capacity import MIB
from runtime.embedded.jars import ensure
from runtime.embedded.java import cassandra_modules, class_path, java, java_environment
from runtime.embedded.process import Launch
from runtime.embedded.server import Server

if TYPE_CHECKING:
    from cassandra.cluster import Session

# The connector's driver and its offsets know the cluster and the datacenter by these names.
CLUSTER_NAME = "cassmirror"
DATACENTER = "datacenter1"

_SETTINGS: dict[str, object] = {
    "cluster_name": CLUSTER_NAME,
    "partitioner": "org.apache.cassandra.dht.Murmur3Partitioner",
    "num_tokens": 4,
    "endpoint_snitch": "SimpleSnitch",
    "authenticator": "AllowAllAuthenticator",
    "authorizer": "AllowAllAuthorizer",
    "cdc_enabled": True,
    "cdc_block_writes": True,  # a full disk refuses writes, it does not lose their events
    "cdc_total_space": "1024MiB",
    "cdc_on_repair_enabled": False,
    # The connector sees a write when it is synced. Median from write to Kafka: 0.05 s, with 100 ms 0.08 s, at as many writes a
    # second; the default is 10 s. Nothing is synced when nothing is written.
    "commitlog_sync": "periodic",
    "commitlog_sync_period": "20ms",
    # What the connector cannot read costs the rest of a segment: small ones lose little.
    "commitlog_segment_size": "1MiB",
    "commitlog_total_space": "256MiB",
    "disk_failure_policy": "stop",
    "commit_failure_policy": "stop",
    "concurrent_reads": 8,
    "concurrent_writes": 8,
    "concurrent_counter_writes": 4,
    "memtable_allocation_type": "heap_buffers",
    "memtable_heap_space": "96MiB",
    "key_cache_size": "8MiB",
    "auto_snapshot": False,
    "batch_size_warn_threshold": "256KiB",
    "batch_size_fail_threshold": "512KiB",
    # The connector was measured with the commit log of this mode, which Cassandra 4 and 5 share.
    "storage_compatibility_mode": "CASSANDRA_4",
}
_LOGBACK = """\
<configuration>
  <appender name="out" class="ch.qos.logback.core.ConsoleAppender">
    <encoder><pattern>%d{{HH:mm:ss.SSS}} %-5level [%thread] %logger{{20}} - %msg%n</pattern></encoder>
  </appender>
  {loggers}
  <root level="{level}"><appender-ref ref="out"/></root>
</configuration>
"""


class CassandraServer(Server):
    """A node of our own, reached without a password.

    `contact_point` is for clients, `configuration` for the connector, which works on the same directories. A table made
    `WITH cdc = true` is captured; when nobody takes its log away, writes to such tables are refused at 1 GiB of it.
    """

    name = "cassandra"
    disk_bytes = 2048 * MIB
    memory_bytes = 1152 * MIB
    ready_timeout_s = 300.0  # on a busy machine

    def __init__(
        self,
        state_dir: Path,
        *,
        port: int | None = None,
        heap: str = "640m",
        settings: Mapping[str, object] | None = None,
        short_lived: bool = False,
    ) -> None:
        """Take `settings` as more or other entries of cassandra.yaml.

        `short_lived` is for a node that runs a few minutes: Java then compiles lightly.
        """
        super().__init__(state_dir, port=port)
        self._heap = heap
        self._settings = dict(settings or {})
        self._short_lived = short_lived
        self._storage_port = 0
        self._jars: list[Path] = []

    @property
    def contact_point(self) -> str:
        """The address for clients, as `host:port`."""
        return self.host_port

    @property
    def address(self) -> str:
        """The same as `contact_point`."""
        return self.contact_point

    @property
    def configuration(self) -> Path:
        """The cassandra.yaml of the last start."""
        return self.state_dir / "cassandra.yaml"

    def session(self) -> AbstractContextManager[Session]:
        """Return a context manager that yields a session of the driver."""
        from runtime.embedded.cql import open_session  # noqa: PLC0415 - the driver is slow to import

        return open_session(self.port)

    def prepare(self) -> None:
        """Download the jars if they are not there."""
        self._jars = ensure(self.name)

    def _ports(self) -> tuple[int, ...]:
        return (*super()._ports(), self._storage_port)

    def _launch(self) -> Launch:
        self._storage_port = ports.choose(self.state_dir / "storage-port", name="Cassandra's storage")
        # Native libraries are unpacked there, and stay when the node is killed.
        shutil.rmtree(self.state_dir / "tmp", ignore_errors=True)
        (self.state_dir / "tmp").mkdir()
        self.configuration.write_text(json.dumps(self._entries(), indent=2))  # JSON is YAML
        write_logback(self.state_dir, level="WARN", loggers={"org.apache.cassandra.service": "INFO"})
        return Launch(self._argv(), env=java_environment(), stop_timeout_s=60.0)

    def _entries(self) -> dict[str, object]:
        directories = ("commitlog", "hints", "saved_caches", "cdc_raw")
        seeds = [{"seeds": f"{ports.LOOPBACK}:{self._storage_port}"}]
        return {
            **_SETTINGS,
            **{f"{name}_directory": str(self.state_dir / name) for name in directories},
            "data_file_directories": [str(self.state_dir / "data")],
            "listen_address": ports.LOOPBACK,
            "rpc_address": ports.LOOPBACK,
            "native_transport_port": self.port,
            "storage_port": self._storage_port,
            "seed_provider": [{"class_name": "org.apache.cassandra.locator.SimpleSeedProvider", "parameters": seeds}],
            **self._settings,
        }

    def _argv(self) -> list[str]:
        (agent,) = (jar for jar in self._jars if jar.name.startswith("jamm-"))
        properties = {
            "cassandra.config": self.configuration.as_uri(),
            "cassandra.storagedir": str(self.state_dir),
            "cassandra.logdir": str(self.state_dir),
            "cassandra-foreground": "yes",
            # There is nobody to wait for.
            "cassandra.ring_delay_ms": "100",
            "cassandra.skip_wait_for_gossip_to_settle": "0",
            "cassandra.superuser_setup_delay_ms": "0",
            "cassandra.shutdown_announce_in_ms": "0",
        }
        memory = [f"-Xms{self._heap}", f"-Xmx{self._heap}", "-Xss512k"]
        argv = [str(java()), *memory, *java_options(properties, short_lived=self._short_lived)]
        argv += ["-XX:-RestrictContended", f"-javaagent:{agent}", "-cp", class_path(self._jars)]
        return [*argv, "org.apache.cassandra.service.CassandraDaemon"]

    def _ready(self) -> bool:
        """Ask a query: the port is open a little earlier than that is answered."""
        from runtime.embedded.cql import answers  # noqa: PLC0415 - the driver is slow to import

        return answers(self.port)


def java_options(properties: Mapping[str, str], *, short_lived: bool) -> list[str]:
    """Return Java's options for a program of Cassandra's code that runs in its state directory."""
    own = {"java.io.tmpdir": "tmp", "jna.tmpdir": "tmp", "java.net.preferIPv4Stack": "true"}
    own |= {"logback.configurationFile": "logback.xml", "jdk.attach.allowAttachSelf": "true"}
    options = ["-XX:+UseSerialGC", "-XX:-UsePerfData", *(["-XX:TieredStopAtLevel=1"] if short_lived else [])]
    return [*options, *cassandra_modules(), *(f"-D{name}={value}" for name, value in {**own, **properties}.items())]


def write_logback(state_dir: Path, *, level: str, loggers: Mapping[str, str]) -> None:
    """Write the configuration of the log, which goes to standard output."""
    lines = (f'<logger name="{name}" level="{inner}"/>' for name, inner in loggers.items())
    (state_dir / "logback.xml").write_text(_LOGBACK.format(level=level, loggers="\n  ".join(lines)))
