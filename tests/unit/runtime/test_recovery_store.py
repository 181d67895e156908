from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from cdc.errors import CassmirrorError
from runtime.recovery_store import recovery_store

HOLD = """
import sys, pathlib
from runtime.recovery_store import recovery_store
with recovery_store(pathlib.Path(sys.argv[1])):
    print("held", flush=True)
    sys.stdin.read()
"""


def test_a_missing_store_is_made_and_an_existing_one_kept(tmp_path: Path) -> None:
    directory = tmp_path / "not" / "there"
    with recovery_store(directory):
        (part,) = directory.glob("part-*.sqlite3")
        made = part.read_bytes()
    with recovery_store(directory):
        assert part.read_bytes() == made
    assert sorted(path.name for path in directory.iterdir()) == ["part-0.sqlite3", "process.lock"]


def test_a_second_process_is_refused_until_the_first_is_dead(tmp_path: Path) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", HOLD, str(tmp_path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "held\n"
        with pytest.raises(CassmirrorError, match=str(tmp_path)), recovery_store(tmp_path):
            pass
        holder.kill()
    with recovery_store(tmp_path):
        pass
