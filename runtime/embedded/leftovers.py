"""Remember which process serves a state directory, and end what a crashed program left running there."""

from __future__ import annotations

import json
import signal
from contextlib import suppress
from pathlib import Path

import psutil  # type: ignore[import-untyped]

_SAME_START_S = 2.0  # clocks that step must not make a process look like another one
_GRACE_S = 10.0


def remember(pid_file: Path, pid: int, stop_signal: signal.Signals) -> None:
    """Write down the process, with the time it started: process ids are used again."""
    with suppress(psutil.NoSuchProcess):
        started = psutil.Process(pid).create_time()
        pid_file.write_text(json.dumps({"pid": pid, "started": started, "stop_signal": int(stop_signal)}))


def is_process(pid: int, started: float) -> bool:
    """Tell whether the process is there and still the one that started then."""
    try:
        process = psutil.Process(pid)
        return bool(abs(process.create_time() - started) < _SAME_START_S and process.status() != psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return False


def end(pid_file: Path) -> None:
    """End the server that the file names, if it is still that process, and remove the file."""
    with suppress(FileNotFoundError, ValueError, KeyError):
        said = json.loads(pid_file.read_text())
        if is_process(int(said["pid"]), float(said["started"])):
            _end_tree(int(said["pid"]), signal.Signals(said["stop_signal"]), _GRACE_S)
    pid_file.unlink(missing_ok=True)


def kill_tree(pid: int) -> None:
    """Kill a process and all its descendants, and wait until they are gone."""
    _end_tree(pid, signal.SIGKILL, 0)


def _end_tree(pid: int, number: signal.Signals, grace_s: float) -> None:
    try:
        root = psutil.Process(pid)
        family = [root, *root.children(recursive=True)]
        root.send_signal(number)
    except psutil.NoSuchProcess:
        return
    # The kernel has cut what we see of a dead parent's children: they are looked up before the signal.
    _, alive = psutil.wait_procs(family, timeout=grace_s)
    for process in alive:
        with suppress(psutil.NoSuchProcess):
            process.kill()
    psutil.wait_procs(alive, timeout=_GRACE_S)
