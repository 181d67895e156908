"""Bytewax's recovery store: made when it is missing, used by one process at a time."""

from __future__ import annotations

import sqlite3
import tempfile
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Final

from bytewax.recovery import init_db_dir

from cdc.errors import CassmirrorError

LOCK_FILE: Final = "process.lock"
_PARTS: Final = "part-*.sqlite3"


@contextmanager
def recovery_store(directory: Path) -> Iterator[Path]:
    """Yield a directory that holds a store which nobody else uses. Raises `CassmirrorError` when somebody does."""
    directory.mkdir(parents=True, exist_ok=True)
    with _only_process(directory):
        if not any(directory.glob(_PARTS)):
            _create(directory)
        yield directory


@contextmanager
def _only_process(directory: Path) -> Iterator[None]:
    """Hold an exclusive lock, which the system takes back from a dead process. SQLite's works on every platform."""
    with closing(sqlite3.connect(directory / LOCK_FILE, timeout=0, isolation_level=None)) as lock:
        try:
            lock.execute("BEGIN EXCLUSIVE")
        except sqlite3.OperationalError as error:
            hint = "stop the other process, or give this one a directory of its own with --recovery-dir"
            raise CassmirrorError(f"another process uses the recovery store {directory}", hint=hint) from error
        yield


def _create(directory: Path) -> None:
    """Make an empty store of one part elsewhere and move it here: a kill in between leaves no half store."""
    with tempfile.TemporaryDirectory(dir=directory, prefix="new-") as temporary:
        init_db_dir(Path(temporary), 1)  # type: ignore[no-untyped-call]
        for part in Path(temporary).glob(_PARTS):
            part.replace(directory / part.name)
