"""The events of the benchmark, as the connector writes them: 11 columns and about 1.1 KB each, or more columns."""

from __future__ import annotations

import random
import uuid
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache

DDL = """
CREATE TABLE bench.{table} (
    id uuid, seq int, name text, note text, count int, total bigint, ratio double, paid boolean, updated timestamp,
    price decimal, parent uuid, {more}PRIMARY KEY (id, seq));
"""
KEY = ("id", "seq")
REGULAR = ("count", "name", "note", "paid", "parent", "price", "ratio", "total", "updated")
PARTIAL = ("count", "name")
MORE_COLUMNS = {"orders": 0, "copies": 0, "doubled": 0, "wide": 39, "wider": 139}
"""Text columns of each table beside those 11."""

BASE_US = 1_795_437_000_000_000
COMMAS = '{"ts_ms":1795437087284,"op":"%s","source":{"version":"3.5.0.Beta1","connector":"cassandra","name":"bench",\
"ts_ms":%d,"snapshot":"false","db":"NULL","sequence":null,"ts_us":%d,"ts_ns":%d000,"cluster":"Test Cluster",\
"file":"CommitLog-7-17954367521%02d.log","pos":%d,"keyspace":"bench","table":"%s"},"after":{%s,\
"_range_start":null,"_range_end":null}}'

MORE_TEXT = '"somewhat more to say"'
Row = dict[str, str]


@dataclass(frozen=True, slots=True)
class Write:
    """One statement: the `columns` of a version of row `number`, `nulls` set to null; `op` as the connector names it.

    Its values are made when they are asked for: millions of statements are held at once.
    """

    op: str
    id: str
    seq: int
    ts_us: int
    number: int
    version: int
    columns: tuple[str, ...] = REGULAR
    nulls: tuple[str, ...] = ()

    def values(self) -> Row:
        """Return the columns as JSON text."""
        row = full_row(self.number, self.version)
        written = row if self.columns is REGULAR else {column: row.get(column, MORE_TEXT) for column in self.columns}
        return written | dict.fromkeys(self.nulls, "null") if self.nulls else written


@dataclass(frozen=True)
class Workload:
    """Writes to one table in their order, each `copies` times in the topic, and a share of them `again` once more."""

    name: str
    table: str
    writes: Sequence[Write]
    copies: int = 1
    again: float = 0


@cache
def more_columns(table: str) -> tuple[str, ...]:
    """Return the names of the text columns that a table has more than others."""
    return tuple(f"more_{number:03d}" for number in range(MORE_COLUMNS[table]))


@cache
def regular_of(table: str) -> tuple[str, ...]:
    """Return the regular columns of a table, in the order of events."""
    return tuple(sorted((*REGULAR, *more_columns(table))))


def ddl_of(table: str) -> str:
    """Return the CREATE TABLE of a table in Cassandra."""
    return DDL.format(table=table, more="".join(f"{column} text, " for column in more_columns(table)))


def keys(rows: int) -> list[tuple[str, int]]:
    """Return the primary keys: random partitions, as hashed by Cassandra."""
    rnd = random.Random(7)
    return [(str(uuid.UUID(int=rnd.getrandbits(128))), n % 7) for n in range(rows)]


def full_row(number: int, version: int) -> Row:
    """Return every regular column as JSON text."""
    return {
        "count": str((number + version) % 10_000),
        "name": f'"customer {number} of version {version}"',
        "note": '"' + f"leave it with the neighbour {number} " * 3 + '"',
        "paid": "true" if (number + version) % 2 else "false",
        "parent": f'"{uuid.UUID(int=number * 7919 + version)}"',
        "price": f'"{number % 1000}.{version % 90 + 10}"',
        "ratio": f"{number % 100}.5",
        "total": str(10_000_000_000 + number),
        "updated": str(1_795_437_087_284 + version),
    }


