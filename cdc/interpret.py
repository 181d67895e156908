"""What one event says of its table: write timestamps, row markers, expiries, tombstones of rows, ranges and partitions.

The rules are those of `docs/events.md`. Static and dropped columns are left out; only the expiry of the row marker asks
dropped ones too, as it is a property of the whole INSERT.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, Final

from cdc.codec.partition_key import serialize_partition_key
from cdc.envelope import Envelope, RangeBound
from cdc.errors import MissingKey, UnexpectedEnvelope, ValueOutOfRange
from cdc.event import ABSENT, Bound, Key, RangeDeletion, RowState, Skip, Value
from cdc.key_columns import CodecOf, ColumnReader, PartitionKeyReader
from cdc.live_row import live_row_reader
from cdc.schema import Column, Table

Outcome = RowState | RangeDeletion | Skip

_START_INCLUSIVE: Final = {"INCL_START_BOUND": True, "EXCL_START_BOUND": False}
_END_INCLUSIVE: Final = {"INCL_END_BOUND": True, "EXCL_END_BOUND": False}
_TIMESTAMPS: Final = range(-(1 << 63), 1 << 63)
_US_PER_SECOND = 1_000_000


class Interpreter:
    """Turns the events of one table into changes; build it once. `attributes` are those of its `EnvelopeDecoder`.

    `rules` has for each op that the connector writes what an event of it changes, or why nothing. They raise `BadRecord`.
    """

    def __init__(self, table: Table, attributes: dict[str, str], codec_of: CodecOf) -> None:
        self._table = table
        self._partition = PartitionKeyReader(table.partition_key, attributes, codec_of)
        self._clustering = [ColumnReader(c.name, attributes[c.name], codec_of(c.type).key_from_event) for c in table.clustering]
        self._from_bound = {c.name: codec_of(c.type).from_bound for c in table.clustering}
        self._regular = [
            ColumnReader(c.name, attributes[c.name], _to_text(c, codec_of), c.type.is_multicell) for c in table.regular
        ]
        self._own = [attributes[c.name] for c in (*table.clustering, *table.regular)]
        self._single = [attributes[c.name] for c in table.regular if not c.type.is_multicell]
        self._dropped = [attributes[name] for name in attributes if name in table.dropped_columns]
        self._static = [attributes[c.name] for c in table.static]
        self._deletable = [*self._own, *self._static, *self._dropped]
        self._live = live_row_reader(self._partition, self._clustering, self._regular, self._dropped)
        self.rules: dict[str, Callable[[Envelope[Any]], Outcome]] = {
            "i": self._insert,
            "c": self._insert,  # as a transform renames it
            "u": self._update,
            "d": self._delete,
            "r": self._range_tombstone,
            "t": self._range_tombstone,
        }

    def _insert(self, envelope: Envelope[Any]) -> Outcome:
        source = envelope.source
        if source.snapshot != "false" and source.is_snapshot:
            return self._snapshot_row(envelope)
        row = self._live(envelope.after, source.ts_us, source.ts_us)
        return row if row is not None else self._written_row(envelope, source.ts_us)

    def _update(self, envelope: Envelope[Any]) -> Outcome:
        source = envelope.source
        if source.snapshot != "false" and source.is_snapshot:
            return self._snapshot_row(envelope)
        row = self._live(envelope.after, source.ts_us, None) or self._written_row(envelope, None)
        if isinstance(row, Skip):
            return row
        for value in row.values:
            if value is not ABSENT:
                return row
        return Skip.NOTHING_WRITTEN

    def _written_row(self, envelope: Envelope[Any], marker: int | None) -> RowState | Skip:
        if self._has_only_statics(envelope.after):
            return Skip.STATIC_ONLY
        return self._row(envelope, marker, null=None)

    def _snapshot_row(self, envelope: Envelope[Any]) -> RowState | Skip:
        """Return a row as a query saw it: a null was not there, a null clustering key is a partition with only statics."""
        if any(_is_null(envelope.after, column.attribute) for column in self._clustering):
            return Skip.STATIC_ONLY
        return self._row(envelope, envelope.source.ts_us, null=ABSENT)

    def _row(self, envelope: Envelope[Any], marker: int | None, null: Value) -> RowState:
        after = envelope.after
        values: list[Value] = []
        expires: list[int | None] = []
        for column in self._regular:
            cell = getattr(after, column.attribute)
            value: Value = ABSENT if cell is None else null
            expiry = None
            if cell is not None and cell.value is not None:
                value, expiry = column.text(cell.value), _expiry_s(cell.deletion_ts)
            values.append(value)
            expires.append(expiry)
        row = RowState(self._key(after), envelope.source.ts_us, values, marker)
        row.expires = expires if any(expiry is not None for expiry in expires) else None
        row.marker_expires = None if marker is None else self._marker_expiry(after)
        row.is_whole = row.expires is None and all(isinstance(value, str) for value in values)
        return row

    def _marker_expiry(self, after: Any) -> int | None:
        """Return the last expiry of an INSERT's values if all of them expire: events carry no TTL of the marker itself."""
        last: int | None = None
        for cell in self._judged_cells(after):
            expiry = _expiry_s(cell.deletion_ts)
            if expiry is None:
                return None
            last = expiry if last is None else max(last, expiry)
        return last

    def _judged_cells(self, after: Any) -> Iterable[Any]:
        """Yield the non-null cells that show their TTL: all but those of non-frozen collections."""
        for attribute in self._single:
            if not _is_null(after, attribute):
                yield getattr(after, attribute)
        for attribute in self._dropped:
            cell = getattr(after, attribute)
            # the type of a dropped column is not known: what could be a non-frozen collection is not judged
            if not _is_null(after, attribute) and (cell.deletion_ts is not None or not isinstance(cell.value, list | dict)):
                yield cell

    def _delete(self, envelope: Envelope[Any]) -> Outcome:
        after, deletion_ts = envelope.after, self._deletion_ts(envelope)
        if self._clustering and all(_is_null(after, column.attribute) for column in self._clustering):
            return self._range(after, Bound(), Bound(), deletion_ts)
        return RowState(self._key(after), deletion_ts, [ABSENT] * len(self._regular), deletion=deletion_ts)

    def _deletion_ts(self, envelope: Envelope[Any]) -> int:
        """Return the deletion's own timestamp: `source.ts_us` may be that of newer rows in the same mutation."""
        cells = [getattr(envelope.after, attribute) for attribute in self._deletable]
        stamps = [c.deletion_ts for c in cells if c is not None and c.value is None and c.deletion_ts is not None]
        if not stamps:
            return envelope.source.ts_us
        _checked(min(stamps))
        return _checked(max(stamps))

    def _range_tombstone(self, envelope: Envelope[Any]) -> RangeDeletion:
        after = envelope.after
        if after.range_start is None or after.range_end is None or not self._clustering:
            raise UnexpectedEnvelope("a range tombstone needs clustering columns and both bounds")
        start = self._bound(after.range_start, _START_INCLUSIVE)
        end = self._bound(after.range_end, _END_INCLUSIVE)
        return self._range(after, start, end, envelope.source.ts_us)

    def _range(self, after: Any, start: Bound, end: Bound, deletion_ts: int) -> RangeDeletion:
        partition = self._partition.texts(after)
        return RangeDeletion(partition, serialize_partition_key(self._table, partition), start, end, deletion_ts)

    def _bound(self, bound: RangeBound, inclusive_by_method: dict[str, bool]) -> Bound:
        inclusive = inclusive_by_method.get(bound.method)
        given = {_unquoted(value.name): value.value for value in bound.values}
        prefix = [column.name for column in self._clustering[: len(bound.values)]]
        if inclusive is None or given.keys() != set(prefix) or len(given) != len(bound.values):
            raise UnexpectedEnvelope(f"a range bound {bound.method} on {sorted(given)}, not a prefix of the clustering columns")
        if not prefix:
            return Bound()
        return Bound(tuple(self._from_bound[name](given[name]) for name in prefix), inclusive)

    def _key(self, after: Any) -> Key:
        clustering = []
        for column in self._clustering:
            if _is_null(after, column.attribute):
                raise MissingKey(f"the clustering column {column.name!r} is absent or null")
            clustering.append(column.text(getattr(after, column.attribute).value))
        return (*self._partition.texts(after), *clustering)

    def _has_only_statics(self, after: Any) -> bool:
        if not self._static or not self._clustering or not all(_is_null(after, attribute) for attribute in self._own):
            return False
        return any(getattr(after, attribute) is not None for attribute in self._static)


def _to_text(column: Column, codec_of: CodecOf) -> Callable[[Any], str | None]:
    """Return the way to text of a regular column; in Cassandra an empty non-frozen collection is null."""
    from_event = codec_of(column.type).from_event
    return (lambda value: from_event(value) if value else None) if column.type.is_multicell else from_event


def _is_null(after: Any, attribute: str) -> bool:
    cell = getattr(after, attribute)
    return cell is None or cell.value is None


def _expiry_s(deletion_ts: int | None) -> int | None:
    return None if deletion_ts is None else _checked(deletion_ts) // _US_PER_SECOND


def _checked(timestamp_us: int) -> int:
    if timestamp_us not in _TIMESTAMPS:
        raise ValueOutOfRange(f"the timestamp {timestamp_us} does not fit in 64 bits")
    return timestamp_us


def _unquoted(name: str) -> str:
    """Return a column name that stands as CQL writes it: quoted when case-sensitive or a keyword."""
    return name[1:-1].replace('""', '"') if len(name) > 1 and name.startswith('"') and name.endswith('"') else name
