"""What travels through the dataflow: Kafka records, the changes read from them, and batches of both.

A change is a row state or a range deletion. Values are PostgreSQL's text input (`str`), whatever the type, so that
decoding, merging, staging and tie-breaking share one form; `cdc.types` makes it from JSON and turns it into Cassandra's bytes.
"""

from __future__ import annotations

import enum
from collections import Counter
from collections.abc import Iterator
from typing import Final, Generic, TypeAlias, TypeVar

import msgspec

from cdc.schema import Table


class Absent(enum.Enum):
    """The state of a cell that a change does not touch. `None` is a tombstone, a string a value."""

    ABSENT = "absent"

    def __repr__(self) -> str:
        return "ABSENT"


ABSENT: Final = Absent.ABSENT
UNKNOWN: Final = bytes(16)
"""The fingerprint of an event that has none: it equals nothing, itself included."""

Value: TypeAlias = str | Absent | None
Key: TypeAlias = tuple[str, ...]
Item = TypeVar("Item")


class Record(msgspec.Struct, frozen=True, gc=False):
    """One Kafka record, bytes untouched. `timestamp_ms` is Kafka's (-1: none).

    `fingerprint` is equal for replica copies of one mutation's event.
    """

    topic: str
    partition: int
    offset: int
    timestamp_ms: int
    key: bytes | None
    value: bytes | None
    fingerprint: bytes = UNKNOWN


class RowState(msgspec.Struct, gc=False):
    """What is known of one row, from one event or many: the operand of the merge.

    `values` stands in the order of `Table.regular`. With `stamps` None every touched cell was written at `write_ts`; else
    `stamps[i]` is that of cell i (None where ABSENT) and `write_ts` is the greatest of them. `expires` (seconds since 1970)
    is aligned with `values`, None when nothing expires; a None value *with* an expiry is an expired cell whose value is gone.
    `marker` is the row marker's timestamp, `deletion` the row deletion's; None: there is none. Timestamps are microseconds.
    `is_whole` says of an event's row that all its cells are written, live and without expiry; False says nothing.
    """

    key: Key
    write_ts: int
    values: list[Value]
    marker: int | None = None
    stamps: list[int | None] | None = None
    expires: list[int | None] | None = None
    marker_expires: int | None = None
    deletion: int | None = None
    is_whole: bool = False


class PlainRow(msgspec.Struct, frozen=True, gc=False):
    """The state of a row of which an event says nothing but values: no tombstone, no expiry, no deletion.

    Nearly every event is like that, so its text is made once, as it is staged (`cdc.native`), and looked into only where rows
    meet. `line` is COPY text: the key columns, the values of the `touched` columns, write timestamp and marker, a tab behind
    each. `key` is its beginning, without the last tab. `touched` are positions in `Table.regular`, ascending, for all rows of a
    form in one object. Timestamps are microseconds.
    """

    key: bytes
    line: bytes
    touched: tuple[int, ...]
    write_ts: int
    marker: int | None


class Bound(msgspec.Struct, frozen=True, gc=False):
    """One end of a clustering range: a prefix of the clustering columns as Cassandra bytes; empty is open."""

    values: tuple[bytes, ...] = ()
    inclusive: bool = True


class RangeDeletion(msgspec.Struct, frozen=True, gc=False):
    """A range tombstone; with both bounds open, a partition deletion. Bounds stand in clustering order."""

    partition: Key
    partition_bytes: bytes  # Cassandra's serialised partition key
    start: Bound
    end: Bound
    deletion_ts: int


class Change(msgspec.Struct, gc=False):
    """One applied unit: what a record says of a table, and the record, kept for the dead letters."""

    table: Table
    what: RowState | PlainRow | RangeDeletion
    record: Record


class Rejected(msgspec.Struct, frozen=True):
    """A record that cannot be applied, and why: the value of a failure, on its way to the dead letters."""

    stage: str
    error_type: str
    message: str
    record: Record
    table: str = ""
    sqlstate: str | None = None


class Position(msgspec.Struct, frozen=True):
    """How far a topic partition has been read: every record before `next_offset`. A recreated topic has a new `topic_id`."""

    topic: str
    partition: int
    topic_id: str
    next_offset: int


class Skip(enum.StrEnum):
    """Why a record, or a part of it, is not in the mirror: counted, never an error."""

    COMPACTION_MARKER = "compaction_marker"  # a null Kafka value
    DUPLICATE = "duplicate"  # another copy of the event came before
    STATIC_ONLY = "static_only"  # no clustering key: the partition has only static columns
    NOTHING_WRITTEN = "nothing_written"  # an update of columns that are not mirrored
    STATIC_CELL = "static_cell"
    DROPPED_CELL = "dropped_cell"
    LOST_DIGITS = "lost_digits"  # a value finer than PostgreSQL can hold, rounded


class Batch(msgspec.Struct, Generic[Item]):
    """The records of one poll of one slot, at whatever stage: what an item of the dataflow is.

    `items` shrinks as stages reject or drop; `positions` covers all records of the poll, dropped and rejected ones included.
    `skipped` counts what was left out on purpose, by table and reason. `polled_at` is when the oldest record was polled, copies
    included, by a clock that only goes on (seconds); None where the positions moved without a record.
    """

    slot: int
    items: list[Item]
    positions: list[Position]
    rejected: list[Rejected] = msgspec.field(default_factory=list)
    skipped: Counter[tuple[str, Skip]] = msgspec.field(default_factory=Counter)
    polled_at: float | None = None


class Reading(msgspec.Struct, Generic[Item]):
    """A batch whose items are made as they are asked for, and once: one after the other passes all stages of decoding.

    Made stage by stage, a batch may be larger than the processor's cache, and every stage fetches it from memory again: what
    that costs is in docs/decisions/copies-are-found-where-they-are-read.md. `rejected` and `skipped` are whole when `items` has
    ended. `plain` are changes already: what needs none of those stages.
    """

    slot: int
    items: Iterator[Item]
    positions: list[Position]
    rejected: list[Rejected]
    skipped: Counter[tuple[str, Skip]]
    plain: list[Change]
    polled_at: float | None = None
