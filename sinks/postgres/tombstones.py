"""Range and partition deletions: stored once, applied to the rows that are there, and held against rows that come later."""

from __future__ import annotations

import struct
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence, Set
from typing import Any

import msgspec
import psycopg
import xxhash

from cdc.codec.partition_key import serialize_partition_key
from cdc.errors import BadRecord
from cdc.event import Bound, Key, RangeDeletion
from cdc.ordering import strip
from cdc.plain_state import Row, key_texts, oldest_ts, state_of, texts_of
from cdc.ranges import Coverage
from sinks.postgres.layout import Layout, StoredColumn
from sinks.postgres.stage import stage_keys
from sinks.postgres.statements import bury_invisible, copy_keys, delete_covered, lock_staged, strip_covered

STORE = """
    INSERT INTO cdc.tombstones
        (table_id, partition_hash, partition_key, partition_bytes, range_start, range_end, deletion_ts, stored_at)
    VALUES (%s, %s, %s, %s, %s, %s, %s, to_timestamp(%s))
    ON CONFLICT (table_id, partition_hash, sha256(range_start), sha256(range_end)) DO UPDATE
    SET deletion_ts = excluded.deletion_ts, applied = false, stored_at = excluded.stored_at
    WHERE cdc.tombstones.deletion_ts < excluded.deletion_ts
"""
COLUMNS = "id, partition_key, partition_bytes, range_start, range_end, deletion_ts"
# The index of this expression alone gives the order: the planner need not guess how many are not applied.
NOT_APPLIED = f"""
    SELECT {COLUMNS} FROM cdc.tombstones
    WHERE (table_id::bigint, id) >= (%(table_id)s, 0) AND table_id::bigint <= %(table_id)s AND NOT applied
    ORDER BY table_id::bigint, id LIMIT %(limit)s
"""
OF_PARTITIONS = f"""
    SELECT {COLUMNS}, partition_hash FROM cdc.tombstones
    WHERE table_id = %s AND partition_hash = ANY(%s) AND deletion_ts >= %s
"""
APPLIED = """
    UPDATE cdc.tombstones AS t SET applied = true
    FROM unnest(%s::bigint[], %s::bigint[]) AS done (id, deletion_ts)
    WHERE t.id = ANY (ARRAY[done.id]) AND t.deletion_ts = done.deletion_ts
"""


LOW, HIGH = ">=", "<="
# Of the indexes that begin with the partition key, only the one that gives the order is read from where a step begins.
BY_ORDERED_INDEX = "SET LOCAL enable_sort = off"
BY_ANY_INDEX = "SET LOCAL enable_sort = on"


class Stored(msgspec.Struct, frozen=True):
    """One row of `cdc.tombstones`."""

    tombstone_id: int
    deletion: RangeDeletion


class Progress(msgspec.Struct, frozen=True):
    """Where applying goes on: the deletion's place in the list, and the last key looked at in its partition."""

    at: int = 0
    after: Key | None = None


def store(cursor: psycopg.Cursor, layout: Layout, deletions: Iterable[RangeDeletion], now: int) -> None:
    """Store what is new. The caller holds the table's lock exclusively."""
    newest: dict[tuple[bytes, bytes, bytes], RangeDeletion] = {}
    for deletion in deletions:
        identity = (partition_hash(deletion.partition_bytes), encode_bound(deletion.start), encode_bound(deletion.end))
        known = newest.setdefault(identity, deletion)
        if known.deletion_ts < deletion.deletion_ts:
            newest[identity] = deletion
    parameters = [
        (layout.table_id, digest, list(d.partition), d.partition_bytes, start, end, d.deletion_ts, now)
        for (digest, start, end), d in sorted(newest.items())
    ]
    cursor.executemany(STORE, parameters)


def not_applied(cursor: psycopg.Cursor, layout: Layout, limit: int) -> list[Stored]:
    """Return stored deletions whose rows have not been looked at, oldest first."""
    cursor.execute(NOT_APPLIED, {"table_id": layout.table_id, "limit": limit})
    return [_stored(row) for row in cursor]


