"""Run a server as a child that never outlives its program, and that leaves nothing behind which a next start stumbles over."""

from __future__ import annotations

import fcntl
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO

import psutil  # type: ignore[import-untyped]

from cdc.errors import ServiceFailed
from runtime.embedded import supervisor
from runtime.embedded.accounts import Account

_TAIL_LINES = 15
_LOG_LIMIT_BYTES = 16 << 20
_SAME_START_S = 2.0  # clocks that step must not make a process look like another one


@dataclass(frozen=True)
class Command:
    """What to run, and how it is asked to stop."""

    name: str
    argv: Sequence[str]
    state_dir: Path
    stop_signal: signal.Signals = signal.SIGTERM
    stop_timeout_s: float = 30.0
    account: Account | None = None
    env: Mapping[str, str] | None = None

    @property
    def log(self) -> Path:
        """The file that takes the server's output."""
        return self.state_dir / f"{self.name}.log"

    @property
    def pid_file(self) -> Path:
        """The file that names the running server to a next start."""
        return self.state_dir / f"{self.name}.pid"


class ServerProcess:
    """One running server, its supervisor, and the lock on its state directory."""

    def __init__(self, command: Command) -> None:
        self.command = command
        self.pid: int | None = None
        self._lock: IO[str] | None = None
        self._supervisor: subprocess.Popen[str] | None = None

    def lock(self) -> None:
        """Take the state directory, or say who has it; then end what an earlier owner left running."""
        if self._lock is None:
            self._lock = _take_lock(self.command)
        end_leftover(self.command.pid_file)

    def start(self) -> None:
        """Start the server; returns when it runs, not when it is ready."""
        self.lock()
        _keep_log_small(self.command.log)
        self._supervisor = _start_supervisor()
        self._send(_order(self.command))
        answer = self._receive()
        if "pid" not in answer:
            self._forget()
            why = answer.get("error", "its supervisor ended")
            raise ServiceFailed(f"{self.command.name} could not be started: {why}", hint=f"see {self.command.log}")
        self.pid = int(str(answer["pid"]))
        _write_pid(self.command.pid_file, self.pid)

    def running(self) -> bool:
        """Tell whether the server's process is there."""
        return self._supervisor is not None and self._supervisor.poll() is None

    def wait_ready(self, ready: Callable[[], bool], timeout_s: float) -> None:
        """Wait until `ready`; a server that ends or takes too long is stopped and its last log lines are raised."""
        deadline = time.monotonic() + timeout_s
        while not ready():
            ended = not self.running()
            if ended or time.monotonic() > deadline:
                self.stop()
                what = "ended while starting" if ended else f"was not ready within {timeout_s:.0f} s"
                raise failure(self.command, what)
            time.sleep(0.02)

    def stop(self, number: signal.Signals | None = None) -> None:
        """Ask the server to stop, kill it when it does not, and let go of the state directory. Idempotent."""
        if self.running():
            chosen = int(number or self.command.stop_signal)
            self._send({"stop": chosen, "timeout_s": self.command.stop_timeout_s})
        self._forget()

    def kill(self) -> None:
        """Kill the server and its children at once, as a crash would, and let go of the state directory."""
        if self.pid is not None and self.running():
            kill_tree(self.pid)
        self._forget()

    def _send(self, order: dict[str, object]) -> None:
        assert self._supervisor is not None and self._supervisor.stdin is not None  # noqa: S101, PT018 - for the type checker
        with suppress(BrokenPipeError):
            self._supervisor.stdin.write(json.dumps(order) + "\n")
            self._supervisor.stdin.flush()

    def _receive(self) -> dict[str, object]:
        assert self._supervisor is not None and self._supervisor.stdout is not None  # noqa: S101, PT018 - for the type checker
        line = self._supervisor.stdout.readline()
        return dict(json.loads(line)) if line else {}

    def _forget(self) -> None:
        if self._supervisor is not None:
            # Closes the pipe, which stops the server if it still runs, and waits for the supervisor's end.
            self._supervisor.communicate()
        self._supervisor, self.pid = None, None
        if self._lock is not None:
            # A supervisor that was killed leaves its server to us.
            end_leftover(self.command.pid_file)
            self._lock.close()
            self._lock = None


