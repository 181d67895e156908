"""Thousands of small histories in one: the model's tables with many partitions, each as crowded as in a small history."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any

from tests.model.histories import EXTREME_TIMES, TABLES, USUAL_TIMES, RandomChooser, Writer
from tests.model.statements import Key, ModelTable, Statement

PARTITIONS_A_STATEMENT = 10
_MADE: dict[str, Callable[[int], Any]] = {
    "int": lambda number: number - 1,
    "text": lambda number: f"partition {number}",
    "varint": lambda number: str(number * 2**70),
    "blob": lambda number: f"0x{number:08x}",
    "boolean": lambda number: bool(number % 2),
}


class Crowd(Writer):
    """A writer that spreads its statements over many partitions."""

    def _partition(self, table: ModelTable) -> Key:
        number = self.chance.number(1, self.partitions)
        return tuple(_MADE[column.kind.cql](number) for column in table.partition_key)


def crowd_history(seed: int, length: int) -> list[Statement]:
    """Return a history of about `PARTITIONS_A_STATEMENT` statements a partition."""
    source = random.Random(seed)
    times = EXTREME_TIMES if source.random() < 0.2 else USUAL_TIMES
    partitions = max(length // len(TABLES) // PARTITIONS_A_STATEMENT, 2)
    return Crowd(RandomChooser(source), TABLES, times, partitions).history(length, length)