def workloads(rows: int) -> list[Workload]:
    """Return the workloads in the order they must run: updates find the inserted rows."""
    where = keys(rows)
    inserts = [Write("i", *key, BASE_US + n, n, 1) for n, key in enumerate(where)]
    full = [Write("u", *key, BASE_US + rows + n, n, 2) for n, key in _shuffled(where, 2)]
    partial = [Write("u", *key, BASE_US + 2 * rows + n, n, 3, PARTIAL) for n, key in _shuffled(where, 3)]
    mix = list(_mix(where, rows))
    return [
        Workload("inserts", "orders", inserts),
        Workload("full updates", "orders", full),
        Workload("partial updates", "orders", partial),
        Workload("mix with deletes", "orders", mix),
        Workload("inserts, RF=3 copies", "copies", inserts, copies=3),
        Workload("inserts, 40 % again", "doubled", inserts, again=0.4),
        *_wide("wide", where, rows),
        *_wide("wider", where, rows),
    ]


def _wide(table: str, where: Sequence[tuple[str, int]], rows: int) -> list[Workload]:
    """Return rows of many columns, fewer than others as they are larger, and updates of two columns of them."""
    columns, some = regular_of(table), where[: rows // 5]
    inserts = [Write("i", *key, BASE_US + n, n, 1, columns) for n, key in enumerate(some)]
    updates = [
        Write("u", *key, BASE_US + rows + again * len(some) + n, n, again + 2, PARTIAL)
        for again in range(3)
        for n, key in _shuffled(some, again)
    ]
    count = len(columns) + len(KEY)
    return [
        Workload(f"inserts of {count} columns", table, inserts),
        Workload(f"2 of {count} columns", table, updates),
    ]


def events(workload: Workload) -> Iterator[tuple[bytes, bytes]]:
    """Yield key and value of every record; copies of a write come some thousand records later, as from a slower replica."""
    lag = 2_000
    rounds = workload.copies + (workload.again > 0)
    for at in range(len(workload.writes) + lag * (rounds - 1)):
        for copy in range(rounds):
            number = at - copy * lag
            if 0 <= number < len(workload.writes) and (copy < workload.copies or number % 10 < 10 * workload.again):
                yield _record(workload, number, copy)


def _record(workload: Workload, number: int, copy: int) -> tuple[bytes, bytes]:
    write = workload.writes[number]
    key = f'{{"id":"{write.id}","seq":{write.seq}}}'
    cells = [f'"id":{_cell(chr(34) + write.id + chr(34))}', f'"seq":{_cell(str(write.seq))}']
    values = write.values()
    for column in regular_of(workload.table):
        if write.op == "d":
            cells.append(f'"{column}":{{"value":null,"deletion_ts":{write.ts_us},"set":true}}')
        else:
            cells.append(f'"{column}":{_cell(values[column]) if column in values else "null"}')
    ts = write.ts_us
    value = COMMAS % (write.op, ts // 1000, ts, ts, copy, number * 300, workload.table, ",".join(cells))
    return key.encode(), value.encode()


def _cell(json_text: str) -> str:
    return f'{{"value":{json_text},"deletion_ts":null,"set":true}}'


def _mix(where: Sequence[tuple[str, int]], rows: int) -> Iterator[Write]:
    """Yield half full and half partial updates, a tenth of all deletes."""
    rnd = random.Random(5)
    for n, key in _shuffled(where, 4):
        ts, kind = BASE_US + 3 * rows + n, rnd.random()
        if kind < 0.1:
            yield Write("d", *key, ts, n, 4, ())
        elif kind < 0.55:
            yield Write("i", *key, ts, n, 4)
        else:
            yield Write("u", *key, ts, n, 4, PARTIAL)


def _shuffled(where: Sequence[tuple[str, int]], seed: int) -> list[tuple[int, tuple[str, int]]]:
    numbered = list(enumerate(where))
    random.Random(seed).shuffle(numbered)
    return numbered
