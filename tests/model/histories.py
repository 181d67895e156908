"""Random histories: statements on a few rows of a few tables, from hypothesis or from a seeded `random.Random`.

Left out is only what the connector's events cannot say (named in `docs/events.md`): several timestamps in one partition's
batch, a row marker with a TTL and no value beside it, a row written twice in a batch of which one has a TTL.
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Protocol, TypeVar

from hypothesis import strategies as st

from tests.model import kinds
from tests.model.statements import (
    Batch,
    DeleteColumns,
    DeletePartition,
    DeleteRange,
    DeleteRow,
    Edge,
    Insert,
    Key,
    ModelColumn,
    ModelTable,
    Single,
    Statement,
    Update,
)

T = TypeVar("T")
KEYSPACE_DDL = "CREATE KEYSPACE model WITH replication = {'class': 'SimpleStrategy', 'replication_factor': 1};"
TTLS = (1, 2, 3, 5)
USUAL_TIMES = (0, 1, 2, 3, 4, 5)
EXTREME_TIMES = (-(2**63) + 1, -1_000_001, -1, 0, 1_700_000_000_000_000, 2**63 - 1)


def _columns(**kinds_by_name: kinds.Kind) -> tuple[ModelColumn, ...]:
    return tuple(ModelColumn(name, kind) for name, kind in kinds_by_name.items())


WIDE = ModelTable(
    "wide",
    _columns(p=kinds.INT),
    (ModelColumn("c", kinds.INT, descending=True), ModelColumn("d", kinds.TEXT)),
    _columns(a=kinds.INT, b=kinds.TEXT, l=kinds.INTS),
)
PLAIN = ModelTable("plain", _columns(k=kinds.TEXT), (), _columns(a=kinds.BIGINT, b=kinds.SCORES))
EVENTS = ModelTable("happened", _columns(p=kinds.TEXT), _columns(at=kinds.TIMEUUID), _columns(v=kinds.DOUBLE))
BARE = ModelTable("bare", _columns(p=kinds.INT), _columns(c=kinds.UUID, d=kinds.INET), ())
LONE = ModelTable("lone", _columns(k=kinds.BOOLEAN), (), ())
TYPED = ModelTable(
    "typed",
    _columns(p=kinds.INT, q=kinds.BLOB),
    (ModelColumn("c", kinds.DECIMAL), ModelColumn("d", kinds.TIMESTAMP), ModelColumn("e", kinds.BLOB)),
    _columns(
        a=kinds.VARINT, b=kinds.DATE, c2=kinds.TIME, d2=kinds.BOOLEAN, e2=kinds.BLOB, f=kinds.BLOBS, g=kinds.TEXTS, h=kinds.PAIR
    ),
)
BACKWARDS = ModelTable(
    "backwards",
    _columns(p=kinds.VARINT),
    (ModelColumn("c", kinds.DATE, descending=True), ModelColumn("d", kinds.TIMEUUID, descending=True)),
    _columns(a=kinds.DECIMAL, u=kinds.UUID),
)
TABLES = (WIDE, PLAIN, EVENTS, BARE, LONE, TYPED, BACKWARDS)
DDL = "\n".join([KEYSPACE_DDL, *(table.ddl for table in TABLES)])


class Chooser(Protocol):
    """Where chance comes from."""

    def pick(self, options: Sequence[T]) -> T: ...

    def number(self, low: int, high: int) -> int:
        """Return a number from low to high, both included."""


class RandomChooser:
    """Chance from a seed, for long runs."""

    def __init__(self, source: random.Random) -> None:
        self._source = source

    def pick(self, options: Sequence[T]) -> T:
        return self._source.choice(options)

    def number(self, low: int, high: int) -> int:
        return self._source.randint(low, high)


class DrawnChooser:
    """Chance from hypothesis, which shrinks it."""

    def __init__(self, draw: st.DrawFn) -> None:
        self._draw = draw

    def pick(self, options: Sequence[T]) -> T:
        return options[self.number(0, len(options) - 1)]

    def number(self, low: int, high: int) -> int:
        return self._draw(st.integers(low, high))


@dataclass(frozen=True)
class Writer:
    """What writes a history: tables, and how many values of each key column and of each type it may use."""

    chance: Chooser
    tables: Sequence[ModelTable] = TABLES
    times: Sequence[int] = USUAL_TIMES
    partitions: int = 2
    rows: int = 3

    def history(self, low: int, high: int) -> list[Statement]:
        """Return between `low` and `high` statements."""
        return [self.statement() for _ in range(self.chance.number(low, high))]

    def statement(self) -> Statement:
        if self.chance.number(1, 6) == 1:
            return self._batch()
        table = self.chance.pick(self.tables)
        return self._single(table, self._partition(table), self.chance.pick(self.times))

    def _batch(self) -> Statement:
        """Return parts in one partition or several, of one time; a row that is written twice has no TTL."""
        timestamp = self.chance.pick(self.times)
        table = self.chance.pick(self.tables)
        parts = [self._single(table, self._partition(table), timestamp) for _ in range(self.chance.number(2, 4))]
        parts = _with_one_range_a_partition(parts)
        if self.chance.number(1, 4) == 1:
            parts = self._with_older_partition_deletion(table, parts, timestamp)
        return Batch(tuple(_without_mixed_ttls(parts)))

    def _with_older_partition_deletion(self, table: ModelTable, parts: list[Single], timestamp: int) -> list[Single]:
        older = [time for time in self.times if time < timestamp]
        if not older or not (table.clustering or table.regular):
            return parts
        kept: list[Single] = [part for part in parts if isinstance(part, Insert | Update | DeleteColumns)]
        return [DeletePartition(table, self._partition(table), self.chance.pick(older)), *kept]

    def _single(self, table: ModelTable, partition: Key, timestamp: int) -> Single:
        key = partition + self._values(table.clustering, self.rows)
        kind = self.chance.number(1, 14)
        if kind <= 5 or (kind <= 10 and not table.regular):
            return self._insert(table, key, timestamp)
        if kind <= 8:
            return Update(table, key, self._some_values(table, at_least=1), timestamp, self._ttl())
        if kind <= 10:
            names = [column.name for column in table.regular]
            return DeleteColumns(table, key, (self.chance.pick(names),), timestamp)
        if kind == 11 or not table.clustering:
            return DeleteRow(table, key, timestamp)
        if kind <= 13:
            return self._range(table, partition, timestamp)
        return DeletePartition(table, partition, timestamp)

    def _insert(self, table: ModelTable, key: Key, timestamp: int) -> Insert:
        values = self._some_values(table, at_least=0)
        has_value = any(value is not None for value in values.values())
        return Insert(table, key, values, timestamp, self._ttl() if has_value else None)

    def _range(self, table: ModelTable, partition: Key, timestamp: int) -> DeleteRange:
        depth = self.chance.number(0, len(table.clustering) - 1)
        equal = self._values(table.clustering[:depth], self.rows)
        sliced = table.clustering[depth:]
        if not all(column.descending == sliced[0].descending for column in sliced):
            sliced = sliced[:1]
        low, high = self._edge(sliced), self._edge(sliced)
        if low is None and high is None and not equal:
            low = Edge(self._values(sliced[:1], self.rows), inclusive=True)
        return DeleteRange(table, partition, equal, low, high, timestamp)

    def _edge(self, columns: Sequence[ModelColumn]) -> Edge | None:
        if self.chance.number(1, 3) == 1:
            return None
        width = self.chance.number(1, len(columns))
        return Edge(self._values(columns[:width], self.rows), inclusive=self.chance.pick((True, False)))

    def _partition(self, table: ModelTable) -> Key:
        return self._values(table.partition_key, self.partitions)

    def _values(self, columns: Sequence[ModelColumn], width: int) -> Key:
        return tuple(self.chance.pick(column.kind.pool[:width]) for column in columns)

    def _some_values(self, table: ModelTable, at_least: int) -> dict[str, Any]:
        names = {column.name: column.kind for column in table.regular}
        touched = self.chance.number(at_least, min(len(names), 2)) if names else 0
        first = self.chance.number(0, max(len(names) - 1, 0))
        ordered = [*names][first:] + [*names][:first]
        return {name: self.chance.pick((None, *names[name].pool)) for name in ordered[:touched]}

    def _ttl(self) -> int | None:
        return self.chance.pick(TTLS) if self.chance.number(1, 3) == 1 else None


def _with_one_range_a_partition(parts: list[Single]) -> list[Single]:
    """Drop later ranges: overlapping ranges of one mutation are merged by Cassandra, which the model does not do."""
    seen: set[Key] = set()
    kept: list[Single] = []
    for part in parts:
        if isinstance(part, DeleteRange):
            if part.partition in seen:
                continue
            seen.add(part.partition)
        kept.append(part)
    return kept


def _without_mixed_ttls(parts: list[Single]) -> list[Single]:
    written = Counter(part.key for part in parts if isinstance(part, Insert | Update | DeleteColumns))
    return [replace(part, ttl=None) if isinstance(part, Insert | Update) and written[part.key] > 1 else part for part in parts]


@st.composite
def histories(draw: st.DrawFn, tables: Sequence[ModelTable] = TABLES, high: int = 12) -> list[Statement]:
    """Return histories that hypothesis shrinks."""
    times = draw(st.sampled_from((USUAL_TIMES, USUAL_TIMES, EXTREME_TIMES)))
    return Writer(DrawnChooser(draw), tables, times).history(1, high)


def random_history(seed: int, length: int, tables: Sequence[ModelTable] = TABLES) -> list[Statement]:
    """Return the history of a seed."""
    source = random.Random(seed)
    times = EXTREME_TIMES if source.random() < 0.2 else USUAL_TIMES
    return Writer(RandomChooser(source), tables, times).history(length, length)
