"""The connector of the model: the Kafka records that a history of statements leaves behind.

What Cassandra's commit log holds of a mutation is what the mutation's own deletions leave; only that becomes events.
"""

from __future__ import annotations

import json
import zlib
from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from typing import Any

from cdc.event import Record
from tests.model.cassandra import WRITTEN_AT
from tests.model.kinds import BLOB, Kind
from tests.model.statements import (
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
    partition_key_of,
    parts_of,
    range_holds,
)

TOPIC_PREFIX = "cdc"
KAFKA_PARTITIONS = 3
REVERSED = "org.apache.cassandra.db.marshal.ReversedType(%s)"


@dataclass(frozen=True)
class Event:
    """One event before it is bytes: `key` and `after` as the connector writes them."""

    table: ModelTable
    op: str
    key: dict[str, Any]
    after: dict[str, Any]
    ts_us: int
    position: int = 0


@dataclass
class _Row:
    """What one mutation writes to one row."""

    has_marker: bool = False
    cells: dict[str, tuple[Any, int | None]] = field(default_factory=dict)


def events(statements: Iterable[Statement]) -> list[Event]:
    """Return the events of the statements, in the order in which they ran."""
    written: list[Event] = []
    for position, statement in enumerate(statements, 1):
        mutations: dict[tuple[str, Key], list[Single]] = defaultdict(list)
        for part in parts_of(statement):
            mutations[part.table.name, partition_key_of(part)].append(part)
        for parts in mutations.values():
            written.extend(replace(event, position=position) for event in _mutation(parts))
    return written


def records(written: Iterable[Event], *, replica: int = 0, compaction_markers: bool = False) -> list[Record]:
    """Return the Kafka records of one replica's connector; replicas differ in file, position and clock."""
    offsets: dict[tuple[str, int], int] = defaultdict(int)
    sent: list[Record] = []
    for event in written:
        key, value = _json(event.key), _json(_envelope(event, replica))
        topic = f"{TOPIC_PREFIX}.model.{event.table.name}"
        partition = zlib.crc32(key) % KAFKA_PARTITIONS
        for payload in (value, None) if event.op == "d" and compaction_markers else (value,):
            sent.append(Record(topic, partition, offsets[topic, partition], WRITTEN_AT * 1000, key, payload))
            offsets[topic, partition] += 1
    return sent


def _mutation(parts: list[Single]) -> Iterator[Event]:
    """Yield the events of one partition's part of a statement.

    All of it has one timestamp, so that a deletion covers what it meets, but a partition deletion may be older than the rest.
    """
    table, partition = parts[0].table, partition_key_of(parts[0])
    floor = max((part.timestamp for part in parts if _deletes_partition(part)), default=None)
    parts = [part for part in parts if not _deletes_partition(part) and (floor is None or part.timestamp > floor)]
    newest = max((part.timestamp for part in parts), default=floor or 0)
    if floor is not None:
        yield replace(_deletion(table, partition, floor), ts_us=newest)
    ranges = [part for part in parts if isinstance(part, DeleteRange) and not _is_empty(part)]
    yield from map(_range, ranges)
    width = len(table.partition_key)
    rows = _rows(part for part in parts if not isinstance(part, DeleteRange | DeletePartition))
    gone = {part.key for part in parts if isinstance(part, DeleteRow)}
    for key in dict.fromkeys([*gone, *rows]):
        if any(range_holds(deletion, key[width:]) for deletion in ranges):
            continue
        yield _deletion(table, key, newest) if key in gone else _written(table, key, rows[key], newest)


def _deletes_partition(part: Single) -> bool:
    return isinstance(part, DeletePartition) or (isinstance(part, DeleteRow) and not part.table.clustering)


def _rows(parts: Iterable[Insert | Update | DeleteColumns | DeleteRow]) -> dict[Key, _Row]:
    rows: dict[Key, _Row] = defaultdict(_Row)
    for part in parts:
        if isinstance(part, DeleteRow):
            continue
        row = rows[part.key]
        row.has_marker = row.has_marker or isinstance(part, Insert)
        if isinstance(part, DeleteColumns):
            row.cells.update(dict.fromkeys(part.columns, (None, None)))
            continue
        expires = None if part.ttl is None else WRITTEN_AT + part.ttl
        kinds = {column.name: column.kind for column in part.table.regular}
        for name, value in part.values.items():
            row.cells[name] = _winner(kinds[name], row.cells.get(name), (value, None if value is None else expires))
    return rows


def _winner(kind: Kind, known: tuple[Any, int | None] | None, new: tuple[Any, int | None]) -> tuple[Any, int | None]:
    """Return what one mutation keeps of two writes of a cell: histories have no TTL where a row is written twice in a batch."""
    if known is None or new[0] is None:
        return new
    if known[0] is None:
        return known
    return max(known, new, key=lambda cell: kind.serialize(cell[0]))


