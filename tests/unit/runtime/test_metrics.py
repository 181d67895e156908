"""The metrics by the names that other programs use."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

import pytest
from prometheus_client import generate_latest

from runtime.metrics import CircuitState, Sample, create_metrics, process_metrics, read_samples, stage_time
from tests.fixtures.stage_times import spent

FIXED = {
    "cdc_events_processed": ("table", "worker_id"),
    "cdc_replication_latency_seconds": ("table",),
    "cdc_replication_lag_seconds": ("table",),
    "cdc_error": ("table", "error_type"),
    "cdc_dlq_size": ("table",),
    "cdc_checkpoint_age_seconds": ("table", "partition"),
    "cdc_postgres_batch_size": ("table",),
    "cdc_circuit_breaker_state": ("service",),
    "cdc_processing_seconds": (),
    "cdc_stage_cpu_seconds": ("stage",),
}


@pytest.mark.parametrize("name", sorted(FIXED))
def test_the_fixed_metrics_have_their_labels(name: str) -> None:
    metric = getattr(create_metrics(), name.removeprefix("cdc_"))
    assert (metric._name, metric._labelnames) == (name, FIXED[name])


def test_counters_are_exposed_with_total() -> None:
    metrics = create_metrics()
    metrics.events_processed.labels("shop.t", "0").inc(3)
    metrics.error.labels("shop.t", "InvalidValue").inc()
    metrics.circuit_breaker_state.labels("postgres").set(CircuitState.OPEN)
    exposed = generate_latest(metrics.registry).decode()
    assert 'cdc_events_processed_total{table="shop.t",worker_id="0"} 3.0' in exposed
    assert 'cdc_error_total{error_type="InvalidValue",table="shop.t"} 1.0' in exposed
    assert 'cdc_circuit_breaker_state{service="postgres"} 2.0' in exposed


def test_a_process_has_one_set_of_metrics() -> None:
    assert process_metrics() is process_metrics()
    assert create_metrics() is not create_metrics()


def test_what_is_exposed_can_be_read_back() -> None:
    metrics = create_metrics()
    metrics.dlq_size.labels("shop.t").set(2)
    samples = read_samples(generate_latest(metrics.registry).decode())
    assert Sample("cdc_dlq_size", {"table": "shop.t"}, 2.0) in samples


def work() -> None:
    """Use 20 ms of this thread's processor time."""
    began = time.thread_time()
    while time.thread_time() < began + 0.02:
        pass


def around() -> None:
    with stage_time("around"):
        work()


decorated = stage_time("decorated")(work)


@pytest.mark.parametrize(("stage", "timed"), [("around", around), ("decorated", decorated)])
def test_the_time_of_a_stage_adds_up(stage: str, timed: Callable[[], None]) -> None:
    before = spent(stage)
    for number in (1, 2, 3):
        timed()
        assert spent(stage) - before >= number * 0.02


def test_what_another_thread_does_meanwhile_is_not_the_stages_time() -> None:
    before = spent("waiting")
    other = threading.Thread(target=work)
    with stage_time("waiting"):
        other.start()
        other.join()
    assert 0 < spent("waiting") - before < 0.02
