"""The status of a process: `/api/status` as JSON, and `/`, a page that shows it. Both only read."""

from __future__ import annotations

from collections.abc import Iterable
from functools import cache, partial
from importlib.resources import files
from typing import Final
from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

import msgspec

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


class ProcessStatus(msgspec.Struct, frozen=True):
    """What `/api/status` answers; in JSON a quantile beyond the last bucket is null."""

    live: bool
    ready: bool
    checks: dict[str, str]
    tables: dict[str, TableGlance]


def admin_pages(health: Health, metrics: Metrics) -> dict[str, WSGIApplication]:
    """Return what a process serves to operators, by path."""
    return {PAGE: _page, STATUS: partial(_status, health, metrics)}


def status_of(live: Report, ready: Report, tables: dict[str, TableGlance]) -> ProcessStatus:
    """Return the status of a process."""
    return ProcessStatus(live.well, ready.well, ready.checks, tables)


def _status(health: Health, metrics: Metrics, _environ: WSGIEnvironment, start: StartResponse) -> Iterable[bytes]:
    return answer(start, "200 OK", status_of(health.live(), health.ready(), tables_of(samples(metrics))))


def _page(_environ: WSGIEnvironment, start: StartResponse) -> Iterable[bytes]:
    start("200 OK", _HEADERS)
    return [_page_bytes()]


@cache
def _page_bytes() -> bytes:
    return files("runtime.admin").joinpath("page.html").read_bytes()
