"""A throw-away environment for a peer in Python: its packages must not meet ours."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

from bench.peers.peer import PeerError

HERE = Path(__file__).parent


def make(directory: Path, lock: str) -> Path:
    """Make an environment with exactly the packages of a lock file, once, and return its interpreter. Raises PeerError."""
    python, made = directory / "bin" / "python", directory / "made"
    if not made.exists():
        _run([sys.executable, "-m", "venv", str(directory)])
        _run([str(python), "-m", "pip", "install", "--quiet", "--require-hashes", "--requirement", str(HERE / lock)])
        made.touch()
    return python


def version(lock: str, package: str) -> str:
    """Return the pinned version of a package."""
    pins: dict[str, str] = dict(re.findall(r"^([\w.-]+)==([\w.!+-]+)", (HERE / lock).read_text(), re.MULTILINE))
    return pins[package]


def program(name: str) -> str:
    """Return the path of a program that runs in such an environment: it can import nothing of ours."""
    return str(HERE / "programs" / name)


def _run(argv: list[str]) -> None:
    done = subprocess.run(argv, capture_output=True, text=True, check=False)
    if done.returncode:
        said = (done.stderr or done.stdout).strip().splitlines()
        raise PeerError(f"could not be installed: {said[-1] if said else done.returncode}")
