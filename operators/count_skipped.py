"""Counts what the stages left out on purpose: nothing is skipped in silence."""

from __future__ import annotations

from typing import Any, TypeVar

from cdc.batch import Batch
from runtime.metrics import process_metrics

Item = TypeVar("Item", bound=Any)


def count_skipped(batch: Batch[Item]) -> Batch[Item]:
    """Add a batch's counts to the metrics and take them from it, so that they are added once."""
    if batch.skipped:
        counter = process_metrics().events_skipped
        for (table, reason), count in batch.skipped.items():
            counter.labels(table, reason.value).inc(count)
        batch.skipped.clear()
    return batch
