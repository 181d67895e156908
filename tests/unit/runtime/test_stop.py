from __future__ import annotations

import signal
import subprocess
import sys

import pytest

PROGRAM = """
import sys, threading
from runtime.stop import Stop
stop = Stop(grace_seconds=float(sys.argv[1]))
stop.end_on_signals()
if sys.argv[2] == "starts":
    print("ready", flush=True)
    threading.Event().wait(60)
stop.on_signals()
print("ready", flush=True)
while not stop.requested:
    threading.Event().wait(0.01)
print("asked", flush=True)
if sys.argv[2] == "drains":
    stop.drained()
elif sys.argv[2] == "waits for a server":
    stop.gives_up.wait()
    stop.drained()
    sys.exit(1)
else:
    threading.Event().wait(60)
"""


def run(grace: float, then: str, *signals: signal.Signals) -> tuple[int, str]:
    arguments = [sys.executable, "-c", PROGRAM, str(grace), then]
    with subprocess.Popen(arguments, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as process:
        assert process.stdout is not None
        lines = process.stdout.readline()
        for number in signals:
            process.send_signal(number)
            lines += process.stdout.readline()
        return process.wait(30), lines


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_asks_for_the_end_and_what_drains_exits_with_zero(number: signal.Signals) -> None:
    assert run(30, "drains", number) == (0, "ready\nasked\n")


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_at_once_what_has_not_begun(number: signal.Signals) -> None:
    assert run(30, "starts", number) == (0, "ready\n")


def test_a_second_signal_ends_at_once() -> None:
    assert run(30, "hangs", signal.SIGTERM, signal.SIGINT) == (1, "ready\nasked\n")


def test_after_the_grace_who_waits_for_a_server_may_raise() -> None:
    assert run(0.1, "waits for a server", signal.SIGTERM) == (1, "ready\nasked\n")


def test_after_the_grace_and_a_little_more_the_process_ends() -> None:
    assert run(0.1, "hangs", signal.SIGTERM) == (1, "ready\nasked\n")
