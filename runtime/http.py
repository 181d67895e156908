"""The little web server of every process: health for probes, metrics for Prometheus, and what else it is given."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterable, Mapping
from functools import partial
from socketserver import ThreadingMixIn
from typing import Any, Final
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer
from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

import msgspec

from runtime.health import Health, Report
from runtime.logs import get_logger
from runtime.settings import HttpSettings

LIVE, READY, METRICS = "/health/live", "/health/ready", "/metrics"
PATIENCE_SECONDS: Final = 10.0  # for a client that connects and says nothing
log = get_logger("http")


class _Server(ThreadingMixIn, WSGIServer):
    daemon_threads = True


class _Handler(WSGIRequestHandler):
    timeout = PATIENCE_SECONDS

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the base class names it so
        """Say nothing: a probe comes every few seconds."""


def pages(health: Health, metrics: WSGIApplication) -> dict[str, WSGIApplication]:
    """Return what a process serves, by path."""
    return {LIVE: partial(_told, health.live), READY: partial(_told, health.ready), METRICS: metrics}


def serve(settings: HttpSettings, served: Mapping[str, WSGIApplication]) -> Callable[[], None] | None:
    """Answer on threads of its own and return what ends them; a port that is taken costs only the pages."""
    if settings.port == 0:
        return None
    try:
        server = _listening(settings, served)
    except OSError as error:
        log.warning("http_not_served", port=settings.port, reason=error.strerror)
        return None
    thread = threading.Thread(target=server.serve_forever, name="http", daemon=True)
    thread.start()

    def stop() -> None:
        server.shutdown()
        server.server_close()
        thread.join()

    return stop


def _listening(settings: HttpSettings, served: Mapping[str, WSGIApplication]) -> _Server:
    family, *_, address = socket.getaddrinfo(settings.host, settings.port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)[0]

    class Server(_Server):
        address_family = family

    server = Server((str(address[0]), int(address[1])), _Handler)
    server.set_app(partial(_routed, served))
    return server


def _routed(served: Mapping[str, WSGIApplication], environ: WSGIEnvironment, start: StartResponse) -> Iterable[bytes]:
    page = served.get(environ["PATH_INFO"])
    if page is None:
        return answer(start, "404 Not Found", {"pages": sorted(served)})
    if environ["REQUEST_METHOD"] != "GET":
        return answer(start, "405 Method Not Allowed", {"allowed": ["GET"]})
    return page(environ, start)


def _told(ask: Callable[[], Report], _environ: WSGIEnvironment, start: StartResponse) -> Iterable[bytes]:
    report = ask()
    return answer(start, "200 OK" if report.well else "503 Service Unavailable", report)


def answer(start: StartResponse, status: str, content: object) -> list[bytes]:
    """Answer with JSON."""
    start(status, [("Content-Type", "application/json"), ("Cache-Control", "no-store")])
    return [msgspec.json.encode(content) + b"\n"]
