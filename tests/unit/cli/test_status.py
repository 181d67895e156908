"""`cassmirror status` of a process that answers."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest
from click.testing import CliRunner, Result

from dataflows.status import status as command
from runtime.health import Health
from runtime.http import pages, serve
from runtime.metrics import create_metrics, metrics_page
from runtime.settings import HttpSettings
from runtime.status import Status
from tests.integration.flow.flow_metrics import free_port

SETTINGS = {"CDC_KAFKA__BOOTSTRAP_SERVERS": "broker:9092", "CDC_POSTGRES__DSN": "postgresql://u@db/d"}


@pytest.fixture
def known() -> Status:
    return Status()


@pytest.fixture
def port(known: Status) -> Iterator[int]:
    """A process with one table, whose status the test sets."""
    metrics = create_metrics()
    metrics.events_processed.labels("shop.orders", "0").inc(42)
    metrics.replication_latency_seconds.labels("shop.orders").observe(0.2)
    metrics.replication_lag_seconds.labels("shop.orders").set(1.25)
    found = free_port()
    stop = serve(HttpSettings(port=found), pages(Health(known, frozenset[str], lambda: False), metrics_page(metrics)))
    assert stop is not None
    yield found
    stop()


def run(arguments: list[str], environ: dict[str, str] | None = None) -> Result:
    return CliRunner(env=environ).invoke(command, arguments)


@pytest.mark.parametrize("way", ["by its address", "by the settings"])
def test_a_ready_process_is_shown_with_its_tables_and_exits_0(port: int, known: Status, way: str) -> None:
    known.working("kafka")
    if way == "by its address":
        result = run(["--url", f"http://127.0.0.1:{port}"])
    else:
        result = run([], SETTINGS | {"CDC_HTTP__PORT": str(port), "CDC_HTTP__HOST": "0.0.0.0"})
    assert result.exit_code == 0, result.output
    assert f"http://127.0.0.1:{port}: ready" in result.output
    (row,) = (line.split() for line in result.output.splitlines() if line.startswith("shop.orders"))
    assert row == ["shop.orders", "42", "1.2", "s", "<=", "0.2", "s", "<=", "0.2", "s", "0"]


def test_a_process_that_is_not_ready_says_why_and_exits_1(port: int, known: Status) -> None:
    known.trouble("kafka", "all brokers are down")
    result = run(["--url", f"http://127.0.0.1:{port}"])
    assert result.exit_code == 1
    assert "not ready" in result.output
    assert "kafka: all brokers are down" in result.output


def test_a_failed_process_is_told_from_one_that_waits(port: int, known: Status) -> None:
    known.failed(ValueError())
    result = run(["--url", f"http://127.0.0.1:{port}"])
    assert (result.exit_code, f":{port}: failed" in result.output) == (1, True)


def test_programs_get_json_a_line_for_each_process(port: int, known: Status) -> None:
    known.working("kafka")
    url = f"http://127.0.0.1:{port}"
    result = run(["--json", "--url", url, "--url", url])
    assert result.exit_code == 0
    first, second = map(json.loads, result.stdout.splitlines())
    assert first == second
    assert (first["url"], first["live"], first["ready"], first["checks"]["kafka"]) == (url, True, True, "ok")
    assert first["tables"]["shop.orders"] == {
        "events": 42,
        "lag_seconds": 1.25,
        "latency_p50_seconds": 0.2,
        "latency_p99_seconds": 0.2,
        "dead_letters": 0,
        "halted": False,
    }


def test_a_process_that_serves_nothing_cannot_be_asked() -> None:
    result = run([], SETTINGS | {"CDC_HTTP__PORT": "0"})
    assert result.exit_code != 0
    assert "http.port: 0" in str(result.exception)
