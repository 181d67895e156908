from __future__ import annotations

from collections import Counter

from cdc.batch import Batch
from cdc.event import Record, Skip
from operators.count_skipped import count_skipped
from runtime.metrics import process_metrics


def test_what_was_skipped_is_counted_once() -> None:
    batch: Batch[Record] = Batch(0, [], [], skipped=Counter({("count.skipped", Skip.DUPLICATE): 3}))
    for _ in range(2):
        assert count_skipped(batch) is batch
    labels = {"table": "count.skipped", "reason": Skip.DUPLICATE.value}
    assert process_metrics().registry.get_sample_value("cdc_events_skipped_total", labels) == 3
