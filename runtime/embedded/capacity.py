"""Check before a start that the machine has the disk and the memory for it."""

from __future__ import annotations

import shutil
from pathlib import Path

import psutil  # type: ignore[import-untyped]

from cdc.errors import ServiceFailed

MIB = 1 << 20


def require_disk(place: Path, needed_bytes: int, purpose: str) -> None:
    """Raise ServiceFailed unless the file system of `place` has that much free."""
    existing = next(step for step in (place, *place.parents) if step.exists())
    free = shutil.disk_usage(existing).free
    if free < needed_bytes:
        raise ServiceFailed(
            f"{purpose} needs {_mib(needed_bytes)} of disk, {place} has {_mib(free)}",
            hint="free some space, or choose a place on another disk",
        )


def require_memory(needed_bytes: int, purpose: str) -> None:
    """Raise ServiceFailed unless that much memory is available."""
    available = psutil.virtual_memory().available
    if available < needed_bytes:
        raise ServiceFailed(
            f"{purpose} needs {_mib(needed_bytes)} of memory, {_mib(available)} are available",
            hint="end other programs, or use servers that run elsewhere",
        )


def _mib(size: int) -> str:
    return f"{size / MIB:.0f} MiB"
