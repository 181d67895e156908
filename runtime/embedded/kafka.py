"""Run one Kafka broker in KRaft mode, from Maven jars and the Java of a wheel."""

from __future__ import annotations

import base64
import secrets
import shutil
import subprocess
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from cdc.errors import ServiceFailed
from runtime.embedded import ports
from runtime.embedded.capacity import MIB
from runtime.embedded.jars import ensure
from runtime.embedded.java import class_path, java, java_environment
from runtime.embedded.process import Launch
from runtime.embedded.server import Server

_READY_LINE = b"Kafka Server started"
# Paths in the file are relative to the state directory: no character of the user's paths can break the format.
_PROPERTIES = """\
process.roles=broker,controller
node.id=1
controller.quorum.voters=1@{host}:{controller_port}
listeners=PLAINTEXT://{host}:{port},CONTROLLER://{host}:{controller_port}
advertised.listeners=PLAINTEXT://{host}:{port}
controller.listener.names=CONTROLLER
inter.broker.listener.name=PLAINTEXT
log.dirs={data}
num.partitions={partitions}
auto.create.topics.enable=true
offsets.topic.replication.factor=1
offsets.topic.num.partitions=4
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
transaction.state.log.num.partitions=4
share.coordinator.state.topic.replication.factor=1
share.coordinator.state.topic.min.isr=1
group.initial.rebalance.delay.ms=0
# After a crash the broker waits until the session of its former self has ended.
broker.session.timeout.ms=3000
broker.heartbeat.interval.ms=500
message.max.bytes=16777216
log.segment.bytes=67108864
log.index.size.max.bytes=1048576
log.cleaner.dedupe.buffer.size=4194304
log.retention.hours=168
"""
_DATA, _PARTIAL = "data", "data.partial"


class KafkaServer(Server):
    """A broker of our own, reached without a password."""

    name = "kafka"
    disk_bytes = 512 * MIB
    memory_bytes = 512 * MIB

    def __init__(
        self,
        state_dir: Path,
        *,
        port: int | None = None,
        partitions: int = 3,
        heap: str = "384m",
        settings: str = "",
        short_lived: bool = False,
    ) -> None:
        """`partitions` is the default of topics created on first use; `settings` are more lines of server.properties.

        `short_lived` is for a broker that runs a minute or two: Java then compiles lightly.
        """
        super().__init__(state_dir, port=port)
        self._short_lived = short_lived
        self._partitions = partitions
        self._heap = heap
        self._settings = settings
        self._controller_port = 0
        self._log_start = 0

    @property
    def bootstrap_servers(self) -> str:
        """The address for clients."""
        return self.host_port

    @property
    def address(self) -> str:
        """The same as `bootstrap_servers`."""
        return self.bootstrap_servers

    def _ports(self) -> tuple[int, ...]:
        return (*super()._ports(), self._controller_port)

    def prepare(self) -> None:
        """Download the jars if they are not there."""
        ensure(self.name)

    def _launch(self) -> Launch:
        jars = ensure(self.name)
        self._controller_port = ports.choose(self.state_dir / "controller-port", name="Kafka's controller")
        if not (self.state_dir / _DATA).exists():
            self._format(jars)
        self._log_start = self.log.stat().st_size if self.log.exists() else 0
        return Launch(self._argv(jars), env=java_environment())

    def _format(self, jars: Sequence[Path]) -> None:
        # A formatting that was cut off must not be taken for a storage: the name appears when it is whole.
        shutil.rmtree(self.state_dir / _PARTIAL, ignore_errors=True)
        properties = self._write_properties("format.properties", _PARTIAL)
        # Never with a dash in front, which would be read as an option.
        cluster = base64.urlsafe_b64encode(b"\0" + secrets.token_bytes(15)).decode().rstrip("=")
        flags = ["-Xmx128m", "-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC", "-cp", class_path(jars)]
        argv = [str(java()), *flags, "kafka.tools.StorageTool", "format", "-t", cluster, "-c", properties]
        done = subprocess.run(argv, cwd=self.state_dir, env=java_environment(), capture_output=True, text=True, check=False)
        if done.returncode:
            raise ServiceFailed(
                f"Kafka could not format {self.state_dir / _PARTIAL}: {(done.stderr or done.stdout).strip()}",
                hint="check that the disk has space and that the directory may be written",
            )
        (self.state_dir / _PARTIAL).rename(self.state_dir / _DATA)

    def _write_properties(self, name: str, data: str) -> str:
        text = _PROPERTIES.format(
            host=ports.LOOPBACK, port=self.port, controller_port=self._controller_port, data=data, partitions=self._partitions
        )
        (self.state_dir / name).write_text(f"{text}{self._settings}\n")
        return name

    def _argv(self, jars: Sequence[Path]) -> list[str]:
        log = ["-Dorg.slf4j.simpleLogger.defaultLogLevel=warn", "-Dorg.slf4j.simpleLogger.showDateTime=true"]
        log += ["-Dorg.slf4j.simpleLogger.dateTimeFormat=HH:mm:ss.SSS"]
        log += ["-Dorg.slf4j.simpleLogger.log.kafka.server.KafkaRaftServer=info"]  # says when it is ready
        heap = [f"-Xmx{self._heap}", f"-Xms{self._heap}", "-XX:+UseSerialGC"]
        # The optimizing compiler takes half of what a start costs (13.7 s of CPU against 7.8 s) and pays back much later.
        heap += ["-XX:TieredStopAtLevel=1"] if self._short_lived else []
        properties = self._write_properties("server.properties", _DATA)
        return [str(java()), *heap, *log, "-cp", class_path(jars), "kafka.Kafka", properties]

    def _ready(self) -> bool:
        """Look for the line the broker writes once it takes requests: its port is open earlier than that."""
        with suppress(FileNotFoundError), self.log.open("rb") as log:
            log.seek(self._log_start)
            return _READY_LINE in log.read()
        return False
