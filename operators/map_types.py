"""Maps events to changes: row states and range deletions with values as PostgreSQL takes them."""

from __future__ import annotations

from collections import Counter
from typing import Final

from cdc.event import Batch, Change, Reading, RowState, Skip
from cdc.reader import Event
from operators.attempt import attempt
from operators.validate import origin

STAGE: Final = "map_types"


def map_types(batch: Reading[Event]) -> Batch[Change]:
    """Map each event by the rules of its table; those that change nothing are counted."""
    skipped: Counter[tuple[str, Skip]] = batch.skipped

    def change(event: Event) -> Change | None:
        reader, envelope = event.reader, event.envelope
        outcome = reader.rules[envelope.op](envelope)
        if type(outcome) is not RowState and isinstance(outcome, Skip):  # an enum is slow to answer isinstance
            skipped[reader.full_name, outcome] += 1
            return None
        if reader.has_rounding and (rounded := reader.rounded_cells(envelope)):
            skipped[reader.full_name, Skip.LOST_DIGITS] += rounded
        return Change(reader.table, outcome, event.record)

    changes = list(attempt(STAGE, change, batch.items, batch.rejected, origin))
    return Batch(batch.slot, changes, batch.positions, batch.rejected, skipped)