def apply_step(
    cursor: psycopg.Cursor, layout: Layout, work: Sequence[Stored], progress: Progress, *, rows: int, now: int
) -> Progress:
    """Apply stored deletions to about `rows` rows of their partitions, from `progress` on; return how far it got.

    SQL narrows the partition, Python decides by Cassandra's order. The caller holds the table's lock, shared.
    """
    covered: dict[Key, int] = {}
    at, after, looked_at = progress.at, progress.after, 0
    cursor.execute(BY_ORDERED_INDEX)
    while at < len(work) and looked_at < rows:
        deletion = work[at].deletion
        keys = _partition_rows(cursor, layout, deletion, after, rows)
        for key in keys:
            if _covers(layout, deletion, key):
                covered[key] = max(covered.get(key, deletion.deletion_ts), deletion.deletion_ts)
        looked_at += len(keys) + 1
        at, after = (at, keys[-1]) if len(keys) == rows else (at + 1, None)
    cursor.execute(BY_ANY_INDEX)
    if covered:
        _strip_rows(cursor, layout, covered, now)
    done = work[progress.at : at]
    if done:
        cursor.execute(APPLIED, ([stored.tombstone_id for stored in done], [s.deletion.deletion_ts for s in done]))
    return Progress(at, after)


def _strip_rows(cursor: psycopg.Cursor, layout: Layout, covered: Mapping[Key, int], now: int) -> None:
    with cursor.copy(copy_keys(layout)) as copy:
        copy.write(stage_keys(sorted(covered.items())))
    for statement in (lock_staged(layout), delete_covered(layout), strip_covered(layout), bury_invisible(layout)):
        cursor.execute(statement, {"now": now})


def strip_covered_rows(cursor: psycopg.Cursor, layout: Layout, rows: Sequence[Row], oldest: int) -> Iterator[Row]:
    """Yield the rows without what stored deletions cover; those with nothing left are skipped.

    `oldest` is the smallest timestamp in them. A row that loses nothing is yielded as it is, and a plain one not looked into.
    """
    keys, clustering = key_texts(rows), len(layout.key) - layout.partition_length
    partitions = [key.rsplit(b"\t", clustering)[0] for key in keys]
    deletions = _of_partitions(cursor, layout, set(partitions), oldest)
    coverages = {text: Coverage(layout.clustering_order, of_partition) for text, of_partition in deletions.items()}
    for row, text, partition in zip(rows, keys, partitions, strict=True):
        covering = _covering_ts(layout, coverages[partition], text) if partition in coverages else None
        if covering is None or covering < oldest_ts(row):
            yield row
            continue
        remaining = strip(state_of(layout.table, row), covering)
        if remaining is not None:
            yield remaining


def _of_partitions(
    cursor: psycopg.Cursor, layout: Layout, partitions: Set[bytes], oldest: int
) -> dict[bytes, list[RangeDeletion]]:
    """Return the stored deletions of those partitions that have some not before `oldest`, by the partition's COPY text."""
    hashes = {text: partition_hash(serialize_partition_key(layout.table, texts_of(text))) for text in partitions}
    cursor.execute(OF_PARTITIONS, (layout.table_id, list(set(hashes.values())), oldest))
    deletions: dict[bytes, list[RangeDeletion]] = defaultdict(list)
    for *row, digest in cursor:
        deletions[digest].append(_stored(row).deletion)
    return {text: deletions[digest] for text, digest in hashes.items() if digest in deletions}


def _covering_ts(layout: Layout, coverage: Coverage, key_text: bytes) -> int | None:
    return coverage.newest(_clustering(layout, texts_of(key_text), coverage.depth))


def partition_hash(partition_bytes: bytes) -> bytes:
    """Return the 128 bits by which the deletions of a partition are found."""
    return xxhash.xxh3_128_digest(partition_bytes)


def encode_bound(bound: Bound) -> bytes:
    """Return a bound as bytes: inclusive or not, then each value behind its length; an open one is empty."""
    if not bound.values:
        return b""
    return bytes([bound.inclusive]) + b"".join(struct.pack(">I", len(part)) + part for part in bound.values)


def decode_bound(data: bytes) -> Bound:
    """Return the bound that `encode_bound` wrote."""
    if not data:
        return Bound()
    values, at = [], 1
    while at < len(data):
        (length,) = struct.unpack_from(">I", data, at)
        values.append(data[at + 4 : at + 4 + length])
        at += 4 + length
    return Bound(tuple(values), inclusive=bool(data[0]))


def _stored(row: Sequence[Any]) -> Stored:
    tombstone_id, partition, partition_bytes, start, end, deletion_ts = row
    return Stored(
        tombstone_id, RangeDeletion(tuple(partition), partition_bytes, decode_bound(start), decode_bound(end), deletion_ts)
    )


