"""One round of `cassmirror demo`: events into Kafka, a process of the mirror, and a look at how far it is."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import Protocol

from cdc.errors import ServiceFailed
from cdc.event import Record
from dataflows.demo_recordings import Round, table_of
from runtime.embedded import supervisor
from runtime.embedded.process import tail
from runtime.kafka.client import KafkaClient
from runtime.kafka.load import create_topics, load_records
from runtime.kafka.reader import BEGINNING, PartitionReader
from runtime.kafka.scout import ClusterScout
from runtime.settings import PREFIX
from sinks.postgres.read import MirrorReader

PARTITIONS = 3
_STOP_SECONDS = 20.0
_LETTERS_AT_ONCE = 1_000


@dataclass
class TableProgress:
    """How far one table is; all but `sent` grow while the mirror runs."""

    sent: int = 0
    applied: int = 0
    rows: int = 0
    dead_letters: int = 0


@dataclass
class Lane:
    """One round on its way: where it is mirrored to, and the progress by table."""

    played: Round
    bootstrap: str
    dsn: str
    directory: Path
    tables: dict[str, TableProgress] = field(default_factory=dict)
    reasons: Counter[str] = field(default_factory=Counter)

    @property
    def name(self) -> str:
        """The name of its database, topic prefix and consumer group."""
        return self.played.name

    @property
    def dead_letter_topic(self) -> str:
        return f"{self.name}-dead-letters"

    @property
    def log(self) -> Path:
        """What the mirror's process prints."""
        return self.directory / f"{self.name}.log"

    def send(self, records: list[Record]) -> None:
        """Make the topics and write the events."""
        client = KafkaClient(self.bootstrap)
        create_topics(client, sorted({record.topic for record in records}), PARTITIONS)
        load_records(client, records, self._sent)

    def _sent(self, topic: str) -> None:
        self.tables.setdefault(table_of(topic), TableProgress()).sent += 1

    def environment(self) -> dict[str, str]:
        """Return the environment of the mirror's process; settings of ours that surround the demo do not reach it."""
        schema = self.directory / f"{self.name}.cql"
        schema.write_bytes(self.played.cql.encode())
        settings = {
            "KAFKA__BOOTSTRAP_SERVERS": self.bootstrap,
            "KAFKA__TOPIC_PREFIX": self.name,
            "KAFKA__GROUP_ID": self.name,
            "KAFKA__DEAD_LETTER_TOPIC": self.dead_letter_topic,
            "KAFKA__UNTIL_CAUGHT_UP": "true",
            "POSTGRES__DSN": self.dsn,
            "SCHEMA__FILE": str(schema),
            "CLOCK__AT": datetime.fromtimestamp(self.played.clock, UTC).isoformat(),
            "HTTP__PORT": "0",
        }
        return only_with(settings)

    def argv(self) -> list[str]:
        """Return the command that mirrors."""
        return run_command(self.directory / f"{self.name}-recovery")


def only_with(settings: Mapping[str, str]) -> dict[str, str]:
    """Return the environment of a process that has these settings and no others of ours."""
    inherited = {name: value for name, value in os.environ.items() if not name.startswith(PREFIX)}
    return inherited | {PREFIX + name: value for name, value in settings.items()}


def run_command(recovery: Path) -> list[str]:
    """Return the command `cassmirror run`, found without being installed too."""
    return [sys.executable, "-m", "dataflows", "run", "--recovery-dir", str(recovery)]


class Mirrored(Protocol):
    """What a process of the mirror is to do, and the file that takes its words."""

    @property
    def log(self) -> Path: ...

    def argv(self) -> list[str]: ...

    def environment(self) -> dict[str, str]: ...


