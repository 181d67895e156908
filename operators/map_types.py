"""Maps events to changes: row states and range deletions with values as PostgreSQL takes them."""

from __future__ import annotations

from typing import Final

from cdc.batch import Batch, Reading
from cdc.event import Change, RowState, Skip
from cdc.reader import Event
from operators.attempt import refusal
from runtime.metrics import stage_time

STAGE: Final = "map_types"


@stage_time(STAGE)  # and that of the stages before it, for what they make as it is asked for here
def map_types(batch: Reading[Event]) -> Batch[Change]:
    """Map each event by the rules of its table; those that change nothing are counted."""
    changes: list[Change] = []
    rejected, skipped = batch.rejected, batch.skipped
    for event in batch.items:
        envelope, reader = event.envelope, event.reader
        try:
            outcome = reader.rules[envelope.op](envelope)
            if type(outcome) is not RowState and isinstance(outcome, Skip):  # an enum is slow to answer isinstance
                skipped[reader.full_name, outcome] += 1
                continue
            if reader.has_rounding and (rounded := reader.rounded_cells(envelope)):
                skipped[reader.full_name, Skip.LOST_DIGITS] += rounded
        except Exception as error:  # noqa: BLE001 - a bug costs its own record, not the others
            rejected.append(refusal(STAGE, error, event.record, reader.full_name))
        else:
            changes.append(Change(reader.table, outcome, event.record))
    return Batch(batch.slot, changes, batch.positions, rejected, skipped, batch.plain, batch.polled_at)
