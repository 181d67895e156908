"""The circuit to PostgreSQL, and what the metrics show of it."""

from __future__ import annotations

from collections.abc import Iterable

import psycopg
import pybreaker
import pytest

from runtime.metrics import CircuitState, process_metrics
from sinks.postgres.circuit import circuit
from sinks.postgres.layout import Layout
from sinks.postgres.writer import Writer, WriterOptions


def shown(name: str) -> float:
    return process_metrics().registry.get_sample_value(name, {"service": "postgres"}) or 0.0


def state() -> float:
    return shown("cdc_circuit_breaker_state")


@pytest.fixture(autouse=True)
def _closed_by_others() -> None:
    process_metrics().circuit_breaker_state.labels("postgres").set(CircuitState.CLOSED)


def fails() -> None:
    raise ConnectionError


def test_every_state_of_the_circuit_is_shown() -> None:
    breaker = circuit(2, 60, [])
    with pytest.raises(ConnectionError):
        breaker.call(fails)
    assert state() == CircuitState.CLOSED
    with pytest.raises(pybreaker.CircuitBreakerError):
        breaker.call(fails)
    assert state() == CircuitState.OPEN
    breaker.half_open()
    assert state() == CircuitState.HALF_OPEN
    breaker.call(int)
    assert state() == CircuitState.CLOSED


def test_what_says_nothing_of_the_server_does_not_open_the_circuit() -> None:
    breaker = circuit(1, 60, [ConnectionError])
    with pytest.raises(ConnectionError):
        breaker.call(fails)
    assert state() == CircuitState.CLOSED


def test_a_server_that_is_away_is_tried_again_and_the_tries_are_counted() -> None:
    states, before = [], shown("cdc_retries_total")

    def read_layouts() -> Iterable[Layout]:
        states.append(state())
        if len(states) < 4:
            raise psycopg.OperationalError("away")
        return []

    options = WriterOptions("", "group", retry_initial=0.001, retry_max=0.01, breaker_failures=2, breaker_open=0.001)
    assert Writer(options, read_layouts, lambda _: None).layouts == {}
    assert states == [CircuitState.CLOSED, CircuitState.CLOSED, CircuitState.HALF_OPEN, CircuitState.HALF_OPEN]
    assert shown("cdc_retries_total") - before >= 3
    assert state() == CircuitState.CLOSED
