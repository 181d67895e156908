"""The status of a process: `/api/status` as JSON, and `/`, a page that shows it. Both only read."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict
from functools import cache, partial
from importlib.resources import files
from typing import Any, Final
from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

from runtime.glance import TableGlance, tables_of
from runtime.health import Health, Report
from runtime.http import answer
from runtime.metrics import Metrics, samples

PAGE, STATUS = "/", "/api/status"
_HEADERS: Final = [
    ("Content-Type", "text/html; charset=utf-8"),
    ("Cache-Control", "no-store"),
    ("Content-Security-Policy", "default-src 'self' 'unsafe-inline'; frame-ancestors 'none'"),
]


def admin_pages(health: Health, metrics: Metrics) -> dict[str, WSGIApplication]:
    """Return what a process serves to operators, by path."""
    return {PAGE: _page, STATUS: partial(_status, health, metrics)}


def plain_status(live: Report, ready: Report, tables: dict[str, TableGlance]) -> dict[str, Any]:
    """Return the status of a process as JSON holds it; a quantile beyond the last bucket is null."""
    by_name = {name: asdict(table) for name, table in tables.items()}
    return {"live": live.well, "ready": ready.well, "checks": ready.checks, "tables": by_name}


def _status(health: Health, metrics: Metrics, _environ: WSGIEnvironment, start: StartResponse) -> Iterable[bytes]:
    return answer(start, "200 OK", plain_status(health.live(), health.ready(), tables_of(samples(metrics))))


def _page(_environ: WSGIEnvironment, start: StartResponse) -> Iterable[bytes]:
    start("200 OK", _HEADERS)
    return [_page_bytes()]


@cache
def _page_bytes() -> bytes:
    return files("runtime.admin").joinpath("page.html").read_bytes()
