"""Debezium's JDBC sink on a Kafka Connect worker of its own."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from psycopg.conninfo import conninfo_to_dict

from bench.peers.compare import NATURAL
from bench.peers.flatten import FIELDS, KEY, Form, connect_schema
from bench.peers.jars import JDBC_SINK_VERSION, connect_jars, sink_jars
from bench.peers.peer import Job
from bench.peers.processes import Processes, wait_until_written
from runtime.embedded import ports
from runtime.embedded.java import class_path, java, java_environment

HEAP = "1g"
DEAD_TASK = "Task is being killed"  # the worker lives on
CONVERTER = "org.apache.kafka.connect.json.JsonConverter"
LOGGING = ("-Dorg.slf4j.simpleLogger.defaultLogLevel=warn", "-Dorg.slf4j.simpleLogger.showDateTime=true")
BATCHES = {"batch.size": "5000", "consumer.override.max.poll.records": "5000"}


@dataclass(frozen=True)
class Variant:
    """What the sink reads, and what it is told beyond upserts and deletes by the record's key."""

    name: str
    form: Form = Form.FLAT
    settings: Mapping[str, str] = field(default_factory=dict)
    url_options: str = ""
    one_task: bool = False


DEFAULTS = Variant("Debezium JDBC sink, defaults", one_task=True)
TUNED = Variant(
    "Debezium JDBC sink, tuned",
    settings={**BATCHES, "use.reduction.buffer": "true", "dialect.postgres.unnest.insert.enabled": "true"},
    url_options="?reWriteBatchedInserts=true",
)
# Statements of many rows fail on a key that comes twice, unless the reduction buffer keeps only its last record: but that
# forgets what the records before said of other columns.
TOUCHED = Variant("Debezium JDBC sink, touched columns", Form.TOUCHED, BATCHES)


class DebeziumJdbc:
    """The sink on a standalone worker."""

    table = "orders"
    columns = NATURAL

    def __init__(self, variant: Variant) -> None:
        self.name = variant.name
        self.form = variant.form
        self._variant = variant

    def prepare(self, directory: Path) -> str:
        """Lay out the plug-in."""
        self._worker_jars = connect_jars()
        self._plugins = directory / "plugins"
        place = self._plugins / "debezium-jdbc"
        if not place.exists():
            place.mkdir(parents=True)
            for jar in sink_jars():
                (place / jar.name).symlink_to(jar)
        return JDBC_SINK_VERSION

    def run(self, job: Job) -> None:
        """Run until the connector's group is at the end of the topic: Connect commits offsets of what a sink has written."""
        files = [
            _write(job.directory / name, said) for name, said in (("worker", self._worker(job)), ("sink", self._sink(job)))
        ]
        argv = [str(java()), f"-Xmx{HEAP}", *LOGGING, "-cp", class_path(self._worker_jars)]
        argv += ["org.apache.kafka.connect.cli.ConnectStandalone", *files]
        with Processes(argv, job.directory, env=java_environment(), fatal=DEAD_TASK) as processes:
            wait_until_written(job, job.topic(self.form), f"connect-{job.group}", processes)

    def _worker(self, job: Job) -> Mapping[str, str]:
        port = ports.choose(job.directory / "port", name="Kafka Connect")
        return {
            "bootstrap.servers": job.bootstrap,
            "key.converter": CONVERTER,
            "value.converter": CONVERTER,
            "listeners": f"http://{ports.LOOPBACK}:{port}",
            "offset.storage.file.filename": str(job.directory / "offsets"),
            "offset.flush.interval.ms": "1000",
            "plugin.path": str(self._plugins),
            "consumer.auto.offset.reset": "earliest",
        }

    def _sink(self, job: Job) -> Mapping[str, str]:
        database = conninfo_to_dict(job.dsn)
        url = f"jdbc:postgresql://{database['host']}:{database['port']}/{database['dbname']}"
        return {
            "name": job.group,
            "connector.class": "io.debezium.connector.jdbc.JdbcSinkConnector",
            "topics": job.topic(self.form),
            "tasks.max": "1" if self._variant.one_task else str(job.workers),
            "connection.url": url + self._variant.url_options,
            "connection.username": str(database["user"]),
            "connection.password": str(database["password"]),
            "insert.mode": "upsert",
            "delete.enabled": "true",
            "primary.key.mode": "record_key",
            "collection.name.format": self.table,
            **self._converters(),
            **self._variant.settings,
        }

    def _converters(self) -> Mapping[str, str]:
        """Return how keys and values become records: said once for all of them, unless each has its schema with it."""
        said = {"key.converter": CONVERTER, "key.converter.schema.content": connect_schema(tuple(KEY)).decode()}
        said["value.converter"] = CONVERTER
        if self.form is Form.FLAT:
            said["value.converter.schema.content"] = connect_schema((*KEY, *FIELDS)).decode()
        return said


def _write(path: Path, properties: Mapping[str, str]) -> str:
    path.write_text("".join(f"{name}={value}\n" for name, value in properties.items()))
    return str(path)
