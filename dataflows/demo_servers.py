"""What both demos do with their servers: a place for them, an end to them, and how a user reaches them."""

from __future__ import annotations

import shlex
import shutil
import signal
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import Any
from urllib.parse import urlsplit

from cdc.errors import ServiceFailed
from dataflows.demo_outcome import Outcome
from dataflows.demo_screen import Screen
from runtime.embedded.accounts import server_account
from runtime.embedded.postgres_programs import find_programs
from runtime.embedded.stack import EmbeddedServices

_GLANCE_S = 0.2


@contextmanager
def new_services(wanted: Sequence[str], **options: Any) -> Iterator[EmbeddedServices]:
    """Yield servers in a new directory, not started; afterwards their data is gone. `options` are those of the services."""
    parent = Path(tempfile.mkdtemp(prefix="cassmirror-demo-"))
    parent.chmod(0o711)  # started by root, PostgreSQL runs as somebody else
    services = EmbeddedServices(parent / "services", wanted, durable=False, **options)
    try:
        yield services
    finally:
        for server in services.servers:  # one may keep its files elsewhere than it was told
            shutil.rmtree(server.state_dir, ignore_errors=True)
        shutil.rmtree(parent, ignore_errors=True)


@contextmanager
def signals_raise() -> Iterator[None]:
    """Let SIGTERM and SIGHUP end the demo as Ctrl+C does: with everything that it started."""

    def interrupt(_number: int, _frame: FrameType | None) -> None:
        raise KeyboardInterrupt

    if threading.current_thread() is threading.main_thread():
        for number in (signal.SIGTERM, signal.SIGHUP):
            if signal.getsignal(number) is not signal.SIG_IGN:  # as under nohup
                signal.signal(number, interrupt)
    yield


def psql_command(services: EmbeddedServices, dsn: str) -> str:
    """Return what a shell runs to look into a database; the password stands in a file."""
    address = urlsplit(dsn)
    program = shutil.which("psql") or find_programs(server_account()) / "psql"
    password = shlex.quote(str(services.postgres.password_file))
    place = f"-h {address.hostname} -p {address.port} -U {address.username} {address.path.lstrip('/')}"
    return f"PGPASSWORD=$(cat {password}) {program} {place}"


def end(screen: Screen, outcome: Outcome, services: EmbeddedServices, *, target: str, keep: bool) -> None:
    """Say how it ended, as the last line but for KEEP=1: then all stays until the user ends it. `target` is make's."""
    if not keep:
        screen.say(f"KEEP=1 make {target} leaves all of it running.")
    screen.say(str(outcome))
    if keep:
        _wait_for_the_user(screen, services)


def _wait_for_the_user(screen: Screen, services: EmbeddedServices) -> None:
    """Return at Ctrl+C. Raises `ServiceFailed` when a server ends by itself."""
    screen.say("running; Ctrl+C stops the servers and removes their data")
    try:
        while all(server.running() for server in services.servers):
            time.sleep(_GLANCE_S)
    except KeyboardInterrupt:
        screen.say("stopped")
        return
    raise ServiceFailed("a server ended by itself")
