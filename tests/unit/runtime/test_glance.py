"""What people are shown of a process, from what it exposes."""

from __future__ import annotations

import math
import re

import pytest
from prometheus_client import generate_latest

from cdc.errors import ServiceFailed
from runtime.glance import TableGlance, glance, quantile, tables_of
from runtime.metrics import create_metrics, read_samples
from tests.integration.flow.flow_metrics import free_port


def exposed() -> str:
    metrics = create_metrics()
    for worker in "01":
        metrics.events_processed.labels("shop.orders", worker).inc(50)
    for seconds in [0.01] * 98 + [7, 8]:
        metrics.replication_latency_seconds.labels("shop.orders").observe(seconds)
    metrics.replication_lag_seconds.labels("shop.orders").set(1.5)
    metrics.dlq_size.labels("shop.notes").set(3)
    metrics.table_halted.labels("shop.notes").set(1)
    metrics.circuit_breaker_state.labels("postgres").set(0)
    return generate_latest(metrics.registry).decode()


def test_tables_are_put_together_from_their_metrics() -> None:
    assert tables_of(read_samples(exposed())) == {
        "shop.notes": TableGlance(dead_letters=3, halted=True),
        "shop.orders": TableGlance(events=100, lag_seconds=1.5, latency_p50_seconds=0.025, latency_p99_seconds=10),
    }


@pytest.mark.parametrize(
    ("counts", "want"),
    [({}, None), ({1.0: 0, math.inf: 0}, None), ({1.0: 1, math.inf: 1}, 1.0), ({1.0: 0, math.inf: 2}, math.inf)],
    ids=["no buckets", "no events", "in the first", "beyond the last"],
)
def test_a_quantile_is_the_bound_of_its_bucket(counts: dict[float, float], want: float | None) -> None:
    assert quantile(0.99, counts) == want


@pytest.mark.parametrize("url", ["file:///etc/passwd", "127.0.0.1:8000", "http://"])
def test_what_is_no_address_is_refused(url: str) -> None:
    with pytest.raises(ServiceFailed, match=f"no process of ours answers at {re.escape(url)}: not an address"):
        glance(url)


def test_a_process_that_is_not_there_is_named_by_its_address() -> None:
    port = free_port()
    with pytest.raises(ServiceFailed, match=f"no process of ours answers at http://127.0.0.1:{port}: .*refused"):
        glance(f"http://127.0.0.1:{port}")
