"""Tell other processes what runs in a state directory: `services.json`, readable by its owner only."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path

import msgspec
import psutil  # type: ignore[import-untyped]

from cdc.errors import ServiceFailed
from runtime.embedded import locks
from runtime.embedded.leftovers import is_process
from runtime.embedded.secret_files import write_private

LOCK_NAME = "services.lock"
_FILE_NAME = "services.json"


class ServiceEntry(msgspec.Struct, frozen=True):
    """One running service; the address holds the password."""

    name: str
    pid: int
    address: str
    log: str


class ServicesFile(msgspec.Struct, frozen=True):
    """The services of a state directory and the process that keeps them."""

    owner_pid: int
    owner_started: float
    services: tuple[ServiceEntry, ...]


def write(state_dir: Path, services: tuple[ServiceEntry, ...]) -> None:
    """Write the file for this process's services."""
    started = float(psutil.Process().create_time())
    content = ServicesFile(os.getpid(), started, services)
    write_private(state_dir / _FILE_NAME, msgspec.json.format(msgspec.json.encode(content)).decode())


def read(state_dir: Path) -> ServicesFile | None:
    """Read what runs, `None` if nothing does: a file whose owner is gone does not count."""
    try:
        content = msgspec.json.decode((state_dir / _FILE_NAME).read_bytes(), type=ServicesFile)
    except (FileNotFoundError, msgspec.DecodeError):
        return None
    return content if is_process(content.owner_pid, content.owner_started) else None


def remove(state_dir: Path) -> None:
    """Remove the file."""
    (state_dir / _FILE_NAME).unlink(missing_ok=True)


def stop_owner(state_dir: Path, timeout_s: float = 90.0) -> bool:
    """Ask the process that keeps the services to stop them, and wait for it; False if there is none.

    Raises ServiceFailed if it does not stop in time.
    """
    content = read(state_dir)
    if content is None:
        return False
    os.kill(content.owner_pid, signal.SIGTERM)
    deadline = time.monotonic() + timeout_s
    while locks.is_held(state_dir / LOCK_NAME):
        if time.monotonic() > deadline:
            raise ServiceFailed(f"process {content.owner_pid} did not stop its services within {timeout_s:.0f} s")
        time.sleep(0.05)
    return True
