"""`cassmirror demo` on the real Cassandra, as users run it."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[3]


@pytest.mark.real
def test_the_live_demo_ends_with_no_differences(tmp_path: Path) -> None:
    kept = {name: value for name, value in os.environ.items() if name != "KEEP"}
    got = subprocess.run(
        [sys.executable, "-m", "dataflows", "demo", "--duration", "5", "--rate", "50"],
        cwd=ROOT,
        env=kept | {"CDC_POSTGRES__DSN": "postgresql://nobody@127.0.0.1:1/none", "TMPDIR": str(tmp_path)},
        capture_output=True,
        text=True,
        timeout=280,
        check=False,
    )
    assert got.returncode == 0, got.stdout + got.stderr
    assert got.stdout.splitlines()[-1] == "0 differences"
    assert "the first mirrored row" in got.stdout
    assert "of 6 tables" in got.stdout
    assert list(tmp_path.iterdir()) == [], "the state is removed"
