"""No server outlives its program, however that ends; and none dies with what is not its program."""

from __future__ import annotations

import json
import os
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import psutil  # type: ignore[import-untyped]
import pytest

from cdc.errors import ServiceFailed
from runtime.embedded.process import Launch, ServerProcess
from runtime.embedded.valkey import ValkeyServer
from tests.fixtures.servers import reachable_directory
from tests.integration.embedded.processes import eventually, family, is_gone, start_python, supervisor_of

# Starts services, says their process ids, and stays.
PROGRAM = """
import json, signal, sys, time
from pathlib import Path
signal.signal(signal.SIGHUP, signal.SIG_DFL)  # whoever runs the tests may ignore it, and that is inherited
from runtime.embedded.stack import EmbeddedServices
stack = EmbeddedServices(Path(sys.argv[1]), sys.argv[2].split(","), durable=False)
stack.start()
print(json.dumps([server.pid for server in stack.servers]), flush=True)
time.sleep(600)
"""


@pytest.fixture
def directory() -> Iterator[Path]:
    with reachable_directory() as made:
        yield made


def start_program(directory: Path, wanted: str) -> tuple[subprocess.Popen[str], list[int]]:
    program = start_python(PROGRAM, str(directory), wanted)
    assert program.stdout is not None
    with program.stdout as output:
        pids: list[int] = json.loads(output.readline())
    return program, [member for pid in pids for member in (supervisor_of(pid), *family(pid))]


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM, signal.SIGHUP])
def test_nothing_is_left_when_the_program_is_killed(directory: Path, number: signal.Signals) -> None:
    program, others = start_program(directory, "postgres,kafka,valkey")
    program.send_signal(number)
    program.wait()
    assert len(others) > 8
    assert [pid for pid in others if not eventually(lambda pid=pid: is_gone(pid))] == []  # type: ignore[misc]


def test_nothing_is_left_when_the_program_is_killed_while_a_fork_of_it_holds_the_pipe(directory: Path) -> None:
    fork = "import os\nif os.fork() == 0:\n    time.sleep(3)\n    os._exit(0)\n"
    program = start_python(PROGRAM.replace("time.sleep(600)", f"{fork}time.sleep(600)"), str(directory), "valkey")
    assert program.stdout is not None
    with program.stdout as output:
        (pid,) = json.loads(output.readline())
    supervisor = supervisor_of(pid)

    def forks() -> list[psutil.Process]:  # it forks after it has spoken
        return [child for child in psutil.Process(program.pid).children() if child.pid != supervisor]

    assert eventually(lambda: bool(forks()))
    (child,) = forks()
    program.kill()
    program.wait()
    assert eventually(lambda: is_gone(pid), 2)
    assert not is_gone(child.pid)
    assert eventually(lambda: is_gone(child.pid))


def test_a_killed_program_can_be_started_again_at_once_on_the_same_state(directory: Path) -> None:
    first, _ = start_program(directory, "postgres,valkey")
    first.kill()
    first.wait()
    second, others = start_program(directory, "postgres,valkey")
    second.kill()
    second.wait()
    assert all(eventually(lambda pid=pid: is_gone(pid)) for pid in others)  # type: ignore[misc]


def test_a_server_whose_program_and_supervisor_were_killed_is_ended_by_the_next_start(directory: Path) -> None:
    program, (supervisor, server) = start_program(directory, "valkey")
    os.kill(supervisor, signal.SIGSTOP)  # it must not act between the two kills
    program.kill()
    program.wait()
    os.kill(supervisor, signal.SIGKILL)
    assert not is_gone(server)
    second = ValkeyServer(directory / "valkey")
    second.start()
    try:
        assert is_gone(server)
        assert second.pid != server
    finally:
        second.kill()


def test_a_server_whose_supervisor_was_killed_is_ended_by_stop(directory: Path) -> None:
    server = ValkeyServer(directory / "valkey")
    server.start()
    pid = server.pid
    assert pid is not None
    os.kill(supervisor_of(pid), signal.SIGKILL)
    assert eventually(lambda: not server.running())
    server.stop()
    assert is_gone(pid)


def test_a_process_that_got_the_process_id_of_a_crashed_server_is_left_alone(directory: Path) -> None:
    server = ValkeyServer(directory / "valkey")
    server.start()
    server.kill()
    with subprocess.Popen(["sleep", "60"]) as bystander:
        content = {"pid": bystander.pid, "started": 1.0, "stop_signal": int(signal.SIGKILL)}
        (directory / "valkey" / "valkey.pid").write_text(json.dumps(content))
        server.start()
        server.stop()
        assert bystander.poll() is None
        bystander.kill()


def test_a_server_that_does_not_heed_the_signal_is_killed(directory: Path) -> None:
    process = ServerProcess("stubborn", directory)
    process.hold()
    process.start(Launch(["/bin/sh", "-c", "trap '' TERM; echo up; while :; do sleep 0.1; done"], stop_timeout_s=0.2))
    process.wait_ready(lambda: process.log.exists() and "up" in process.log.read_text(), 10)
    pid = process.pid
    assert pid is not None
    process.stop()
    assert is_gone(pid)


def test_a_server_gets_its_signals_although_the_supervisor_ignores_them(directory: Path) -> None:
    process = ServerProcess("heeding", directory)
    process.hold()
    process.start(Launch(["/bin/sh", "-c", "trap 'echo bye; exit 0' TERM; echo up; while :; do sleep 0.05; done"]))
    process.wait_ready(lambda: process.log.exists() and "up" in process.log.read_text(), 10)
    process.stop()
    assert process.log.read_text().split() == ["up", "bye"]


@pytest.mark.parametrize(
    ("argv", "message"),
    [
        (["/nonexistent/server"], "could not be started: .*No such file"),
        (
            ["/bin/sh", "-c", "echo first; echo the reason >&2; exit 3"],
            r"ended while starting; its last words:\n  first\n  the reason",
        ),
        (["/bin/sleep", "60"], "was not ready within 0 s; it said nothing"),
    ],
)
def test_a_server_that_does_not_come_up_is_explained(directory: Path, argv: list[str], message: str) -> None:
    process = ServerProcess("broken", directory)
    process.hold()
    try:
        with pytest.raises(ServiceFailed, match=message):  # noqa: PT012 - whichever of the two sees it first
            process.start(Launch(argv))
            process.wait_ready(lambda: False, 0.3 if "sleep" in argv[0] else 10)
    finally:
        process.stop()