def failure(command: Command, what: str) -> ServiceFailed:
    """Make the error that says what happened, the log's last lines and where to read more."""
    lines = tail(command.log)
    said = "\n".join(["its last words:", *(f"  {line}" for line in lines)]) if lines else "it said nothing"
    return ServiceFailed(
        f"{command.name} {what}; {said}", hint=f"read {command.log}, or start again with an empty state directory"
    )


def tail(log: Path, lines: int = _TAIL_LINES) -> list[str]:
    """Read the last lines of a log, none if there is no log."""
    try:
        text = log.read_bytes()[-65536:].decode(errors="replace")
    except FileNotFoundError:
        return []
    return text.splitlines()[-lines:]


def end_leftover(pid_file: Path) -> None:
    """End the server that the pid file names, if it is still that process, and remove the file."""
    try:
        said = json.loads(pid_file.read_text())
        left = psutil.Process(int(said["pid"]))
        same = abs(left.create_time() - float(said["started"])) < _SAME_START_S
    except (FileNotFoundError, ValueError, KeyError, psutil.NoSuchProcess):
        same = False
    if same:
        _end_tree(left)
    pid_file.unlink(missing_ok=True)


def kill_tree(pid: int) -> None:
    """Kill a process and all its descendants, and wait until they are gone."""
    with suppress(psutil.NoSuchProcess):
        _end_tree(psutil.Process(pid), grace_s=0)


def _end_tree(root: psutil.Process, grace_s: float = 10) -> None:
    family = [root, *root.children(recursive=True)]
    if grace_s:
        with suppress(psutil.NoSuchProcess):
            root.terminate()
        psutil.wait_procs(family, timeout=grace_s)
    for process in family:
        with suppress(psutil.NoSuchProcess):
            process.kill()
    psutil.wait_procs(family, timeout=10)


def _take_lock(command: Command) -> IO[str]:
    path = command.state_dir / f"{command.name}.lock"
    lock = path.open("a+")
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        lock.seek(0)
        owner = lock.read().strip() or "unknown"
        lock.close()
        raise ServiceFailed(
            f"{command.name} in {command.state_dir} is in use by process {owner}",
            hint="stop it with `cassmirror services down`, or choose another state directory",
        ) from error
    lock.truncate(0)
    lock.write(f"{os.getpid()}\n")
    lock.flush()
    return lock


def _start_supervisor() -> subprocess.Popen[str]:
    # -I -S: a script of the standard library needs neither site packages nor the user's environment, and starts in 15 ms.
    argv = [sys.executable, "-I", "-S", str(Path(supervisor.__file__))]
    return subprocess.Popen(
        argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, start_new_session=True
    )


def _order(command: Command) -> dict[str, object]:
    account = command.account
    return {
        "argv": list(command.argv),
        "cwd": str(command.state_dir),
        "env": None if command.env is None else dict(command.env),
        "log": str(command.log),
        "uid": account.uid if account else None,
        "gid": account.gid if account else None,
        "stop_signal": int(command.stop_signal),
        "stop_timeout_s": command.stop_timeout_s,
    }


def _write_pid(path: Path, pid: int) -> None:
    try:
        started = psutil.Process(pid).create_time()
    except psutil.NoSuchProcess:
        return
    path.write_text(json.dumps({"pid": pid, "started": started}))


def _keep_log_small(log: Path) -> None:
    with suppress(FileNotFoundError):
        if log.stat().st_size > _LOG_LIMIT_BYTES:
            log.replace(log.with_suffix(".log.1"))
