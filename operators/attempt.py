"""The one place where a record's failure becomes a value: bad data with its reason, a bug with its traceback."""

from __future__ import annotations

import traceback
from typing import Final

from cdc.errors import BadRecord, InfrastructureError
from cdc.event import Record, Rejected

BUG: Final = "Bug"
"""The error type of what should never happen: counted apart, and worth a report. It costs its own record, not the others."""


def refusal(stage: str, error: Exception, record: Record, table: str) -> Rejected:
    """Return why a stage could not do its part of a record.

    Raises an `InfrastructureError` again: a server that fails is never a reason for a dead letter.
    """
    if isinstance(error, InfrastructureError):
        raise error
    if isinstance(error, BadRecord):
        return Rejected(stage, type(error).__name__, str(error), record, table)
    return Rejected(stage, BUG, "".join(traceback.format_exception(error)), record, table)
