"""The web server of a process, asked over HTTP."""

from __future__ import annotations

import http.client
import json
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from prometheus_client.parser import text_string_to_metric_families

from runtime.health import Health
from runtime.http import pages, serve
from runtime.metrics import create_metrics, metrics_page
from runtime.settings import HttpSettings
from runtime.status import Status
from tests.integration.flow.flow_metrics import free_port


@contextmanager
def serving(status: Status, host: str = "127.0.0.1") -> Iterator[int]:
    metrics = create_metrics()
    metrics.dlq_size.labels("shop.t").set(2)
    port = free_port()
    health = Health(status, frozenset[str], lambda: False)
    stop = serve(HttpSettings(port=port, host=host), pages(health, metrics_page(metrics)))
    assert stop is not None
    try:
        yield port
    finally:
        stop()


def ask(port: int, page: str, method: str = "GET", host: str = "127.0.0.1") -> tuple[int, str]:
    connection = http.client.HTTPConnection(host, port, timeout=10)
    try:
        connection.request(method, page)
        answer = connection.getresponse()
        return answer.status, answer.read().decode()
    finally:
        connection.close()


def ask_json(port: int, page: str, method: str = "GET") -> tuple[int, Any]:
    status, body = ask(port, page, method)
    return status, json.loads(body)


def test_health_answers_with_200_when_well_and_503_when_not() -> None:
    status = Status()
    with serving(status) as port:
        assert ask_json(port, "/health/live") == (200, {"well": True, "checks": {"process": "ok"}})
        got = ask_json(port, "/health/ready")
        assert got == (503, {"well": False, "checks": {"kafka": "has not answered yet", "tables": "ok", "process": "ok"}})
        status.working("kafka")
        assert ask_json(port, "/health/ready?verbose=1")[0] == 200
        status.failed(ValueError())
        assert ask_json(port, "/health/live") == (503, {"well": False, "checks": {"process": "ValueError"}})


def test_metrics_are_served() -> None:
    with serving(Status()) as port:
        code, body = ask(port, "/metrics")
    families = {family.name: family for family in text_string_to_metric_families(body)}
    (sample,) = families["cdc_dlq_size"].samples
    assert (code, sample.labels, sample.value) == (200, {"table": "shop.t"}, 2.0)


def test_other_pages_and_methods_are_refused() -> None:
    with serving(Status()) as port:
        assert ask_json(port, "/pages") == (404, {"pages": ["/health/live", "/health/ready", "/metrics"]})
        assert ask_json(port, "/metrics/")[0] == 404
        assert ask_json(port, "/health/live", "POST") == (405, {"allowed": ["GET"]})


def test_requests_are_answered_beside_one_that_says_nothing() -> None:
    with serving(Status()) as port, socket.create_connection(("127.0.0.1", port)):
        assert ask(port, "/health/live")[0] == 200


@pytest.mark.parametrize("host", ["localhost", "0.0.0.0"])
def test_it_listens_on_the_address_of_the_settings(host: str) -> None:
    with serving(Status(), host) as port:
        assert ask(port, "/health/live", host="localhost" if host == "localhost" else "127.0.0.1")[0] == 200


def test_a_port_that_is_taken_or_off_costs_the_pages_only() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        assert serve(HttpSettings(port=taken.getsockname()[1]), {}) is None
    assert serve(HttpSettings(port=0), {}) is None
