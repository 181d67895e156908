"""The one place where a record's failure becomes a value: bad data with its reason, a bug with its traceback."""

from __future__ import annotations

import traceback
from collections.abc import Callable, Iterable, Iterator
from typing import Final, TypeVar

from cdc.errors import BadRecord, InfrastructureError
from cdc.event import Record, Rejected

Item = TypeVar("Item")
Result = TypeVar("Result")

BUG: Final = "Bug"
"""The error type of what should never happen: counted apart, and worth a report."""


def attempt(
    stage: str,
    step: Callable[[Item], Result | None],
    items: Iterable[Item],
    rejected: list[Rejected],
    origin: Callable[[Item], tuple[Record, str]],
) -> Iterator[Result]:
    """Yield what a step makes of each item, without None; what fails is appended to `rejected`.

    `origin` gives an item's record and table. Raises `InfrastructureError` where a step needs a server and gives up.
    """
    for item in items:
        try:
            if (result := step(item)) is not None:
                yield result
        except BadRecord as error:
            rejected.append(_rejected(stage, type(error).__name__, str(error), *origin(item)))
        except InfrastructureError:
            raise  # a server that fails is never a reason for a dead letter
        except Exception:  # noqa: BLE001 - a bug costs its own record, not the others
            rejected.append(_rejected(stage, BUG, traceback.format_exc(), *origin(item)))


def _rejected(stage: str, error_type: str, message: str, record: Record, table: str) -> Rejected:
    return Rejected(stage, error_type, message, record, table)
