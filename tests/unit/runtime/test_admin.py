"""The status of a process as operators ask for it: the API, and the page that shows what the API says."""

from __future__ import annotations

import http.client
import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import fields
from importlib.resources import files

from runtime.admin.api import PAGE, STATUS, admin_pages
from runtime.glance import TableGlance
from runtime.health import Health
from runtime.http import METRICS, serve
from runtime.metrics import Metrics, create_metrics
from runtime.settings import HttpSettings
from runtime.status import Status
from tests.integration.flow.flow_metrics import free_port


@contextmanager
def serving(status: Status, metrics: Metrics) -> Iterator[int]:
    port = free_port()
    stop = serve(HttpSettings(port=port), admin_pages(Health(status, frozenset[str], lambda: False), metrics))
    assert stop is not None
    try:
        yield port
    finally:
        stop()


def ask(port: int, page: str) -> tuple[int, str, str]:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    try:
        connection.request("GET", page)
        answer = connection.getresponse()
        return answer.status, answer.headers["Content-Type"], answer.read().decode()
    finally:
        connection.close()


def test_the_api_says_how_the_process_and_its_tables_are() -> None:
    metrics, status = create_metrics(), Status()
    metrics.events_processed.labels("shop.t", "0").inc(7)
    metrics.dlq_size.labels("shop.t").set(2)
    metrics.replication_latency_seconds.labels("shop.t").observe(0.06)
    metrics.replication_latency_seconds.labels("shop.u").observe(1e6)
    with serving(status, metrics) as port:
        code, kind, body = ask(port, STATUS)
    got = json.loads(body)
    assert (code, kind) == (200, "application/json")
    assert (got["live"], got["ready"]) == (True, False)
    assert got["checks"] == {"kafka": "has not answered yet", "tables": "ok", "process": "ok"}
    within = {"latency_p50_seconds": 0.075, "latency_p99_seconds": 0.075}
    beyond = {"latency_p50_seconds": None, "latency_p99_seconds": None}
    assert got["tables"]["shop.t"] == {"events": 7, "lag_seconds": 0.0, **within, "dead_letters": 2, "halted": False}
    assert got["tables"]["shop.u"] == {"events": 0, "lag_seconds": 0.0, **beyond, "dead_letters": 0, "halted": False}


def test_the_page_is_html_and_asks_the_api() -> None:
    with serving(Status(), create_metrics()) as port:
        code, kind, body = ask(port, PAGE)
    assert (code, kind) == (200, "text/html; charset=utf-8")
    assert f'fetch("{STATUS.removeprefix("/")}"' in body


def test_the_page_names_what_there_is() -> None:
    page = files("runtime.admin").joinpath("page.html").read_text()
    assert set(re.findall(r"table\.(\w+)", page)) == {field.name for field in fields(TableGlance)}
    assert set(re.findall(r'href="([^"]+)"', page)) == {STATUS.removeprefix("/"), METRICS.removeprefix("/")}
