"""The operations of `bench.growth`: what each touches, and what is there beside it."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from bench.growth_tables import FUTURE, PARTITION, PAST, TABLES, bury, fill, fill_expiring, row_key, store_ranges, timeuuid
from cdc.codec.partition_key import serialize_partition_key
from cdc.event import ABSENT, Bound, Change, Key, RangeDeletion, Record, RowState
from cdc.schema import Table
from cdc.types.registry import codec_for
from sinks.postgres.layout import Layout
from sinks.postgres.writer import Writer

BATCH = 5_000
TURNS = 3  # measured ones, after one that warms up
ROWS, OF_PARTITION, BURIED, STORED = "rows", "rows of the partition", "buried", "ranges of the partition"
MOST_COMPARED = 5_000_000  # rows times stored deletions of their partition: a smaller batch tells the same in less time
RECORD = Record("growth", 0, 0, -1, None, None)
Ground = Callable[[Layout], list[str]]


@dataclass(frozen=True)
class Turn:
    """One turn of an operation: the rows it touches, SQL that makes its ground, the changes to apply."""

    rows: int
    changes: list[Change] = field(default_factory=list)
    ground: Ground = lambda _: []


@dataclass(frozen=True)
class Operation:
    """Something that is done several times, to other rows each time; `beside`, so many `of`, is what it need not touch."""

    name: str
    of: str
    beside: int
    table: Table
    turn: Callable[[int], Turn]
    do: Callable[[Writer, Turn], object] = lambda writer, turn: writer.apply(turn.changes)
    turns: int = TURNS
    warm_up: bool = True


def of_size(rows: int) -> Iterator[tuple[Table, Ground, list[Operation]]]:
    """Yield each table, how it is filled with that many rows, and the operations on it, in their order."""
    for name, operations in (("rows", _on_rows), ("wide", _on_wide), ("times", _on_times), ("pairs", _on_pairs)):
        yield TABLES[name], lambda layout: [fill(layout, rows)], operations(rows)
    yield TABLES["expiring"], lambda layout: [fill_expiring(layout, rows, FUTURE, 0)], _on_expiring(rows)
    yield TABLES["buried"], lambda layout: [bury(layout, rows)], _on_buried(rows)


def of_tombstones(stored: int) -> tuple[Table, Ground, list[Operation]]:
    """Return the table whose one partition has that many stored deletions, and the operations on it."""
    table = TABLES["ranges"]
    new = 1_000

    merge = min(BATCH, MOST_COMPARED // stored)

    def merged(turn: int) -> Turn:
        return Turn(merge, [_row(table, ("1", str(turn * merge + i)), 10) for i in range(merge)])

    def deleted(turn: int) -> Turn:
        first = stored + 1 + turn * new
        return Turn(new, [_range(table, "1", 20, (_int(at),), (_int(at),)) for at in range(first, first + new)])

    operations = [
        Operation("a merge into the partition", STORED, stored, table, merged, turns=1, warm_up=False),
        Operation("1,000 new ranges of a row", STORED, stored, table, deleted),
    ]
    return table, lambda layout: [store_ranges(layout, 1, stored)], operations


def _on_rows(rows: int) -> list[Operation]:
    table = TABLES["rows"]
    rnd = random.Random(3)

    def upserted(first_ts: int, ground: Ground = lambda _: []) -> Callable[[int], Turn]:
        def turn(number: int) -> Turn:
            chosen = [row_key(i, rows) for i in rnd.sample(range(rows), min(rows, 2 * BATCH))]
            kept = [key for key in chosen if int(key[0]) > TURNS][:BATCH]  # in partitions that no turn deletes
            changes = [_row(table, key, first_ts + number) for key in kept]
            return Turn(len(kept), changes, ground if number == 0 else lambda _: [])

        return turn

    def partition_deleted(turn: int) -> Turn:
        return Turn(PARTITION, [_range(table, str(turn), 50)])

    def rows_deleted(turn: int) -> Turn:
        numbers = range(5, rows, max(1, rows // PARTITION))  # one partition holds the row numbers of one remainder
        where = [row_key(i + turn, rows) for i in numbers]
        return Turn(len(where), [_row_deletion(table, key, 200) for key in where])

    return [
        Operation("5,000 upserts", ROWS, rows, table, upserted(10)),
        Operation("a partition of 1,000 rows", ROWS, rows, table, partition_deleted),
        Operation("5,000 upserts, deletions elsewhere", ROWS, rows, table, upserted(100, lambda of: [store_ranges(of, -1, 1)])),
        Operation("1,000 row deletions", ROWS, rows, table, rows_deleted),
    ]


def _on_wide(rows: int) -> list[Operation]:
    table = TABLES["wide"]

    def part(turn: int) -> Turn:
        return Turn(1_000, [_range(table, "1", 50, (_int(turn * 1_000),), (_int(turn * 1_000 + 999),))])

    def whole(_: int) -> Turn:
        return Turn(rows - (TURNS + 1) * 1_000, [_range(table, "1", 60, (_int(0),), (_int(rows),))])

    return [
        Operation("a range of 1,000 rows", OF_PARTITION, rows, table, part),
        Operation("a range of all rows", OF_PARTITION, rows, table, whole, turns=1, warm_up=False),
    ]


def _on_times(rows: int) -> list[Operation]:
    table = TABLES["times"]
    bytes_of = codec_for(table.clustering[0].type).serialize

    def part(turn: int) -> Turn:
        ends = (bytes_of(timeuuid(turn * 1_000)),), (bytes_of(timeuuid(turn * 1_000 + 999)),)
        return Turn(1_000, [_range(table, "1", 50, *ends)])

    return [Operation("a range of 1,000 rows by timeuuid", OF_PARTITION, rows, table, part)]


def _on_pairs(rows: int) -> list[Operation]:
    table = TABLES["pairs"]

    def part(turn: int) -> Turn:
        ends = (_int(1), _int(turn * 1_000)), (_int(1), _int(turn * 1_000 + 999))
        return Turn(1_000, [_range(table, "1", 50, *ends)])

    return [Operation("a range of 1,000 rows by a second column", OF_PARTITION, rows, table, part)]


def _on_expiring(rows: int) -> list[Operation]:
    table = TABLES["expiring"]

    def some(turn: int) -> Turn:
        return Turn(BATCH, ground=lambda layout: [fill_expiring(layout, BATCH, PAST, turn + 1)])

    def everything(_: int) -> Turn:
        return Turn(rows, ground=lambda of: [f"TRUNCATE {of.relation}", fill_expiring(of, rows, PAST, 0)])

    def sweep(writer: Writer, _: Turn) -> int:
        return writer.sweep()

    return [
        Operation("a sweep of 5,000 rows", ROWS, rows, table, some, sweep),
        Operation("a sweep of all rows", ROWS, rows, table, everything, sweep, turns=1, warm_up=False),
    ]


def _on_buried(rows: int) -> list[Operation]:
    table = TABLES["buried"]
    numbers = random.Random(4).sample(range(rows), min(rows, (TURNS + 1) * BATCH))

    def elsewhere(turn: int) -> Turn:
        return Turn(BATCH, [_row(table, (str(-1 - turn), str(i)), 10) for i in range(BATCH)])

    def folded(turn: int) -> Turn:
        chosen = numbers[turn * BATCH : (turn + 1) * BATCH]
        return Turn(len(chosen), [_row(table, row_key(i, rows), 10) for i in chosen])

    def some(turn: int) -> Turn:
        return Turn(1_000, ground=lambda of: [bury(of, 1_000, first_partition=-100 - turn, old=True)])

    def everything(_: int) -> Turn:
        return Turn(rows, ground=lambda of: [f"TRUNCATE {of.graveyard}", bury(of, rows, old=True)])

    def purge(writer: Writer, _: Turn) -> int:
        return writer.purge()

    return [
        Operation("a merge of 5,000 new rows", BURIED, rows, table, elsewhere),
        Operation("a merge of 5,000 buried rows", BURIED, rows, table, folded, turns=len(numbers) // BATCH - 1),
        Operation("a purge of 1,000", BURIED, rows, table, some, purge),
        Operation("a purge of all", BURIED, rows, table, everything, purge, turns=1, warm_up=False),
    ]


def _row(table: Table, key: Key, ts: int) -> Change:
    return Change(table, RowState(key, ts, [f"version of {ts}", str(ts)], ts), RECORD)


def _row_deletion(table: Table, key: Key, ts: int) -> Change:
    return Change(table, RowState(key, ts, [ABSENT, ABSENT], deletion=ts), RECORD)


def _range(table: Table, partition: str, ts: int, start: tuple[bytes, ...] = (), end: tuple[bytes, ...] = ()) -> Change:
    """Return the deletion of a range with its ends, given as Cassandra bytes; of a partition if there are none."""
    key = (partition,)
    return Change(table, RangeDeletion(key, serialize_partition_key(table, key), Bound(start), Bound(end), ts), RECORD)


def _int(number: int) -> bytes:
    return number.to_bytes(4, "big", signed=True)
