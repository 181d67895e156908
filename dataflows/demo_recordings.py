"""The recordings that `cassmirror demo` plays: read from files, copied as replicas do, put into rounds that one clock suits."""

from __future__ import annotations

import random
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TypeAlias

import msgspec

from cdc.ddl import read_ddl
from cdc.errors import CassmirrorError, SchemaError
from cdc.event import Record
from cdc.recording import Expected, Gap, read_expected, read_gaps, read_records
from cdc.schema import Schema, Table

SAMPLES = Path(__file__).resolve().parents[1] / "tests" / "samples"
REPLICAS = 3
_FOREVER = 1 << 62
_REPLICA_DELAY_MS = 137  # each node's connector is a little later
_REPLICA_POSITION = 4_096  # and its commit log another

_Fields: TypeAlias = dict[str, msgspec.Raw]
_read_fields = msgspec.json.Decoder(_Fields).decode


class _Cell(msgspec.Struct):
    value: msgspec.Raw = msgspec.Raw(b"null")
    deletion_ts: int | None = None


@dataclass(frozen=True)
class Recording:
    """Events of a real connector, the CQL behind them, what Cassandra then held, and what the events cannot say of it."""

    name: str
    cql: str
    records: list[Record]
    expected: Expected
    gaps: list[Gap]

    @cached_property
    def schema(self) -> Schema:
        """Return the schema as the CQL leaves it."""
        return read_ddl(self.cql)

    @property
    def tables(self) -> list[Table]:
        """Return the tables that Cassandra was asked for, but for counters. Raises `SchemaError` when one is not in the CQL."""
        return [table for table in map(self._table, self.expected.tables) if not table.is_counter]

    def _table(self, name: str) -> Table:
        table = self.schema.table(self.expected.keyspace, name)
        if table is None:
            raise SchemaError(f"the CQL of the recording {self.name} does not make the table {self.expected.keyspace}.{name}")
        return table

    @property
    def first_second(self) -> int:
        """Return the first instant at which Cassandra's answer is right."""
        return self.expected.read_at_us // 1_000_000

    @cached_property
    def last_second(self) -> int:
        """Return the last instant at which it still is: the next one at which something expires is not."""
        expiries = (expiry for record in self.records for expiry in _expiries(record))
        return min((expiry for expiry in expiries if expiry > self.first_second), default=_FOREVER) - 1


@dataclass(frozen=True)
class Round:
    """Recordings that are mirrored together: one database, one topic prefix, one process, one clock."""

    name: str
    recordings: tuple[Recording, ...]

    @property
    def clock(self) -> int:
        """Return the instant (seconds) at which all their answers are right."""
        return max(recording.first_second for recording in self.recordings)

    @property
    def cql(self) -> str:
        return "\n".join(recording.cql for recording in self.recordings)

    @cached_property
    def schema(self) -> Schema:
        return read_ddl(self.cql)

    def records(self, dice: random.Random) -> list[Record]:
        """Return the events of all, each as often as there are replicas, in random order, on topics of this round."""
        own = [record for recording in self.recordings for record in recording.records]
        copies = [self._readdressed(replica_copy(record, replica)) for record in own for replica in range(REPLICAS)]
        dice.shuffle(copies)
        return copies

    def _readdressed(self, record: Record) -> Record:
        return msgspec.structs.replace(record, topic=f"{self.name}.{table_of(record.topic)}")


def table_of(topic: str) -> str:
    """Return `keyspace.table` of a topic."""
    return topic.split(".", 1)[1]


def read_recordings(directory: Path, names: Sequence[str]) -> list[Recording]:
    """Read recordings, all of a directory without names. Raises `CassmirrorError` when one is not there."""
    there = sorted(path.name.removesuffix(".jsonl") for path in directory.glob("*.jsonl"))
    missing = ", ".join(sorted(set(names) - set(there)))
    if missing or not there:
        hint = f"there are {', '.join(there)}" if there else "run it in a clone of the project, or give --samples"
        raise CassmirrorError(f"no recording {missing or '*'} in {directory}", hint=hint)
    known_gaps = directory / "known_gaps.json"
    gaps = read_gaps(known_gaps.read_bytes()) if known_gaps.exists() else {}
    return [_read_recording(directory, name, gaps.get(name, [])) for name in names or there]


def _read_recording(directory: Path, name: str, gaps: list[Gap]) -> Recording:
    return Recording(
        name=name,
        cql=(directory / f"{name}.cql").read_bytes().decode(),
        records=read_records((directory / f"{name}.jsonl").read_bytes()),
        expected=read_expected((directory / f"{name}.expected.json").read_bytes()),
        gaps=gaps,
    )


def rounds(recordings: Iterable[Recording]) -> list[Round]:
    """Return the fewest rounds: what expires makes a clock right for a while only, and a keyspace is in a round once."""
    waiting = sorted(recordings, key=lambda recording: (recording.last_second, recording.name))
    made: list[Round] = []
    while waiting:
        chosen = _suited(waiting)
        waiting = [recording for recording in waiting if recording not in chosen]
        made.append(Round(f"demo_{len(made) + 1}", tuple(sorted(chosen, key=lambda recording: recording.name))))
    return made


def _suited(waiting: Sequence[Recording]) -> list[Recording]:
    """Return those whose answers are right at the last second of the one that is the first to expire."""
    at, chosen, keyspaces = waiting[0].last_second, [], set[str]()
    for recording in waiting:
        if recording.first_second <= at and recording.expected.keyspace not in keyspaces:
            chosen.append(recording)
            keyspaces.add(recording.expected.keyspace)
    return chosen


def replica_copy(record: Record, replica: int) -> Record:
    """Return the record as the connector on another replica writes it: another clock, file and position, all else the same."""
    if record.value is None or replica == 0:
        return record
    document = _read_fields(record.value)
    if "payload" in document:
        copied = document | {"payload": _encoded(_seen_by(replica, _read_fields(document["payload"])))}
    else:
        copied = _seen_by(replica, document)
    return msgspec.structs.replace(record, value=msgspec.json.encode(copied))


def _seen_by(replica: int, event: _Fields) -> _Fields:
    source = _read_fields(event["source"])
    position = int(bytes(source["pos"]))
    moved = position if position < 0 else position + replica * _REPLICA_POSITION
    source |= {"file": _encoded(f"CommitLog-7-{replica}.log"), "pos": _encoded(moved)}
    late = int(bytes(event["ts_ms"])) + replica * _REPLICA_DELAY_MS
    return event | {"ts_ms": _encoded(late), "source": _encoded(source)}


def _encoded(value: object) -> msgspec.Raw:
    return msgspec.Raw(msgspec.json.encode(value))


def _expiries(record: Record) -> Iterator[int]:
    """Yield when (seconds) the values of an event expire."""
    if record.value is None:
        return
    document = _read_fields(record.value)
    after = (_read_fields(document["payload"]) if "payload" in document else document)["after"]
    for name, raw in _read_fields(after).items():
        cell = None if name.startswith("_range_") else msgspec.json.decode(raw, type=_Cell | None)
        if cell is not None and cell.deletion_ts is not None and bytes(cell.value) != b"null":
            yield cell.deletion_ts // 1_000_000