class FlowProcess:
    """A process of the mirror that never outlives this one, however that ends."""

    def __init__(self, mirrored: Mirrored) -> None:
        self._log = mirrored.log
        self._told: str | None = None
        argv = [sys.executable, "-I", "-S", str(Path(supervisor.__file__))]
        pipe = subprocess.PIPE
        self._supervisor = subprocess.Popen(argv, stdin=pipe, stdout=pipe, text=True, start_new_session=True)
        self._say(
            argv=mirrored.argv(),
            cwd=str(Path(__file__).resolve().parents[1]),  # where `-m` finds the module, installed or not
            env=mirrored.environment(),
            log=str(mirrored.log),
            uid=None,
            gid=None,
            stop_signal=int(signal.SIGTERM),
            stop_timeout_s=_STOP_SECONDS,
        )

    def __enter__(self) -> FlowProcess:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._end()

    def running(self) -> bool:
        return self._supervisor.poll() is None

    def require_success(self) -> None:
        """Wait for the end of the process, and raise `ServiceFailed` unless it drained."""
        exit_code = json.loads(self._end().splitlines()[-1]).get("exit")
        if exit_code != 0:
            raise ServiceFailed(f"the mirror ended with {exit_code}; its last words:\n" + "\n".join(_last_words(self._log)))

    def _end(self) -> str:
        """Return what the supervisor told. Closes its input, which stops a mirror that still runs."""
        if self._told is None:
            self._told, _ = self._supervisor.communicate()
        return self._told

    def _say(self, **order: object) -> None:
        assert self._supervisor.stdin is not None  # noqa: S101  # it is a pipe
        self._supervisor.stdin.write(json.dumps(order) + "\n")
        self._supervisor.stdin.flush()


def _last_words(log: Path) -> list[str]:
    """Return the error that ended a process if it printed one, else the last lines."""
    lines = tail(log)
    errors = [number for number, line in enumerate(lines) if line.startswith("Error: ")]
    return lines[errors[-1] :] if errors else lines


class Watch:
    """Looks at a lane from outside, as an operator would: PostgreSQL's tables and Kafka's dead letters."""

    def __init__(self, lane: Lane, reader: MirrorReader, scout: ClusterScout, letters: PartitionReader) -> None:
        self._lane, self._reader, self._scout, self._letters = lane, reader, scout, letters
        self._assigned: set[tuple[str, int]] = set()

    def look(self) -> None:
        """Bring the lane's progress up to date."""
        for topic, count in self._reader.applied(self._lane.name).items():
            self._of(table_of(topic)).applied = count
        for table, count in self._reader.row_counts().items():
            if table in self._lane.tables:
                self._of(table).rows = count
        self._count_letters()

    def look_to_the_end(self) -> None:
        """Do the same, and wait for all dead letters that Kafka has."""
        self.look()
        ends = self._scout.log_ends(self._assigned)
        while self._letters_read() < sum(ends.values()):
            self._count_letters()

    def _letters_read(self) -> int:
        return sum(self._lane.reasons.values())

    def _of(self, table: str) -> TableProgress:
        return self._lane.tables.setdefault(table, TableProgress())

    def _count_letters(self) -> None:
        self._assign()
        polled = self._letters.poll(_LETTERS_AT_ONCE)
        for record in (record for run in polled.runs for record in run.copy().records()):
            letter = json.loads(record.value or b"{}")
            self._of(table_of(letter["source_topic"])).dead_letters += 1
            self._lane.reasons[letter["error_type"]] += 1

    def _assign(self) -> None:
        """Read the dead letters' topic from its beginning as soon as it is there."""
        if self._assigned:
            return
        for topic in self._scout.topics([self._lane.dead_letter_topic]):
            self._assigned = {(topic.name, partition) for partition in topic.partitions}
            self._letters.assign(dict.fromkeys(self._assigned, BEGINNING))


@contextmanager
def watching(lane: Lane) -> Iterator[Watch]:
    """Yield a watch of a lane."""
    client = KafkaClient(lane.bootstrap)
    group = f"{lane.name}-watch"
    letters = PartitionReader(client, group)
    try:
        with MirrorReader(lane.dsn) as reader, ClusterScout(client, group) as scout:
            yield Watch(lane, reader, scout, letters)
    finally:
        letters.close({})


def total(lanes: Iterable[Lane]) -> TableProgress:
    """Return the sums of all tables."""
    progress = [table for lane in lanes for table in lane.tables.values()]
    return TableProgress(
        sum(table.sent for table in progress),
        sum(table.applied for table in progress),
        sum(table.rows for table in progress),
        sum(table.dead_letters for table in progress),
    )
