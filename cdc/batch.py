"""What an item of the dataflow is: the records of one poll of one slot, at whatever stage."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import Generic, TypeVar

import msgspec

from cdc.event import Position, Rejected, Skip
from cdc.runs import PlainRun

Item = TypeVar("Item")


class Batch(msgspec.Struct, Generic[Item]):
    """The records of one poll of one slot, at whatever stage.

    `items` shrinks as stages reject or drop; `positions` covers all records of the poll, dropped and rejected ones included.
    `skipped` counts what was left out on purpose, by table and reason. `plain` are changes beside `items`, in one piece.
    `polled_at` is when the oldest record was polled, copies included, by a clock that only goes on (seconds); None where the
    positions moved without a record.
    """

    slot: int
    items: list[Item]
    positions: list[Position]
    rejected: list[Rejected] = msgspec.field(default_factory=list)
    skipped: Counter[tuple[str, Skip]] = msgspec.field(default_factory=Counter)
    plain: list[PlainRun] = msgspec.field(default_factory=list)
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
    plain: list[PlainRun]
    polled_at: float | None = None
