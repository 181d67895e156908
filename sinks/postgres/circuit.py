"""The circuit that leaves a failing PostgreSQL alone for a while, and shows it."""

from __future__ import annotations

from collections.abc import Iterable

import pybreaker

from runtime.metrics import CircuitState, process_metrics

SERVICE = "postgres"
_STATES = {
    pybreaker.STATE_CLOSED: CircuitState.CLOSED,
    pybreaker.STATE_HALF_OPEN: CircuitState.HALF_OPEN,
    pybreaker.STATE_OPEN: CircuitState.OPEN,
}


class _ShownState(pybreaker.CircuitBreakerListener):
    """Sets the gauge. A process has several circuits to one server; each tries until it closes, so the last change counts."""

    def state_change(
        self,
        cb: pybreaker.CircuitBreaker,  # noqa: ARG002 - pybreaker's signature
        old_state: pybreaker.CircuitBreakerState | None,  # noqa: ARG002
        new_state: pybreaker.CircuitBreakerState,
    ) -> None:
        process_metrics().circuit_breaker_state.labels(SERVICE).set(_STATES[new_state.name])


def circuit(failures: int, open_seconds: float, harmless: Iterable[type[Exception]]) -> pybreaker.CircuitBreaker:
    """Return a closed circuit that opens after so many failures in a row; those of a harmless class do not count."""
    process_metrics().circuit_breaker_state.labels(SERVICE)  # 0, closed, from the start
    return pybreaker.CircuitBreaker(failures, open_seconds, exclude=list(harmless), listeners=[_ShownState()])
