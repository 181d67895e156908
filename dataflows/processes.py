"""A mirror in several processes of one machine: each reads its share of the topics, none knows of the others."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from types import FrameType

from cdc.errors import SettingsError
from runtime.logs import get_logger
from runtime.settings import Settings

LOOK_SECONDS = 0.1
log = get_logger("processes")


def run_processes(count: int, directory: Path, settings: Settings, options: Sequence[str]) -> int:
    """Run `cassmirror run` with `options` in `count` processes, and return when all have ended: 0, or the first bad exit code.

    Each has a recovery store in `directory` and the HTTP port behind that of the one before. A signal drains them all, and so
    does the end of any of them that has failed. Raises `SettingsError` where this process is a shard itself.
    """
    if settings.shard.count > 1:
        raise SettingsError("--processes makes the shards itself, and CDC_SHARD__COUNT is set", hint="use one of the two")
    children = [_start(index, count, directory, settings.http.port, options) for index in range(count)]

    def pass_on(number: int, _frame: FrameType | None) -> None:
        _signal(children, number)

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, pass_on)
    return _wait(children)


def end_with_input(stop: Callable[[], None]) -> None:
    """Stop when standard input ends: it is held by the process that started this one, and ends with it, however that dies."""

    def wait() -> None:
        while os.read(0, 1):  # the file itself: a lock on `sys.stdin` would be in the way of the interpreter's end
            pass
        stop()

    threading.Thread(target=wait, name="parent-watch", daemon=True).start()


def _start(index: int, count: int, directory: Path, port: int, options: Sequence[str]) -> subprocess.Popen[bytes]:
    own = {"CDC_SHARD__INDEX": str(index), "CDC_SHARD__COUNT": str(count), "CDC_HTTP__PORT": str(port + index if port else 0)}
    command = [sys.executable, "-m", "dataflows", "run", "--ends-with-input", "--recovery-dir", str(directory / str(index))]
    # Ctrl+C reaches a whole process group: only this process may take it, or the others would get it twice and not drain.
    return subprocess.Popen([*command, *options], env={**os.environ, **own}, stdin=subprocess.PIPE, start_new_session=True)


def _signal(children: Sequence[subprocess.Popen[bytes]], number: int) -> None:
    for child in children:
        if child.poll() is None:
            child.send_signal(number)


def _wait(children: Sequence[subprocess.Popen[bytes]]) -> int:
    code = 0
    while None in (codes := [child.poll() for child in children]):
        failed = next(((index, bad) for index, bad in enumerate(codes) if bad), None)
        if failed is not None and not code:
            code = failed[1]
            log.error("process_failed", process=failed[0], exit_code=code, hint="the others are drained")
            _signal(children, signal.SIGTERM)
        time.sleep(LOOK_SECONDS)
    return abs(code or next((bad for bad in codes if bad), 0))
