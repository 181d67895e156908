"""Refuses events that contradict their topic or that no rule covers."""

from __future__ import annotations

from typing import Final

from cdc.errors import UnexpectedEnvelope, UnknownOperation, ValueOutOfRange
from cdc.event import Reading, Record
from cdc.reader import Event
from operators.attempt import attempt

STAGE: Final = "validate"
_LOWEST, _HIGHEST = -(1 << 63), (1 << 63) - 1


def validate(batch: Reading[Event]) -> Reading[Event]:
    """Check the table, the op and the write timestamp of each event; its columns the decoder has checked."""
    events = attempt(STAGE, _checked, batch.items, batch.rejected, origin)
    return Reading(batch.slot, events, batch.positions, batch.rejected, batch.skipped)


def _checked(event: Event) -> Event:
    envelope, reader = event.envelope, event.reader
    source, table = envelope.source, reader.table
    if source.table != table.name or source.keyspace != table.keyspace:
        raise UnexpectedEnvelope(f"an event of {source.keyspace}.{source.table} in the topic of {table.full_name}")
    if not _LOWEST <= source.ts_us <= _HIGHEST:
        raise ValueOutOfRange(f"the write timestamp {source.ts_us} does not fit in 64 bits")
    if envelope.op not in reader.rules:
        raise UnknownOperation(f"the op {envelope.op!r} is none of {', '.join(reader.rules)}")
    return event


def origin(event: Event) -> tuple[Record, str]:
    """Return an event's record and table."""
    return event.record, event.reader.full_name
