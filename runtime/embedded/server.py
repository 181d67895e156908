"""What all embedded servers have in common: a state directory, a port, and the way from start to stop."""

from __future__ import annotations

from abc import ABC, abstractmethod
from pathlib import Path
from typing import ClassVar

from cdc.errors import ServiceFailed
from runtime.embedded import ports
from runtime.embedded.capacity import require_disk
from runtime.embedded.process import Launch, ServerProcess


class Server(ABC):
    """A server of our own on loopback, whose port stays the same across restarts while it is free.

    One process at a time may use a state directory. A start recovers from whatever crashed before it.
    """

    name: ClassVar[str]
    disk_bytes: ClassVar[int]
    memory_bytes: ClassVar[int]
    ready_timeout_s: ClassVar[float] = 120.0  # crash recovery on a slow disk

    def __init__(self, state_dir: Path, *, port: int | None = None) -> None:
        """`port` None means: any free one."""
        self.state_dir = state_dir.absolute()
        self._wanted_port = port
        self._port: int | None = None
        self._process: ServerProcess | None = None

    @property
    def port(self) -> int:
        """The port it listens on, known from the first start on."""
        if self._port is None:
            raise ServiceFailed(f"{self.name} is not started", hint="call start() first")
        return self._port

    @property
    def host_port(self) -> str:
        """The address as `host:port`."""
        return f"{ports.LOOPBACK}:{self.port}"

    @property
    @abstractmethod
    def address(self) -> str:
        """The address for clients, with the password if there is one."""

    @property
    def pid(self) -> int | None:
        """The server's process id while it runs."""
        return self._process.pid if self._process is not None and self._process.running() else None

    @property
    def log(self) -> Path:
        """The file that takes the server's output."""
        return self.state_dir / f"{self.name}.log"

    def running(self) -> bool:
        """Tell whether the server's process is there."""
        return self._process is not None and self._process.running()

    def start(self) -> None:
        """Start the server, made ready the first time, and wait until it serves; nothing to do if it runs."""
        if self.running():
            return
        try:
            self._start()
        except BaseException as error:
            if self._process is not None:
                self._process.stop()
            if isinstance(error, OSError):
                hint = "check the permissions of that place, or choose another state directory"
                raise ServiceFailed(f"{self.name} could not use {self.state_dir}: {error}", hint=hint) from error
            raise

    def stop(self) -> None:
        """Stop the server cleanly and wait until it has ended; idempotent."""
        if self._process is not None:
            self._process.stop()

    def kill(self) -> None:
        """Kill the server and its children with SIGKILL, as a crash would."""
        if self._process is not None:
            self._process.kill()

    def prepare(self) -> None:  # noqa: B027 - most servers need nothing
        """Fetch what the first start needs from outside; may take long."""

    def _start(self) -> None:
        self.prepare()
        self._make_state_dir()
        require_disk(self.state_dir, self.disk_bytes, self.name)
        try:
            self._start_once()
        except ServiceFailed:
            if self._process is None or not self._lost_a_port():
                raise
            self._process.stop()
            self._start_once()

    def _start_once(self) -> None:
        self._process = process = ServerProcess(self.name, self.state_dir)
        process.hold()
        self._port = ports.choose(self.state_dir / "port", wanted=self._wanted_port, name=self.name)
        process.start(self._launch())
        process.wait_ready(self._ready, self.ready_timeout_s)

    def _lost_a_port(self) -> bool:
        """Tell whether another program took a port between our look at it and the server's."""
        mine = self._ports()
        return self._wanted_port is None and bool(mine) and not self.running() and not all(map(ports.is_free, mine))

    def _ports(self) -> tuple[int, ...]:
        return () if self._port is None else (self._port,)

    def _make_state_dir(self) -> None:
        self.state_dir.mkdir(parents=True, exist_ok=True)

    @abstractmethod
    def _launch(self) -> Launch:
        """Make the server's files, and say how to start it."""

    @abstractmethod
    def _ready(self) -> bool:
        """Tell whether the started server serves."""
