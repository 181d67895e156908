"""Stand between a program and the server it started, and end the server when the program is gone.

Run as a script of its own (it imports nothing but the standard library). One JSON line on standard input says what to
start; standard output answers `{"pid": n}` or `{"error": text}`, and at the end `{"exit": code}`. A later line
`{"stop": signal, "timeout_s": seconds}`, the end of standard input or the death of the parent stops the server.
"""

from __future__ import annotations

import json
import os
import select
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

_GLANCE_S = 0.2  # how soon the server's end, or a parent that left its pipe open to a fork, is noticed


def start(order: dict[str, Any]) -> subprocess.Popen[bytes]:
    """Start the server in a process group of its own, its output appended to the log."""
    # Without an account neither user nor group is touched.
    account: dict[str, Any] = {}
    if order["uid"] is not None:
        account = {"user": order["uid"], "group": order["gid"], "extra_groups": []}
    with Path(order["log"]).open("ab") as log:
        return subprocess.Popen(
            order["argv"],
            cwd=order["cwd"],
            env=order["env"],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
            **account,
        )


def report(**fields: object) -> None:
    """Tell the parent, if it is still there."""
    try:
        sys.stdout.write(json.dumps(fields) + "\n")
        sys.stdout.flush()
    except OSError:
        # A closed pipe must not be flushed again at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def stop(server: subprocess.Popen[bytes], number: int, timeout_s: float) -> None:
    """Send the signal, wait, then kill the whole group."""
    if server.poll() is not None:
        return
    server.send_signal(number)
    try:
        server.wait(timeout_s)
    except subprocess.TimeoutExpired:
        os.killpg(server.pid, signal.SIGKILL)


def next_order(server: subprocess.Popen[bytes], parent: int) -> dict[str, Any] | None:
    """Wait for the parent's word; nothing to say is `None`: the server ended, or the parent did."""
    while server.poll() is None and os.getppid() == parent:
        readable, _, _ = select.select([sys.stdin], [], [], _GLANCE_S)
        if readable:
            line = sys.stdin.readline()
            return json.loads(line) if line else None
    return None


def main() -> None:
    """Start, watch, stop, report."""
    parent = os.getppid()
    for number in (signal.SIGINT, signal.SIGHUP, signal.SIGTERM):
        # A handler that does nothing: SIG_IGN would be inherited by the server, and Java honours that.
        signal.signal(number, lambda *_: None)
    line = sys.stdin.readline()
    if not line:
        return
    order = json.loads(line)
    try:
        server = start(order)
    except (OSError, subprocess.SubprocessError) as error:
        report(error=str(error))
        return
    report(pid=server.pid)
    word = next_order(server, parent) or {"stop": order["stop_signal"], "timeout_s": order["stop_timeout_s"]}
    stop(server, word["stop"], word["timeout_s"])
    report(exit=server.wait())


if __name__ == "__main__":
    main()