def _written(table: ModelTable, key: Key, row: _Row, timestamp: int) -> Event:
    after = _keys(table, key)
    for column in table.regular:
        value, expires = row.cells.get(column.name, (None, None))
        deletion_ts = None if expires is None else expires * 1_000_000
        after[column.name] = _cell(column.kind.wire(value) if value is not None else None, deletion_ts)
        if column.name not in row.cells:
            after[column.name] = None
    return Event(table, "i" if row.has_marker else "u", _key(table, key), after, timestamp)


def _deletion(table: ModelTable, key: Key, timestamp: int) -> Event:
    """Return a `d`: of a row with the whole key, else of a partition."""
    after = _keys(table, key)
    for column in table.clustering[len(key) - len(table.partition_key) :] + table.regular:
        after[column.name] = _cell(None, timestamp)
    return Event(table, "d", _key(table, key), after, timestamp)


def _range(deletion: DeleteRange) -> Event:
    table = deletion.table
    after: dict[str, Any] = _keys(table, deletion.partition)
    after |= dict.fromkeys((column.name for column in table.clustering + table.regular), None)
    start, end = deletion.low, deletion.high
    if _runs_backwards(deletion):
        start, end = end, start
    after["_range_start"] = _bound(deletion, start, "START")
    after["_range_end"] = _bound(deletion, end, "END")
    return Event(table, "r", _key(table, deletion.partition), after, deletion.timestamp)


def _runs_backwards(deletion: DeleteRange) -> bool:
    """Return whether the sliced columns are descending; a slice never mixes both."""
    place = len(deletion.equal)
    return place < len(deletion.table.clustering) and deletion.table.clustering[place].descending


def _bound(deletion: DeleteRange, edge: Edge | None, side: str) -> dict[str, Any]:
    values = deletion.equal + (edge.values if edge is not None else ())
    inclusive = edge is None or edge.inclusive
    columns = list(zip(deletion.table.clustering, values, strict=False))
    return {
        "method": f"{'INCL' if inclusive else 'EXCL'}_{side}_BOUND",
        "values": [_bound_value(column, value) for column, value in reversed(columns)],
    }


def _bound_value(column: ModelColumn, value: Any) -> dict[str, str]:
    marshal = f"org.apache.cassandra.db.marshal.{column.kind.marshal}"
    return {
        "name": column.name,
        "value": column.kind.bound(value),
        "type": REVERSED % marshal if column.descending else marshal,
    }


def _is_empty(deletion: DeleteRange) -> bool:
    """Return whether the slice ends before it begins: Cassandra then writes nothing."""
    low, high = deletion.low, deletion.high
    if low is None or high is None or len(low.values) != len(high.values):
        return False
    columns = deletion.table.clustering[len(deletion.equal) :]
    first, last = (
        tuple(column.kind.order(value) for column, value in zip(columns, edge.values, strict=False)) for edge in (low, high)
    )
    return bool(first > last) or (first == last and not (low.inclusive and high.inclusive))


def _key(table: ModelTable, key: Key) -> dict[str, Any]:
    padded = [*_wire_key(table, key), *[None] * (len(table.primary_key) - len(key))]
    return {column.name: value for column, value in zip(table.primary_key, padded, strict=True)}


def _keys(table: ModelTable, key: Key) -> dict[str, Any]:
    return {column.name: _cell(value, None) for column, value in zip(table.primary_key, _wire_key(table, key), strict=False)}


def _wire_key(table: ModelTable, key: Key) -> list[Any]:
    """Return the key's values as written: a blob in a composite partition key is, wrongly, the whole serialised key."""
    wires = [column.kind.wire(value) for column, value in zip(table.primary_key, key, strict=False)]
    if len(table.partition_key) > 1:
        parts = [column.kind.serialize(value) for column, value in zip(table.partition_key, key, strict=False)]
        whole = "0x" + b"".join(len(part).to_bytes(2, "big") + part + b"\0" for part in parts).hex()
        for place, column in enumerate(table.partition_key):
            wires[place] = BLOB.wire(whole) if column.kind is BLOB else wires[place]
    return wires


def _cell(value: Any, deletion_ts: int | None) -> dict[str, Any]:
    return {"value": value, "deletion_ts": deletion_ts, "set": True}


def _envelope(event: Event, replica: int) -> dict[str, Any]:
    source = {
        "version": "3.5.0.Beta1",
        "connector": "cassandra",
        "name": TOPIC_PREFIX,
        "ts_ms": event.ts_us // 1000,
        "snapshot": "false",
        "db": "NULL",
        "sequence": None,
        "ts_us": event.ts_us,
        "ts_ns": (event.ts_us * 1000 + 2**63) % 2**64 - 2**63,
        "cluster": "Test Cluster",
        "file": f"CommitLog-7-{1795436752199 + replica}.log",
        "pos": 1_000 + event.position * 100 + replica,
        "keyspace": "model",
        "table": event.table.name,
    }
    after = {"_range_start": None, "_range_end": None} | event.after
    after = {name: after[name] for name in [*event.after, "_range_start", "_range_end"]}
    return {"ts_ms": WRITTEN_AT * 1000 + replica, "op": event.op, "source": source, "after": after}


def _json(value: dict[str, Any]) -> bytes:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()
