"""What the bench reads from the pages of a flow, and what it makes of that."""

from __future__ import annotations

import pytest
from prometheus_client import generate_latest

from bench.mirror import FLOW, KAFKA, OTHER, POSTGRES, Seen, between
from bench.pages import Pages, Told, told
from runtime.embedded.ports import any_free
from runtime.http import METRICS, serve
from runtime.metrics import Metrics, create_metrics, metrics_page, read_samples
from runtime.settings import HttpSettings

INFINITE = float("inf")
QUANTILES = {
    "none": ({}, 0.5, 0.0),
    "no batch": ({1.0: 0.0, INFINITE: 0.0}, 0.5, 0.0),
    "in the first bucket, from nothing on": ({2.0: 10.0, INFINITE: 10.0}, 0.5, 1.0),
    "evenly within a bucket": ({1.0: 10.0, 3.0: 30.0, INFINITE: 30.0}, 0.5, 1.5),
    "on a bound": ({1.0: 5.0, 3.0: 10.0, INFINITE: 10.0}, 0.5, 1.0),
    "past empty buckets": ({1.0: 5.0, 2.0: 5.0, 4.0: 10.0, INFINITE: 10.0}, 0.75, 3.0),
    "beyond the last bound": ({1.0: 1.0, 4.0: 2.0, INFINITE: 10.0}, 0.99, 4.0),
    "bounds in any order": ({INFINITE: 30.0, 3.0: 30.0, 1.0: 10.0}, 0.5, 1.5),
}


@pytest.mark.parametrize(("batches", "share", "want"), QUANTILES.values(), ids=QUANTILES.keys())
def test_a_quantile_stands_between_two_bounds(batches: dict[float, float], share: float, want: float) -> None:
    assert Told({}, batches).quantile(share) == pytest.approx(want)


def working(*processing_seconds: float, **stage_seconds: float) -> Metrics:
    metrics = create_metrics()
    for stage, seconds in stage_seconds.items():
        metrics.stage_cpu_seconds.labels(stage).inc(seconds)
    for seconds in processing_seconds:
        metrics.processing_seconds.observe(seconds)
    return metrics


@pytest.mark.parametrize("seconds", [0.0012, 0.07, 0.31, 4.4, 55.0])
def test_the_buckets_tell_a_quantile_within_a_third(seconds: float) -> None:
    seen = told(read_samples(generate_latest(working(*[seconds] * 100).registry).decode()))
    assert [seen.quantile(share) for share in (0.5, 0.99)] == pytest.approx([seconds] * 2, rel=0.34)


def test_processes_are_added_up() -> None:
    processes = [working(0.5, 0.5, source=1.0, dedupe=0.25), working(70.0, source=2.0)]
    seen = told(sample for metrics in processes for sample in read_samples(generate_latest(metrics.registry).decode()))
    assert seen.stage_seconds == {"source": 3.0, "dedupe": 0.25}
    assert (seen.batches[0.4], seen.batches[0.5], seen.batches[60.0], seen.batches[INFINITE]) == (0.0, 2.0, 2.0, 3.0)


def test_what_came_since_is_the_difference() -> None:
    before, after = Told({"source": 1.0}, {1.0: 2.0}), Told({"source": 1.5, "dedupe": 0.5}, {1.0: 5.0, INFINITE: 6.0})
    assert after.since(before) == Told({"source": 0.5, "dedupe": 0.5}, {1.0: 3.0, INFINITE: 6.0})


def test_a_process_that_answers_no_more_counts_with_its_last_words() -> None:
    port = any_free("the test", 2)
    looked = Pages(port, 2)
    assert looked.look() == Told({}, {})
    stops = [
        serve(HttpSettings(port=port + index), {METRICS: metrics_page(working(0.5, source=index + 1.0))}) for index in range(2)
    ]
    while stops:
        got = looked.look()
        assert (got.stage_seconds, got.batches[INFINITE]) == ({"source": 3.0}, 2.0)
        stop = stops.pop()
        assert stop is not None
        stop()
    assert looked.look().stage_seconds == {"source": 3.0}


def test_what_no_stage_has_is_the_rest_of_the_flows_processor_time() -> None:
    first = Seen(10.0, 1_000, {FLOW: 3.0, POSTGRES: 1.0, KAFKA: 0.5}, Told({"source": 1.0}, {0.5: 1.0, INFINITE: 1.0}))
    last = Seen(12.0, 3_000, {FLOW: 3.5, POSTGRES: 1.5, KAFKA: 0.75}, Told({"source": 1.25}, {0.5: 3.0, INFINITE: 3.0}))
    got = between(first, last, 200.0)
    assert (got.records_per_second, got.peak_mb) == (1_000.0, 200.0)
    assert got.cpu_us_per_record == pytest.approx({FLOW: 250.0, POSTGRES: 250.0, KAFKA: 125.0})
    assert got.stage_us_per_record == pytest.approx({"source": 125.0, OTHER: 125.0})
    assert (got.p50_ms, got.p99_ms) == pytest.approx((250.0, 495.0))
