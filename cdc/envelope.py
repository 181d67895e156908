"""The connector's envelope `{ts_ms, op, source, after}`, typed for each table: JSON in, structs out.

Facts in `docs/events.md`. A null cell is a column that the mutation does not touch; a cell whose value is null is a
tombstone or, in a deletion, a column that the deletion killed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, Final, Generic, TypeVar

import msgspec

from cdc.diagnosis import diagnose
from cdc.errors import BadRecord, UnexpectedEnvelope
from cdc.schema import Column, ColumnKind, CqlType, Table

T = TypeVar("T")
After = TypeVar("After")

RANGE_START: Final = "_range_start"
RANGE_END: Final = "_range_end"
_WITH_SCHEMA = b'{"schema"'


class Source(msgspec.Struct, gc=False):
    """Where an event comes from. `ts_us` is the write timestamp, any signed 64-bit number of microseconds."""

    ts_us: int
    keyspace: str
    table: str
    snapshot: str | None = None

    @property
    def is_snapshot(self) -> bool:
        return self.snapshot is not None and self.snapshot != "false"


class Cell(msgspec.Struct, Generic[T], gc=False):
    """One column. `deletion_ts` (microseconds) is the expiry of a value, or the deletion that killed it.

    The connector's `set` is always true and not read.
    """

    value: T | None
    deletion_ts: int | None = None


class KeyCell(msgspec.Struct, Generic[T], gc=False):
    """One partition key column: never null, in no event."""

    value: T


class BoundValue(msgspec.Struct, gc=False):
    """One clustering column of a range bound, named as CQL writes it, in Cassandra's own notation."""

    name: str
    value: str


class RangeBound(msgspec.Struct, gc=False):
    """One end of a range tombstone; `values` stand in random order."""

    method: str
    values: list[BoundValue]


class Envelope(msgspec.Struct, Generic[After], gc=False):
    """One event. `after` has a field a column, named by `EnvelopeDecoder.attributes`, then `range_start` and `range_end`."""

    op: str
    source: Source
    after: After


class _Wrapped(msgspec.Struct):
    payload: msgspec.Raw


_unwrap = msgspec.json.Decoder(_Wrapped).decode


def payload_of(value: bytes) -> bytes:
    """Return the envelope's JSON, without the schema that `schemas.enable=true` puts beside it.

    What is not an object with a payload comes back as it is, for the decoder to judge.
    """
    if not value.startswith(_WITH_SCHEMA):
        return value
    try:
        return bytes(_unwrap(value).payload)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return value


class EnvelopeDecoder:
    """Decodes the events of one table; build it once.

    `wire_of` gives the annotation of a type's JSON. Static and dropped columns are decoded whatever they hold, others strictly.
    """

    def __init__(self, table: Table, wire_of: Callable[[CqlType], Any]) -> None:
        self.table = table
        self._annotations = {column.name: _annotation(column, wire_of) for column in _in_event_order(table)}
        self._annotations |= dict.fromkeys(sorted(table.dropped_columns - self._annotations.keys()), Cell[Any] | None)
        self._annotations |= {RANGE_START: RangeBound | None, RANGE_END: RangeBound | None}
        self.attributes = _attributes(self._annotations)
        self.parse: Callable[[Any], Envelope[Any]]
        """What `decode` does, raising whatever is raised."""
        if all(map(_is_plain, self._annotations)):
            self.parse = _decoder(self._after({attribute: name for name, attribute in self.attributes.items()}))
        else:
            self.parse = self._translating_decoder()

    def decode(self, payload: bytes) -> Envelope[Any]:
        """Return the envelope, as `parse` does. Raises the `BadRecord` that says what is wrong with it."""
        try:
            return self.parse(payload)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            raise self._problem(payload, error) from error

    def _problem(self, payload: bytes, error: Exception) -> BadRecord:
        required = frozenset(column.name for column in self.table.partition_key)
        problem = diagnose(payload, Source, self._annotations, required)
        return problem or UnexpectedEnvelope(f"the record cannot be decoded: {error}")

    def _after(self, rename: dict[str, str]) -> type[msgspec.Struct]:
        fields: list[Any] = []
        required = {column.name for column in self.table.partition_key}
        for name, annotation in self._annotations.items():
            field = (self.attributes[name], annotation)
            fields.append(field if name in required else (*field, None))
        return msgspec.defstruct("After", fields, rename=rename, forbid_unknown_fields=True, gc=False)

    def _translating_decoder(self) -> Callable[[bytes], Envelope[Any]]:
        """Return a decoder for names that msgspec refuses as names of fields: those are translated first."""
        unknown = "?"  # no attribute, so that it is refused; the diagnosis then finds its true name
        decode_raw = _decoder(dict[str, msgspec.Raw])
        decode_after = msgspec.json.Decoder(self._after({})).decode

        def decode(payload: bytes) -> Envelope[Any]:
            raw = decode_raw(payload)
            renamed = {self.attributes.get(name, unknown): json for name, json in raw.after.items()}
            return Envelope(raw.op, raw.source, decode_after(msgspec.json.encode(renamed)))

        return decode


def _is_plain(name: str) -> bool:
    """Return whether a name needs no escape in JSON: only those msgspec takes as names of fields."""
    return name.isprintable() and not set(name) & {'"', "\\"}


def _in_event_order(table: Table) -> Iterable[Column]:
    """Return the columns as events list them, which msgspec decodes fastest."""
    return (*table.primary_key, *table.regular, *table.static)


def _annotation(column: Column, wire_of: Callable[[CqlType], Any]) -> Any:
    if column.kind is ColumnKind.PARTITION_KEY:
        return _of(KeyCell, wire_of(column.type))
    if column.kind is ColumnKind.STATIC:
        return Cell[Any] | None
    return _of(Cell, wire_of(column.type)) | None


def _of(generic: Any, argument: Any) -> Any:
    """Return a generic struct of a type that is known only at run time."""
    return generic[argument]


def _decoder(after: Any) -> Callable[[bytes], Envelope[Any]]:
    return msgspec.json.Decoder(_of(Envelope, after)).decode


def _attributes(names: Iterable[str]) -> dict[str, str]:
    """Return an attribute for each column: column names are any strings, `def` and `dot.ted` included."""
    attributes = {name: f"c{position}" for position, name in enumerate(names)}
    return attributes | {RANGE_START: "range_start", RANGE_END: "range_end"}
