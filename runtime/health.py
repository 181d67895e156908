"""Whether this process is well: what `/health/live` and `/health/ready` answer, and `cassmirror status` shows."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from typing import Final

import msgspec

from cdc.errors import InfrastructureError
from runtime.secrets import mask_address
from runtime.status import Status

WELL: Final = "ok"
PROBE_KEPT_SECONDS: Final = 2.0


class Report(msgspec.Struct, frozen=True):
    """One answer about the process; `checks` says "ok", or what is wrong, by what was looked at."""

    well: bool
    checks: dict[str, str]


@dataclass(frozen=True)
class Health:
    """Answer from any thread. `services` must have answered once; `probes` are asked now and return what is wrong, if anything.

    `status` knows of Kafka by itself: its topics are listed every few seconds. PostgreSQL is not asked while nothing arrives,
    so it needs a probe. A server that is away makes a process not ready, never not live: it waits for it, and a restart mends
    nothing.
    """

    status: Status
    halted: Callable[[], Collection[str]]
    is_stopping: Callable[[], bool]
    services: tuple[str, ...] = ("kafka",)
    probes: Mapping[str, Callable[[], str]] = field(default_factory=dict)

    def live(self) -> Report:
        """Tell whether the process can go on: not after a failure that ends it, should it hang on its way out."""
        return _report({"process": self.status.facts().failure})

    def ready(self) -> Report:
        """Tell whether what arrives now would reach its table."""
        facts = self.status.facts()
        checks = {name: "" if name in facts.answered else "has not answered yet" for name in self.services}
        checks |= {name: probe() for name, probe in self.probes.items()}
        checks |= facts.troubles
        halted = ", ".join(sorted(self.halted()))
        checks["tables"] = f"halted: {halted}" if halted else ""
        checks["process"] = facts.failure or ("is stopping" if self.is_stopping() else "")
        return _report(checks)


class Remembered:
    """What a server answered, asked anew when that is old, so that nobody can make this process hammer it.

    `ask` raises `InfrastructureError`, and may block for its own timeout.
    """

    def __init__(
        self, ask: Callable[[], object], *, seconds: float = PROBE_KEPT_SECONDS, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._ask = ask
        self._seconds = seconds
        self._clock = clock
        self._lock = threading.Lock()
        self._asked_at: float | None = None
        self._problem = ""

    def __call__(self) -> str:
        """Return what is wrong, empty if nothing is."""
        with self._lock:
            if self._asked_at is None or self._clock() - self._asked_at >= self._seconds:
                self._problem = self._problem_now()
                self._asked_at = self._clock()
            return self._problem

    def _problem_now(self) -> str:
        try:
            self._ask()
        except InfrastructureError as error:
            return error.message
        return ""


def _report(problems: Mapping[str, str]) -> Report:
    checks = {name: mask_address(problem) or WELL for name, problem in problems.items()}
    return Report(well=all(check == WELL for check in checks.values()), checks=checks)
