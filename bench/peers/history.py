"""A workload for being right: every kind of write, many of them late, and what must be there in the end."""

from __future__ import annotations

import json
import random
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from decimal import Decimal
from typing import TypeAlias

from bench.workloads import BASE_US, REGULAR, Workload, Write, keys

Key: TypeAlias = tuple[str, int]
Cells: TypeAlias = tuple[object, ...]
Rows: TypeAlias = Mapping[Key, Cells]

WRITES_A_ROW = 5
COPIES = 3
LATE_SHARE = 0.1
LATE_WRITES = 5_000  # by so many other writes at most


def history(writes: int) -> Workload:
    """Return writes to a fifth as many rows, in the order of their arrival, each as the three replicas send it."""
    rnd = random.Random(11)
    where = keys(max(1, writes // WRITES_A_ROW))
    in_order = [_write(rnd, n, *rnd.choice(where)) for n in range(writes)]
    return Workload("correctness", "orders", list(_as_they_arrive(rnd, in_order)), COPIES)


def _write(rnd: random.Random, n: int, partition: str, seq: int) -> Write:
    """Return one of: an insert, one with nulls in it, an update of some columns, one that nulls some, a delete."""
    some = tuple(sorted(rnd.sample(REGULAR, rnd.randint(1, 4))))
    insert = Write("i", partition, seq, BASE_US + n, n, 1)
    kind = rnd.random()
    if kind < 0.35:
        return insert
    if kind < 0.45:
        return replace(insert, nulls=some)
    if kind < 0.75:
        return replace(insert, op="u", columns=some)
    if kind < 0.9:
        return replace(insert, op="u", columns=some, nulls=some[: rnd.randint(1, len(some))])
    return replace(insert, op="d", columns=())


def _as_they_arrive(rnd: random.Random, writes: Iterable[Write]) -> Iterator[Write]:
    due = [(n + (rnd.randint(1, LATE_WRITES) if rnd.random() < LATE_SHARE else 0), n, write) for n, write in enumerate(writes)]
    yield from (write for _, _, write in sorted(due, key=lambda one: one[:2]))


@dataclass(slots=True)
class _Row:
    """What Cassandra remembers of a row: the newest write timestamps, and each cell with its own."""

    marker_us: int = -1
    deletion_us: int = -1
    cells: dict[str, tuple[int, object]] = field(default_factory=dict)

    def apply(self, write: Write) -> None:
        if write.op == "d":
            self.deletion_us = max(self.deletion_us, write.ts_us)
            return
        if write.op == "i":
            self.marker_us = max(self.marker_us, write.ts_us)
        for column, json_text in write.values().items():
            if column not in self.cells or self.cells[column][0] < write.ts_us:
                self.cells[column] = write.ts_us, cell(column, json_text)

    def seen(self) -> Cells | None:
        """Return the cells that SELECT shows; None: there is no row, as it has neither a live marker nor a live cell."""
        live = {column: value for column, (ts_us, value) in self.cells.items() if ts_us > self.deletion_us}
        if self.marker_us <= self.deletion_us and all(value is None for value in live.values()):
            return None
        return tuple(live.get(column) for column in REGULAR)


def expected_rows(writes: Iterable[Write]) -> Rows:
    """Return the rows that Cassandra shows after these writes, in whatever order they come: the last write wins, cell by cell.

    No two writes of one key have the same timestamp, so there are no ties to decide.
    """
    rows: defaultdict[Key, _Row] = defaultdict(_Row)
    for write in writes:
        rows[write.id, write.seq].apply(write)
    return {key: cells for key, row in rows.items() if (cells := row.seen()) is not None}


def cell(column: str, json_text: str) -> object:
    """Return a value as rows are compared: a price as a number, a time in milliseconds since 1970."""
    value = json.loads(json_text)
    return Decimal(value) if column == "price" and isinstance(value, str) else value
