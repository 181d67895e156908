"""Recordings on their way into a mirror, and what is then wrong beyond what is known."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache

from cdc.ddl import read_ddl
from cdc.event import Change, Record, Rejected
from cdc.recording import Difference, Expected, Gap, differences, read_expected, read_gaps, recorded_rows, without_gaps
from cdc.schema import Schema, Table
from tests.fixtures.recordings import SAMPLES, load
from tests.model.mirror import Mirror
from tests.model.pipeline import Stages

VARIANTS = ("original order", "shuffled", "tripled")
BATCH_SIZES = (1, 7, 100_000)


@dataclass(frozen=True)
class Replay:
    """One recording: its schema, its records, what Cassandra held, and what its events cannot say."""

    name: str
    schema: Schema
    records: list[Record]
    expected: Expected
    gaps: list[Gap]
    stages: Stages

    @property
    def now(self) -> int:
        """Return the instant (seconds) at which Cassandra was read."""
        return self.expected.read_at_us // 1_000_000

    @property
    def tables(self) -> list[Table]:
        """Return the tables that were read, if the mirror knows them."""
        known = [self.schema.table(self.expected.keyspace, name) for name in self.expected.tables]
        return [table for table in known if table is not None and not table.is_counter]

    def changes(self, records: Sequence[Record]) -> tuple[list[Change], list[Rejected]]:
        return self.stages(records)

    def unexplained(self, mirror: Mirror) -> list[Difference]:
        """Return where a mirror is not what Cassandra held, known gaps apart."""
        found = self._differences(mirror)
        return without_gaps(self.schema, self.expected.keyspace, found, self.gaps)

    def stale_gaps(self, mirror: Mirror) -> list[Gap]:
        """Return the known gaps that are none any more: for each, a cell or row that is right after all."""
        found = self._differences(mirror)
        return [gap for gap in self.gaps if not self._explains_all_it_says(gap, found)]

    def _explains_all_it_says(self, gap: Gap, found: list[Difference]) -> bool:
        left = without_gaps(self.schema, self.expected.keyspace, found, [gap])
        return len(found) - len(left) == max(len(gap.columns), 1)

    def _differences(self, mirror: Mirror) -> list[Difference]:
        found: list[Difference] = []
        for table in self.tables:
            want = recorded_rows(table, self.expected.tables[table.name])
            found += differences(table, want, mirror.rows(table.full_name))
        return found


@cache
def replay_of(name: str) -> Replay:
    """Read one recording, with the schema as its CQL leaves it."""
    recording = load(name)
    schema = read_ddl(recording.cql)
    return Replay(
        name=name,
        schema=schema,
        records=recording.records,
        expected=read_expected((SAMPLES / f"{name}.expected.json").read_bytes()),
        gaps=read_gaps((SAMPLES / "known_gaps.json").read_bytes()).get(name, []),
        stages=Stages(schema, recording.topic_prefix),
    )


def varied(records: Sequence[Record], variant: str, seed: int) -> list[Record]:
    """Return the records in the order and number of a variant."""
    sent = list(records) * (3 if variant == "tripled" else 1)
    if variant != "original order":
        random.Random(seed).shuffle(sent)
    return sent


def play(replay: Replay, mirror: Mirror, records: Sequence[Record], batch_size: int) -> None:
    """Run records through the stages into a mirror, batch by batch."""
    for start in range(0, len(records), batch_size):
        changes, _ = replay.changes(records[start : start + batch_size])
        mirror.apply(changes)