def _covers(layout: Layout, deletion: RangeDeletion, key: Key) -> bool:
    depth = max(len(deletion.start.values), len(deletion.end.values))
    return layout.clustering_order.covers(deletion, _clustering(layout, key, depth))


def _clustering(layout: Layout, key: Key, depth: int) -> list[bytes]:
    """Return the first `depth` clustering values of a row."""
    of_depth = slice(layout.partition_length, layout.partition_length + depth)
    return [column.codec.serialize(value) for column, value in zip(layout.key[of_depth], key[of_depth], strict=True)]


def _partition_rows(cursor: psycopg.Cursor, layout: Layout, deletion: RangeDeletion, after: Key | None, rows: int) -> list[Key]:
    query, parameters = partition_query(layout, deletion, after, rows)
    cursor.execute(query, parameters)
    return cursor.fetchall()


def partition_query(layout: Layout, deletion: RangeDeletion, after: Key | None, rows: int) -> tuple[str, list[str]]:
    """Return the query, with its parameters, of up to `rows` keys behind `after` that a deletion may cover.

    A column of one value stands in no comparison and no order: PostgreSQL would begin with the first row of the partition.
    """
    texts = [*deletion.partition, *_common_prefix(layout, deletion)]
    fixed = len(texts)
    conditions = [f"{column.sql} = %s::{column.type}" for column in layout.key[:fixed]]
    parameters: list[str] = list(texts)
    ordered = layout.key[fixed:] or layout.key
    order = ", ".join(_ordered(layout, column, f"t.{column.sql}") for column in ordered)
    for operator, condition, value in _narrowing(layout, deletion, fixed - layout.partition_length):
        if after is None or operator != LOW:
            conditions.append(condition)
            parameters.append(value)
    if after is not None:
        values = ", ".join(_ordered(layout, column, f"%s::{column.type}") for column in ordered)
        conditions.append(f"({order}) > ({values})")
        parameters.extend(after[-len(ordered) :])
    selected = ", ".join(f"{column.sql}::text" for column in layout.key)
    where = " AND ".join(conditions)
    return f"SELECT {selected} FROM {layout.relation} AS t WHERE {where} ORDER BY {order} LIMIT {rows}", parameters


def _ordered(layout: Layout, column: StoredColumn, expression: str) -> str:
    """Return the expression as the index sorts it that finds a range of the partition."""
    return f"{column.order_function}({expression})" if column is layout.ranged and column.order_function else expression


def _common_prefix(layout: Layout, deletion: RangeDeletion) -> Iterator[str]:
    """Yield the first clustering values of every covered row, as far as both bounds have the same and SQL can say it."""
    for column, start, end in zip(
        layout.key[layout.partition_length :], deletion.start.values, deletion.end.values, strict=False
    ):
        text = _exact_text(column, start) if start == end and (column.codec.postgres_order or column.order_function) else None
        if text is None:
            return
        yield text


def _narrowing(layout: Layout, deletion: RangeDeletion, depth: int) -> Iterator[tuple[str, str, str]]:
    """Yield conditions, operator first, on the clustering column at `depth` that every covered row meets.

    Only where SQL has Cassandra's order. The columns before it have one value.
    """
    columns = layout.key[layout.partition_length :]
    if depth >= len(columns):
        return
    column = columns[depth]
    low, high = (deletion.end, deletion.start) if column.descending else (deletion.start, deletion.end)
    for operator, bound in ((LOW, low), (HIGH, high)):
        value = _bound_sql(layout, column, bound.values[depth]) if len(bound.values) > depth else None
        if value is not None:
            kind = "bytea" if column.order_function else column.type
            yield operator, f"{_ordered(layout, column, column.sql)} {operator} %s::{kind}", value


def _bound_sql(layout: Layout, column: StoredColumn, value: bytes) -> str | None:
    """Return a bound's value for SQL, None where it may not narrow: another order, or a value PostgreSQL has not."""
    if column.order_function:
        return f"\\x{column.codec.sort_key(value).hex()}" if column is layout.ranged else None
    return _exact_text(column, value) if column.codec.postgres_order else None


def _exact_text(column: StoredColumn, value: bytes) -> str | None:
    """Return the text of Cassandra's bytes, None for what no text in PostgreSQL stands for."""
    try:
        text = column.codec.to_text(value)
    except (BadRecord, ValueError):
        return None
    return text if column.codec.serialize(text) == value else None
