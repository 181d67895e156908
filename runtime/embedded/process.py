"""Run a server as a child that never outlives its program."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from cdc.errors import ServiceFailed
from runtime.embedded import leftovers, locks, supervisor
from runtime.embedded.accounts import Account

_TAIL_LINES = 15
_LOG_LIMIT_BYTES = 16 << 20


@dataclass(frozen=True)
class Launch:
    """What to run, and how it is asked to stop."""

    argv: Sequence[str]
    stop_signal: signal.Signals = signal.SIGTERM
    stop_timeout_s: float = 30.0
    account: Account | None = None
    env: Mapping[str, str] | None = None


class ServerProcess:
    """One server with its supervisor, its log and pid file, and the lock on its state directory.

    `stop` and `kill` may be called from any thread, `start` from one.
    """

    def __init__(self, name: str, state_dir: Path) -> None:
        self.name = name
        self.state_dir = state_dir
        self.log = state_dir / f"{name}.log"
        self.pid: int | None = None
        self._pid_file = state_dir / f"{name}.pid"
        self._stop_signal = signal.SIGTERM
        self._stop_timeout_s = 0.0
        self._lock: IO[str] | None = None
        self._supervisor: subprocess.Popen[str] | None = None
        self._ending = threading.Lock()

    def hold(self) -> None:
        """Take the state directory, or say who has it; then end what an earlier owner left running."""
        self._lock = locks.take(self.state_dir / f"{self.name}.lock", self.name)
        leftovers.end(self._pid_file)

    def start(self, launch: Launch) -> None:
        """Start the server; returns when it runs, not when it is ready."""
        _keep_log_small(self.log)
        self._stop_signal, self._stop_timeout_s = launch.stop_signal, launch.stop_timeout_s
        self._supervisor = _start_supervisor()
        self._send(self._order(launch))
        answer = self._answer()
        if "pid" not in answer:
            why = answer.get("error", "its supervisor ended")
            raise ServiceFailed(f"{self.name} could not be started: {why}", hint=f"see {self.log}")
        self.pid = int(str(answer["pid"]))
        leftovers.remember(self._pid_file, self.pid, launch.stop_signal)

    def running(self) -> bool:
        """Tell whether the server's process is there."""
        return self._supervisor is not None and self._supervisor.poll() is None

    def wait_ready(self, ready: Callable[[], bool], timeout_s: float) -> None:
        """Wait until `ready`; raises ServiceFailed with the log's last lines if the server ends or takes too long."""
        deadline = time.monotonic() + timeout_s
        while not ready():
            if not self.running():
                raise self.failure("ended while starting")
            if time.monotonic() > deadline:
                raise self.failure(f"was not ready within {timeout_s:.0f} s")
            time.sleep(0.02)

    def failure(self, what: str) -> ServiceFailed:
        """Make the error that says what happened, the log's last lines and where to read more."""
        lines = tail(self.log)
        said = "\n".join(["its last words:", *(f"  {line}" for line in lines)]) if lines else "it said nothing"
        return ServiceFailed(f"{self.name} {what}; {said}", hint=f"read {self.log}, or start with an empty state directory")

    def stop(self, number: signal.Signals | None = None) -> None:
        """Ask the server to stop, kill it when it does not, and let go of the state directory; idempotent."""
        with self._ending:
            if self.running():
                self._send({"stop": int(number or self._stop_signal), "timeout_s": self._stop_timeout_s})
            self._let_go()

    def kill(self) -> None:
        """Kill the server and its children at once, as a crash would, and let go of the state directory."""
        with self._ending:
            if self.pid is not None and self.running():
                leftovers.kill_tree(self.pid)
            self._let_go()

    def _let_go(self) -> None:
        if self._supervisor is not None:
            # Closes the pipe, which stops a server that still runs, and waits for the supervisor's end.
            self._supervisor.communicate()
        self._supervisor, self.pid = None, None
        if self._lock is not None:
            leftovers.end(self._pid_file)  # a supervisor that was killed leaves its server to us
            self._lock.close()
            self._lock = None

    def _send(self, order: dict[str, object]) -> None:
        if self._supervisor is not None and self._supervisor.stdin is not None:
            with suppress(BrokenPipeError):
                self._supervisor.stdin.write(json.dumps(order) + "\n")
                self._supervisor.stdin.flush()

    def _answer(self) -> dict[str, object]:
        if self._supervisor is None or self._supervisor.stdout is None:
            return {}
        line = self._supervisor.stdout.readline()
        return dict(json.loads(line)) if line else {}

    def _order(self, launch: Launch) -> dict[str, object]:
        account = launch.account
        return {
            "argv": list(launch.argv),
            "cwd": str(self.state_dir),
            "env": None if launch.env is None else dict(launch.env),
            "log": str(self.log),
            "uid": account.uid if account else None,
            "gid": account.gid if account else None,
            "stop_signal": int(launch.stop_signal),
            "stop_timeout_s": launch.stop_timeout_s,
        }


def tail(log: Path, lines: int = _TAIL_LINES) -> list[str]:
    """Read the last lines of a log, none if there is no log."""
    try:
        text = log.read_bytes()[-65536:].decode(errors="replace")
    except FileNotFoundError:
        return []
    return text.splitlines()[-lines:]


def _start_supervisor() -> subprocess.Popen[str]:
    # -I -S: a script of the standard library needs neither site packages nor the user's environment, and starts sooner.
    argv = [sys.executable, "-I", "-S", str(Path(supervisor.__file__))]
    pipe = subprocess.PIPE
    return subprocess.Popen(argv, stdin=pipe, stdout=pipe, stderr=subprocess.DEVNULL, text=True, start_new_session=True)


def _keep_log_small(log: Path) -> None:
    with suppress(FileNotFoundError):
        if log.stat().st_size > _LOG_LIMIT_BYTES:
            log.replace(log.with_suffix(".log.1"))
