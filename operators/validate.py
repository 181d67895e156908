"""Refuses events that contradict their topic or that no rule covers."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Final

from cdc.batch import Reading
from cdc.errors import BadRecord, UnexpectedEnvelope, UnknownOperation, ValueOutOfRange
from cdc.event import Rejected
from cdc.reader import Event
from operators.attempt import refusal

STAGE: Final = "validate"
_LOWEST, _HIGHEST = -(1 << 63), (1 << 63) - 1


def validate(batch: Reading[Event]) -> Reading[Event]:
    """Check the table, the op and the write timestamp of each event; its columns the decoder has checked."""
    events = _valid(batch.items, batch.rejected)
    return Reading(batch.slot, events, batch.positions, batch.rejected, batch.skipped, batch.plain, batch.polled_at)


def _valid(events: Iterable[Event], rejected: list[Rejected]) -> Iterator[Event]:
    for event in events:
        envelope, reader = event.envelope, event.reader
        source, table = envelope.source, reader.table
        if source.table != table.name or source.keyspace != table.keyspace:
            problem = f"an event of {source.keyspace}.{source.table} in the topic of {table.full_name}"
            rejected.append(_refused(event, UnexpectedEnvelope(problem)))
        elif not _LOWEST <= source.ts_us <= _HIGHEST:
            rejected.append(_refused(event, ValueOutOfRange(f"the write timestamp {source.ts_us} does not fit in 64 bits")))
        elif envelope.op not in reader.rules:
            rejected.append(_refused(event, UnknownOperation(f"the op {envelope.op!r} is none of {', '.join(reader.rules)}")))
        else:
            yield event


def _refused(event: Event, problem: BadRecord) -> Rejected:
    return refusal(STAGE, problem, event.record, event.reader.full_name)
