"""Several embedded services together, and the commands for them."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import psutil  # type: ignore[import-untyped]
import psycopg
import pytest
from click.testing import CliRunner

from cdc.errors import ServiceFailed
from dataflows.services import services
from runtime.embedded import capacity, services_file
from runtime.embedded.stack import ALL, DEFAULT, EmbeddedServices, read_status
from tests.fixtures.servers import reachable_directory
from tests.integration.embedded.processes import ROOT, eventually, is_gone


@pytest.fixture
def directory() -> Iterator[Path]:
    with reachable_directory() as made:
        yield made / "services"


def run(*arguments: str) -> tuple[int, str]:
    result = CliRunner().invoke(services, arguments, terminal_width=200)
    return result.exit_code, result.output


def test_all_three_start_together_and_stop(directory: Path) -> None:
    with EmbeddedServices(directory, durable=False) as stack:
        got = stack.status()
        assert [status.name for status in got] == list(DEFAULT)
        assert all(status.running and status.memory_bytes > 1 << 20 for status in got)
        assert [status.name for status in read_status(directory) if status.running] == list(DEFAULT)
        assert (directory / "services.json").stat().st_mode & 0o777 == 0o600
    assert [(status.name, status.running) for status in read_status(directory)] == [(name, False) for name in ALL]
    assert not (directory / "services.json").exists()


def test_only_the_wanted_ones_start(directory: Path) -> None:
    with EmbeddedServices(directory, ["valkey"]) as stack:
        assert [status.name for status in read_status(directory) if status.running] == ["valkey"]
        with pytest.raises(ServiceFailed, match="kafka is not among the wanted services"):
            assert stack.kafka


def test_the_connector_brings_what_it_needs(directory: Path) -> None:
    assert [server.name for server in EmbeddedServices(directory, ["connector"]).servers] == ["kafka", "cassandra", "connector"]


def test_all_together_need_two_and_a_half_gigabytes(directory: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    memory = psutil.virtual_memory()._replace(available=2000 << 20)
    monkeypatch.setattr(psutil, "virtual_memory", lambda: memory)
    with pytest.raises(ServiceFailed, match="connector needs 2560 MiB of memory, 2000 MiB are available"):
        EmbeddedServices(directory, ALL).start()
    assert services_file.read(directory) is None


def test_an_unknown_service_is_refused(directory: Path) -> None:
    with pytest.raises(ServiceFailed, match="no such service: mysql"):
        EmbeddedServices(directory, ["mysql"])


def test_if_one_cannot_start_the_others_are_stopped(directory: Path) -> None:
    with EmbeddedServices(directory.with_name("first"), ["valkey"]) as first:
        taken = first.valkey.port
        stack = EmbeddedServices(directory, ["postgres", "valkey"], durable=False, ports={"valkey": taken})
        with pytest.raises(ServiceFailed, match=f"port {taken} .* is taken"):
            stack.start()
        assert [status.running for status in stack.status()] == [False, False]
        assert services_file.read(directory) is None


def test_two_programs_do_not_share_a_state_directory(directory: Path) -> None:
    with EmbeddedServices(directory, ["valkey"]), pytest.raises(ServiceFailed, match="in use by process"):
        EmbeddedServices(directory, ["valkey"]).start()


@pytest.mark.parametrize(
    ("function", "message"),
    [
        (lambda place: capacity.require_disk(place / "not" / "there", 1 << 60, "kafka"), r"kafka needs \d+ MiB of disk"),
        (lambda _: capacity.require_memory(1 << 60, "kafka"), r"kafka needs \d+ MiB of memory, \d+ MiB are available"),
    ],
)
def test_what_the_machine_lacks_is_named(tmp_path: Path, function: object, message: str) -> None:
    assert callable(function)
    with pytest.raises(ServiceFailed, match=message):
        function(tmp_path)


def test_a_state_directory_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(ServiceFailed, match=f"{tmp_path}/file"):
        EmbeddedServices(tmp_path / "file" / "services", ["valkey"]).start()


def test_services_go_up_in_the_background_are_seen_and_go_down(directory: Path) -> None:
    place = ["--state-dir", str(directory)]
    try:
        code, said = run("up", "--detach", "--only", "postgres", "--only", "valkey", *place)
        assert (code, said.count("running")) == (0, 2)
        content = services_file.read(directory)
        assert content is not None
        secret = content.services[0].address.split(":")[2].split("@")[0]
        assert secret not in said
        assert run("up", *place)[1].startswith("already running")
        _, exports = run("status", "--env", *place)
        dsn = next(line for line in exports.splitlines() if line.startswith("export CDC_POSTGRES__DSN=")).split("=", 1)[1]
        with psycopg.connect(dsn.strip("'")) as connection:
            assert connection.execute("SELECT 1").fetchone() == (1,)
    finally:
        stopped = run("down", *place)
    assert stopped == (0, f"stopped, the data stays in {directory}\n")
    assert all(eventually(lambda pid=entry.pid: is_gone(pid)) for entry in content.services)  # type: ignore[misc]
    assert run("status", *place)[0] == 1
    assert run("down", *place) == (0, f"nothing runs in {directory}\n")


def test_services_in_the_background_that_cannot_start_say_why(directory: Path) -> None:
    with EmbeddedServices(directory.with_name("first"), ["valkey"]) as first:
        port = str(first.valkey.port)
        code, said = run("up", "--detach", "--only", "valkey", "--valkey-port", port, "--state-dir", str(directory))
    assert code == 1
    assert f"port {port} on 127.0.0.1, wanted for valkey, is taken by another program" in said.replace("\n", " ")


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_services_in_the_foreground_stop_at_a_signal(directory: Path, number: signal.Signals) -> None:
    with start_foreground(directory) as keeper:
        assert eventually(lambda: services_file.read(directory) is not None)
        keeper.send_signal(number)
        assert keeper.wait(60) == 0
    assert services_file.read(directory) is None


def test_services_in_the_foreground_say_when_one_ends_by_itself(directory: Path) -> None:
    with start_foreground(directory) as keeper:
        assert eventually(lambda: services_file.read(directory) is not None)
        content = services_file.read(directory)
        assert content is not None
        os.kill(content.services[0].pid, signal.SIGKILL)
        _, said = keeper.communicate(timeout=60)
    assert keeper.returncode == 1
    assert "valkey ended by itself" in said


def start_foreground(directory: Path) -> subprocess.Popen[str]:
    argv = [sys.executable, "-m", "dataflows.services", "up", "--only", "valkey", "--state-dir", str(directory)]
    return subprocess.Popen(argv, cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)


def test_the_file_of_a_program_that_was_killed_does_not_count(directory: Path) -> None:
    directory.mkdir()
    entry = {"name": "valkey", "pid": 1, "address": "redis://", "log": "x"}
    (directory / "services.json").write_text(json.dumps({"owner_pid": os.getpid(), "owner_started": 1.0, "services": [entry]}))
    assert services_file.read(directory) is None
    assert not services_file.stop_owner(directory)
