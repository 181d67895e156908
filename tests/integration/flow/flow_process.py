"""The flow as its own process, the way a user starts it: settings in the environment, signals, exit codes."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[3]
PATIENCE_SECONDS = 120.0


@dataclass
class FlowProcess:
    """One flow. `command` is `run` for the console command, `bytewax` for `python -m bytewax.run`; `arguments` follow."""

    settings: Mapping[str, str]
    directory: Path
    command: str = "run"
    workers: int = 1
    arguments: Iterable[str] = ()
    process: subprocess.Popen[bytes] | None = field(default=None, init=False)

    def start(self) -> FlowProcess:
        """Start it, once more after an end too; what it prints goes to `log`."""
        self.directory.mkdir(parents=True, exist_ok=True)
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(self._arguments(), cwd=REPOSITORY, env=self._environment(), stdout=log, stderr=log)
        return self

    def kill(self) -> None:
        """End it without a warning, in the middle of whatever it does."""
        if self.process is not None:
            self.process.kill()
            self.process.wait()

    def ask_to_stop(self, number: signal.Signals = signal.SIGTERM) -> None:
        """Send a signal."""
        assert self.process is not None
        self.process.send_signal(number)

    def wait(self, seconds: float = PATIENCE_SECONDS) -> int:
        """Return the exit code."""
        assert self.process is not None
        return self.process.wait(seconds)

    def is_running(self) -> bool:
        """Return whether it has not ended."""
        return self.process is not None and self.process.poll() is None

    @property
    def log(self) -> Path:
        """What it printed, of every start."""
        return self.directory / "flow.log"

    @property
    def recovery(self) -> Path:
        """Its recovery store."""
        return self.directory / "recovery"

    def _arguments(self) -> list[str]:
        if self.command == "run":
            command = ["dataflows", "run", "--recovery-dir", str(self.recovery), "--workers", str(self.workers)]
            return [sys.executable, "-m", *command, *self.arguments]
        if not self.recovery.exists():
            self.recovery.mkdir()
            subprocess.run([sys.executable, "-m", "bytewax.recovery", str(self.recovery), "1"], check=True)
        command = ["bytewax.run", "dataflows.cassandra_to_postgres", "-r", str(self.recovery), "-s", "1", "-b", "0"]
        return [sys.executable, "-m", *command, "-w", str(self.workers), *self.arguments]

    def _environment(self) -> dict[str, str]:
        inherited = {name: value for name, value in os.environ.items() if not name.startswith("CDC_")}
        return inherited | {"CDC_HTTP__PORT": "0"} | dict(self.settings)


@contextmanager
def flow_process(
    settings: Mapping[str, str], directory: Path, command: str = "run", workers: int = 1, arguments: Iterable[str] = ()
) -> Iterator[FlowProcess]:
    """Yield a flow that is started and, whatever happens, gone afterwards."""
    flow = FlowProcess(settings, directory, command, workers, arguments).start()
    try:
        yield flow
    finally:
        flow.kill()
