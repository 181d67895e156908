"""Choose loopback ports, and keep them across restarts."""

from __future__ import annotations

import random
import socket
from contextlib import suppress
from pathlib import Path

from cdc.errors import ServiceFailed

LOOPBACK = "127.0.0.1"
# Below the ports that systems give to outgoing connections, one of which could take ours while a server restarts.
_RANGE = range(15_000, 32_000)
_TRIES = 200


def is_free(port: int) -> bool:
    """Tell whether a server could listen on the port now."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((LOOPBACK, port))
        except OSError:
            return False
        return True


def choose(memory: Path, *, wanted: int | None = None, name: str) -> int:
    """Return the wanted port, else the one remembered in the file if it is free, else any free one; remember it.

    Raises ServiceFailed if the wanted port is taken.
    """
    if wanted is not None and not is_free(wanted):
        raise ServiceFailed(
            f"port {wanted} on {LOOPBACK}, wanted for {name}, is taken by another program",
            hint="end that program, name another port, or name none to get a free one",
        )
    port = wanted or _remembered(memory) or any_free(name)
    memory.write_text(f"{port}\n")
    return port


def _remembered(memory: Path) -> int | None:
    with suppress(FileNotFoundError, ValueError):
        port = int(memory.read_text())
        return port if is_free(port) else None
    return None


def any_free(name: str, count: int = 1) -> int:
    """Return a free port, the first of `count` side by side. Raises ServiceFailed if there is none."""
    for port in random.SystemRandom().sample(_RANGE, _TRIES):  # a seeded program would always try the same
        if all(is_free(port + place) for place in range(count)):
            return port
    raise ServiceFailed(f"no free port for {name} on {LOOPBACK}", hint=f"end programs that listen on ports of {_RANGE}")
