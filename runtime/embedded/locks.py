"""Hold a state directory for one process; the kernel lets go of it when the process ends, however it ends."""

from __future__ import annotations

import fcntl
import os
from pathlib import Path
from typing import IO

from cdc.errors import ServiceFailed


def take(path: Path, what: str) -> IO[str]:
    """Return the open lock file, to be closed to let go.

    Raises ServiceFailed with the owner's process id if another process holds it.
    """
    lock = path.open("a+")
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        lock.seek(0)
        owner = lock.read().strip() or "unknown"
        lock.close()
        raise ServiceFailed(
            f"{what} in {path.parent} is in use by process {owner}",
            hint="stop it with `cassmirror services down`, or choose another state directory",
        ) from error
    lock.truncate(0)
    lock.write(f"{os.getpid()}\n")
    lock.flush()
    return lock


def is_held(path: Path) -> bool:
    """Tell whether a process holds the lock."""
    try:
        with path.open("r") as lock:
            fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except FileNotFoundError:
        return False
    except OSError:
        return True
    return False
