"""`cassmirror demo --recorded` as users run it: a process of its own, with servers of its own."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil  # type: ignore[import-untyped]
import pytest

from tests.fixtures.recordings import SAMPLES
from tests.integration.embedded.processes import eventually, family, is_gone

ROOT = Path(__file__).resolve().parents[3]
PATIENCE_SECONDS = 240


def arguments(*more: str) -> list[str]:
    return [sys.executable, "-m", "dataflows", "demo", "--recorded", *more]


def environment(directory: Path, **more: str) -> dict[str, str]:
    """Return an environment whose settings of a mirror must not reach the demo's, with temporary files of the test's own."""
    kept = {name: value for name, value in os.environ.items() if name != "KEEP"}
    return kept | {"CDC_POSTGRES__DSN": "postgresql://nobody@127.0.0.1:1/none", "TMPDIR": str(directory)} | more


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    """Where the demo may put its state."""
    place = tmp_path / "state"
    place.mkdir()
    return place


def run_demo(directory: Path, *more: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        arguments(*more),
        cwd=ROOT,
        env=environment(directory),
        capture_output=True,
        text=True,
        timeout=PATIENCE_SECONDS,
        check=False,
    )


def samples_with(directory: Path, name: str, file: str, old: str, new: str) -> Path:
    """Copy a recording and alter one place of one of its files."""
    for path in (*SAMPLES.glob(f"{name}.*"), SAMPLES / "known_gaps.json"):
        shutil.copy(path, directory)
    altered = directory / file
    before = altered.read_bytes().decode()
    after = before.replace(old, new)
    assert after != before
    altered.write_bytes(after.encode())
    return directory


def test_the_demo_ends_with_no_differences(directory: Path) -> None:
    got = run_demo(directory, "ttl", "mode_schemas_enabled", "mode_tombstones_on_delete")
    assert got.returncode == 0, got.stdout + got.stderr
    lines = got.stdout.splitlines()
    assert lines[-1] == "0 differences"
    assert "ttl, ttl.t: 1 row (an INSERT of the key only, with a TTL" in got.stdout
    assert "databases: demo_1, demo_2" in got.stdout
    assert list(directory.iterdir()) == [], "the state is removed"


def test_the_demo_sees_one_wrong_value(tmp_path: Path, directory: Path) -> None:
    samples = tmp_path / "samples"
    samples.mkdir()
    recording = samples_with(samples, "upserts_nulls", "upserts_nulls.jsonl", r"\"value\":\"u\"", r"\"value\":\"wrong\"")
    got = run_demo(directory, "--samples", str(recording))
    assert got.returncode == 3, got.stdout + got.stderr
    assert "upserts_nulls: nulls.k ('3',) c: Cassandra has 'u', the mirror 'wrong'" in got.stdout
    assert got.stdout.splitlines()[-1] == "1 difference"


@pytest.mark.long
def test_keep_leaves_the_servers_until_they_are_interrupted(directory: Path) -> None:
    with running(directory, "upserts_nulls") as demo:
        said = lines_until(demo, "running; ")
        assert "0 differences\n" in said
        connect = next(line for line in said if line.startswith("connect: ")).removeprefix("connect: ").strip()
        assert answer(f"{connect} -At -c 'SELECT c FROM nulls.k WHERE a = 3'") == "u"
        started = family(demo.pid)
        demo.send_signal(signal.SIGINT)
        assert demo.wait(PATIENCE_SECONDS) == 0
    assert eventually(lambda: all(map(is_gone, started)))
    assert list(directory.iterdir()) == []


@pytest.mark.long
def test_nothing_is_left_running_when_the_demo_is_killed(directory: Path) -> None:
    with running(directory, "workload_shop") as demo:
        lines_until(demo, "sent ")
        assert eventually(lambda: any("run" in arguments_of(pid) for pid in family(demo.pid)))
        started = family(demo.pid)
        demo.kill()
    assert eventually(lambda: all(map(is_gone, started)))


@contextmanager
def running(directory: Path, name: str) -> Iterator[subprocess.Popen[str]]:
    """Yield a demo that keeps its servers, gone afterwards."""
    settings = environment(directory, KEEP="1", PYTHONUNBUFFERED="1")
    with subprocess.Popen(arguments(name), cwd=ROOT, env=settings, stdout=subprocess.PIPE, text=True) as demo:
        try:
            yield demo
        finally:
            demo.kill()


def lines_until(demo: subprocess.Popen[str], start: str) -> list[str]:
    """Return the lines that the demo prints, up to one that begins so."""
    assert demo.stdout is not None
    said: list[str] = []
    for line in demo.stdout:
        said.append(line)
        if line.startswith(start):
            return said
    raise AssertionError(f"never said {start!r}: {said}")


def answer(command: str) -> str:
    done = subprocess.run(command, shell=True, capture_output=True, text=True, check=True, timeout=PATIENCE_SECONDS)
    return done.stdout.strip()


def arguments_of(pid: int) -> list[str]:
    try:
        return list(psutil.Process(pid).cmdline())
    except psutil.NoSuchProcess:
        return []
