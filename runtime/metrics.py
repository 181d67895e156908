"""The metrics of a process, in one registry that a function makes; `docs/metrics.md` lists each."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from enum import IntEnum
from functools import cache
from wsgiref.types import WSGIApplication

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, ProcessCollector, make_wsgi_app
from prometheus_client.metrics_core import Metric
from prometheus_client.parser import text_string_to_metric_families

_LATENCY_SECONDS = (0.025, 0.05, 0.075, 0.1, 0.15, 0.2, 0.3, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 1800, 7200)
_PROCESSING_SECONDS = (  # ten steps a decade: a quantile between two of them is off by a third at most
    *(0.001, 0.00125, 0.0015, 0.002, 0.0025, 0.003, 0.004, 0.005, 0.006, 0.008),
    *(0.01, 0.0125, 0.015, 0.02, 0.025, 0.03, 0.04, 0.05, 0.06, 0.08),
    *(0.1, 0.125, 0.15, 0.2, 0.25, 0.3, 0.4, 0.5, 0.6, 0.8),
    *(1, 1.25, 1.5, 2, 2.5, 3, 4, 5, 6, 8),
    *(10, 12.5, 15, 20, 25, 30, 40, 50, 60),
)
_BATCH_ROWS = (1, 10, 50, 100, 500, 1_000, 2_500, 5_000, 10_000, 25_000)


class CircuitState(IntEnum):
    """The values of `cdc_circuit_breaker_state`."""

    CLOSED = 0
    HALF_OPEN = 1
    OPEN = 2


@dataclass(frozen=True)
class Metrics:
    """Every metric, named as exposed but for `cdc_`. A table's label is `keyspace.table`."""

    registry: CollectorRegistry
    events_processed: Counter
    replication_latency_seconds: Histogram
    replication_lag_seconds: Gauge
    processing_seconds: Histogram
    stage_cpu_seconds: Counter
    error: Counter
    dlq_size: Gauge
    checkpoint_age_seconds: Gauge
    postgres_batch_size: Histogram
    circuit_breaker_state: Gauge
    events_skipped: Counter
    retention_lost: Counter
    replays_refused: Counter
    table_halted: Gauge
    rows_expired: Counter
    retries: Counter


def create_metrics() -> Metrics:
    """Return new metrics in a registry of their own, the process's memory and processor time beside them."""
    registry = CollectorRegistry()
    ProcessCollector(registry=registry)

    def counter(name: str, text: str, *labels: str) -> Counter:
        return Counter(f"cdc_{name}", text, labels, registry=registry)

    def gauge(name: str, text: str, *labels: str) -> Gauge:
        return Gauge(f"cdc_{name}", text, labels, registry=registry)

    def histogram(name: str, text: str, buckets: tuple[float, ...], *labels: str) -> Histogram:
        return Histogram(f"cdc_{name}", text, labels, buckets=buckets, registry=registry)

    return Metrics(
        registry=registry,
        events_processed=counter("events_processed", "Events applied or found to change nothing.", "table", "worker_id"),
        replication_latency_seconds=histogram(
            "replication_latency_seconds", "From the write in Cassandra to the commit in PostgreSQL.", _LATENCY_SECONDS, "table"
        ),
        replication_lag_seconds=gauge(
            "replication_lag_seconds", "Age of the newest committed write, 0 when all that was read is committed.", "table"
        ),
        processing_seconds=histogram(
            "processing_seconds",
            "From the poll of the oldest record of a batch to its commit in PostgreSQL.",
            _PROCESSING_SECONDS,
        ),
        stage_cpu_seconds=counter("stage_cpu_seconds", "Processor time of a stage.", "stage"),
        error=counter("error", "Records that became dead letters, by class of error.", "table", "error_type"),
        dlq_size=gauge("dlq_size", "Dead letters that this process has written.", "table"),
        checkpoint_age_seconds=gauge(
            "checkpoint_age_seconds",
            "Time since the offset of the partition last moved or was at the end.",
            "table",
            "partition",
        ),
        postgres_batch_size=histogram("postgres_batch_size", "Rows of one transaction.", _BATCH_ROWS, "table"),
        circuit_breaker_state=gauge("circuit_breaker_state", "0 closed, 1 half open, 2 open.", "service"),
        events_skipped=counter("events_skipped", "Events, cells or digits left out on purpose.", "table", "reason"),
        retention_lost=counter("retention_lost", "Records that retention deleted before they were read.", "topic", "partition"),
        replays_refused=counter("replays_refused", "Records older than what was purged, kept for verification.", "table"),
        table_halted=gauge("table_halted", "1 while a table waits for an operator.", "table"),
        rows_expired=counter("rows_expired", "Rows in which the sweep found something expired.", "table"),
        retries=counter("retries", "Attempts repeated because a server did not do its part.", "service"),
    )


@cache
def process_metrics() -> Metrics:
    """Return the metrics of this process, made at the first call."""
    return create_metrics()


@contextmanager
def stage_time(stage: str) -> Iterator[None]:
    """Add this thread's processor time to that of a stage: around the work of a batch, or as a decorator."""
    began = time.thread_time()
    yield
    process_metrics().stage_cpu_seconds.labels(stage).inc(time.thread_time() - began)


def metrics_page(metrics: Metrics) -> WSGIApplication:
    """Return what answers `/metrics`."""
    page: WSGIApplication = make_wsgi_app(metrics.registry)
    return page


@dataclass(frozen=True)
class Sample:
    """One line of what a process exposes."""

    name: str
    labels: dict[str, str]
    value: float


def samples(metrics: Metrics) -> list[Sample]:
    """Return what this process would expose now."""
    return _samples(metrics.registry.collect())


def read_samples(text: str) -> list[Sample]:
    """Return what `/metrics` of a process says."""
    return _samples(text_string_to_metric_families(text))


def _samples(families: Iterable[Metric]) -> list[Sample]:
    return [Sample(sample.name, sample.labels, sample.value) for family in families for sample in family.samples]
