"""Look at processes from outside, for tests that kill some of them."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path

import psutil  # type: ignore[import-untyped]

ROOT = Path(__file__).parents[3]


def eventually(true: Callable[[], bool], timeout_s: float = 60) -> bool:
    """Wait until something holds; False if it never did."""
    deadline = time.monotonic() + timeout_s
    while not true():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.05)
    return True


def is_gone(pid: int) -> bool:
    try:
        return bool(psutil.Process(pid).status() == psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return True


def family(pid: int) -> list[int]:
    root = psutil.Process(pid)
    return [root.pid, *(child.pid for child in root.children(recursive=True))]


def supervisor_of(pid: int) -> int:
    return int(psutil.Process(pid).ppid())


def start_python(code: str, *arguments: str, env: Mapping[str, str] | None = None) -> subprocess.Popen[str]:
    """Run a program that talks to the test by its standard output."""
    argv = [sys.executable, "-c", code, *arguments]
    return subprocess.Popen(argv, cwd=ROOT, env={**os.environ, **(env or {})}, stdout=subprocess.PIPE, text=True)
