"""The Dockerfiles, as far as they can be read without an engine."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterable
from wsgiref.types import StartResponse, WSGIEnvironment

import pytest

from runtime.http import LIVE, serve
from runtime.settings import HttpSettings
from tests.fixtures.compose import CONFIG, ROOT, mounts, services
from tests.integration.flow.flow_metrics import free_port
from tests.unit.docs.test_docs import variables

WORKER = (ROOT / "Dockerfile").read_text(encoding="utf-8")
CONNECTOR = (CONFIG / "debezium/Dockerfile").read_text(encoding="utf-8")
BOTH = pytest.mark.parametrize("dockerfile", [WORKER, CONNECTOR], ids=["worker", "connector"])


def instructions(dockerfile: str, name: str) -> list[str]:
    """Return what follows an instruction, lines joined, of the last stage."""
    joined = re.sub(r"\\\n\s*", "", dockerfile)
    last = joined[joined.rindex("FROM ") :]
    return re.findall(rf"^{name} (.*)$", last, re.MULTILINE)


@BOTH
def test_processes_are_started_by_exec_without_a_shell_and_not_as_root(dockerfile: str) -> None:
    (entrypoint,) = instructions(dockerfile, "ENTRYPOINT")
    assert json.loads(entrypoint)
    (user,) = instructions(dockerfile, "USER")
    assert user not in ("root", "0")
    (check,) = instructions(dockerfile, "HEALTHCHECK")
    assert json.loads(check.partition("CMD ")[2])


@BOTH
def test_base_images_are_pinned_to_a_full_version(dockerfile: str) -> None:
    for image in re.findall(r"^FROM (\S+)", dockerfile, re.MULTILINE):
        assert re.search(r":\d+\.\d+\.\d+(-[\w.-]+)?$", image), image


def test_the_worker_is_installed_from_locks_with_hashes_and_from_nothing_else() -> None:
    joined = re.sub(r"\\\n\s*", "", WORKER)
    installs = re.findall(r"pip (?:--python \S+ )?(?:install|wheel|download) [^&\n]*", joined)
    assert len(installs) == 4
    for install in installs:
        assert " --no-deps " in install
        assert " --require-hashes " in install or " --no-index " in install or " --no-build-isolation " in install


def entries(lock: str) -> set[str]:
    return set(re.split(r"\n(?=\S)", (ROOT / lock).read_text().strip()))


def test_the_workers_lock_is_the_part_of_the_lock_that_it_needs() -> None:
    worker = entries("requirements-worker.lock")
    assert worker <= entries("requirements.lock")
    assert [entry for entry in worker if "://" in entry or "--hash=sha256:" not in entry] == []
    needed = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["dependencies"]
    names = {re.split(r"[\[<>=]", requirement)[0] for requirement in needed}
    assert names <= {entry.partition("==")[0] for entry in worker}


def test_what_builds_the_project_is_locked_and_the_same_as_elsewhere() -> None:
    build = entries("requirements-build.lock")
    assert [entry for entry in build if "://" in entry or "--hash=sha256:" not in entry] == []
    assert {entry.partition("==")[0] for entry in build} == {"setuptools", "ziglang"}
    assert len(build & entries("requirements.lock")) == 1


def test_the_worker_is_asked_whether_it_lives_where_it_answers() -> None:
    (check,) = instructions(WORKER, "HEALTHCHECK")
    assert LIVE in check
    assert set(re.findall(r"CDC_\w+", WORKER)) <= variables()


def test_the_build_sees_what_it_copies_and_little_else() -> None:
    shown = {line[1:] for line in (ROOT / ".dockerignore").read_text().splitlines() if line.startswith("!")}
    copied = [line.split()[:-1] for line in re.findall(r"^COPY (?!--from)(.*)$", WORKER, re.MULTILINE)]
    assert shown == {name for names in copied for name in names}
    assert [name for name in shown if not (ROOT / name).exists()] == []


def test_the_connectors_own_files_stand_in_its_image_or_are_mounted() -> None:
    copied = re.findall(r"^COPY (?:--from=\w+ )?\S+ (\S+)$", CONNECTOR, re.MULTILINE)
    (entrypoint,) = instructions(CONNECTOR, "ENTRYPOINT")
    needed = {word.lstrip("@") for word in json.loads(entrypoint) if "/" in word}
    assert needed <= {*copied, *mounts(services()["connector"])}


@pytest.mark.parametrize(("status", "is_healthy"), [("200 OK", True), ("503 Service Unavailable", False)])
@BOTH
def test_the_check_of_an_image_tells_a_healthy_process_from_another(dockerfile: str, status: str, is_healthy: bool) -> None:
    def page(_environ: WSGIEnvironment, start: StartResponse) -> Iterable[bytes]:
        start(status, [])
        return [b""]

    port = free_port()
    stop = serve(HttpSettings(port=port), {LIVE: page, "/health": page})
    assert stop is not None
    try:
        assert (run_check(dockerfile, port) == 0) == is_healthy
    finally:
        stop()
    assert run_check(dockerfile, port) != 0


def run_check(dockerfile: str, port: int) -> int:
    """Run an image's check against a port of this machine; return its exit code."""
    (check,) = instructions(dockerfile, "HEALTHCHECK")
    command = [word.replace("/8000", f"/{port}") for word in json.loads(check.partition("CMD ")[2])]
    command[0] = {"python": sys.executable}.get(command[0], command[0])
    environment = {**os.environ, "CDC_HTTP__PORT": str(port)}
    return subprocess.run(command, env=environment, capture_output=True, check=False, timeout=60).returncode
