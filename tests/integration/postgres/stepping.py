"""Two sessions of the writer, one statement at a time, in an order that a test chooses.

A session stops before each statement that others could see, and before each commit. It goes on when it is its turn; while it
waits for a lock of the other, only the other can go on.
"""

from __future__ import annotations

import heapq
import random
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, Protocol

import psycopg

from sinks.postgres.writer import Writer

GATED = ("INSERT INTO", "UPDATE", "DELETE", "WITH", "SELECT pg_advisory", "SELECT count(*) FROM (SELECT 1")
POLL_SECONDS = 0.001
DEADLOCK_TIMEOUT = "50ms"
FEW_INTERRUPTIONS = 2


class Work(Protocol):
    """What a session does: a batch, a sweep, a purge."""

    def __call__(self, writer: Writer, /) -> object: ...


class Actor:
    """One session in a thread of its own."""

    def __init__(self, writer: Writer) -> None:
        self.deadlocks = 0
        self.error: BaseException | None = None
        self._writer = writer
        self._changed = threading.Condition()
        self._state = "idle"
        connection = writer._open().connection
        connection.execute(f"SET deadlock_timeout = '{DEADLOCK_TIMEOUT}'".encode())
        self.backend = connection.info.backend_pid
        _step_through(connection, self)

    @property
    def is_done(self) -> bool:
        return self._state == "done"

    @property
    def is_ready(self) -> bool:
        return self._state == "at a gate"

    def start(self, work: Work) -> None:
        """Begin; the session stops at its first gate."""
        self._set("running")
        threading.Thread(target=self._run, args=(work,), daemon=True).start()

    def step(self) -> None:
        """Let the session go to its next gate."""
        self._set("running")

    def gate(self) -> None:
        """Stop until it is the session's turn; called in its thread, and by the test's own use of the writer."""
        if self._state == "idle":
            return
        with self._changed:
            self._state = "at a gate"
            self._changed.notify_all()
            self._changed.wait_for(lambda: self._state == "running", timeout=60)

    def settle(self, is_blocked: Callable[[], bool]) -> None:
        """Wait until the session stands at a gate, is done, or waits for a lock."""
        while True:
            with self._changed:
                if self._changed.wait_for(lambda: self.is_done or self.is_ready, timeout=POLL_SECONDS):
                    return
            if is_blocked():
                return

    def _run(self, work: Work) -> None:
        try:
            self.gate()
            work(self._writer)
        except BaseException as error:  # noqa: BLE001 - told to the test, which raises it
            self.error = error
        self._set("done")

    def _set(self, state: str) -> None:
        with self._changed:
            self._state = state
            self._changed.notify_all()

    def rest(self) -> None:
        """Let the writer be used without gates again."""
        self._state = "idle"


class Stage:
    """Two actors and the connection that sees who waits for whom."""

    def __init__(self, writers: tuple[Writer, Writer], monitor: psycopg.Connection) -> None:
        self.actors = [Actor(writer) for writer in writers]
        self._monitor = monitor

    def play(self, works: tuple[Work, Work], choose: Callable[[list[int]], int]) -> None:
        """Run both to their end; `choose` picks who goes on among those who can."""
        for actor, work in zip(self.actors, works, strict=True):
            actor.start(work)
            actor.settle(lambda: False)
        while not all(actor.is_done for actor in self.actors):
            ready = [number for number, actor in enumerate(self.actors) if actor.is_ready]
            if ready:
                self.actors[choose(ready)].step()
            self._settle()
        for actor in self.actors:
            actor.rest()
            if actor.error is not None:
                raise actor.error

    def _settle(self) -> None:
        for actor in self.actors:
            if not actor.is_done and not actor.is_ready:
                actor.settle(lambda pid=actor.backend: self._is_blocked(pid))  # type: ignore[misc]

    def _is_blocked(self, pid: int) -> bool:
        row = self._monitor.execute("SELECT cardinality(pg_blocking_pids(%s)) > 0", (pid,)).fetchone()
        return bool(row and row[0])


class Choices:
    """A schedule: what was chosen at each step, and what could have been. Behind its prefix a session goes on while it can."""

    def __init__(self, prefix: tuple[int, ...] = ()) -> None:
        self.made: list[int] = []
        self.open: list[list[int]] = []
        self._prefix = prefix

    def __call__(self, ready: list[int]) -> int:
        place = len(self.made)
        usual = self.made[-1] if self.made and self.made[-1] in ready else ready[0]
        chosen = self._prefix[place] if place < len(self._prefix) and self._prefix[place] in ready else usual
        self.made.append(chosen)
        self.open.append([other for other in ready if other != chosen])
        return chosen

    def unexplored(self) -> Iterator[tuple[int, tuple[int, ...]]]:
        """Yield the schedules that part from this one behind its prefix, each with the number of its interruptions."""
        for place in range(len(self._prefix), len(self.made)):
            for other in self.open[place]:
                parted = (*self.made[:place], other)
                yield sum(self._interrupts(at, parted) for at in range(1, len(parted))), parted

    def _interrupts(self, place: int, schedule: tuple[int, ...]) -> bool:
        """Return whether the other session went on at a place though this one could have."""
        before, now = schedule[place - 1 : place + 1]
        return now != before and before in (self.made[place], *self.open[place])


def every_schedule(play: Callable[[Callable[[list[int]], int]], None], limit: int) -> int:
    """Play every interleaving, and return how many there were.

    Where there are more than `limit`: all with few interruptions, which is where mistakes show, then a seeded spread.
    """
    chance = random.Random(limit)
    waiting: list[tuple[bool, float, tuple[int, ...]]] = [(False, 0.0, ())]
    played = 0
    while waiting and (played < limit or not waiting[0][0]):
        choices = Choices(heapq.heappop(waiting)[-1])
        play(choices)
        for interruptions, schedule in choices.unexplored():
            heapq.heappush(waiting, (interruptions > FEW_INTERRUPTIONS, chance.random(), schedule))
        played += 1
    return played


def some_schedules(play: Callable[[Callable[[list[int]], int]], None], seed: int, number: int) -> None:
    """Play a seeded sample of the interleavings."""
    chance = random.Random(seed)
    for _ in range(number):
        play(chance.choice)


@contextmanager
def counted_deadlocks(actor: Actor) -> Iterator[None]:
    """Count a deadlock that the writer will run again."""
    try:
        yield
    except psycopg.errors.DeadlockDetected:
        actor.deadlocks += 1
        raise


def _step_through(connection: psycopg.Connection, actor: Actor) -> None:
    """Make a connection stop at gates: before statements that matter to others, and before commits."""

    class SteppingCursor(psycopg.Cursor[Any]):
        def execute(self, query: Any, *args: Any, **kwargs: Any) -> Any:
            if isinstance(query, str) and query.lstrip().startswith(GATED):
                actor.gate()
            with counted_deadlocks(actor):
                return super().execute(query, *args, **kwargs)

        def executemany(self, query: Any, params_seq: Any, **kwargs: Any) -> None:
            actor.gate()
            with counted_deadlocks(actor):
                super().executemany(query, params_seq, **kwargs)

    begin = connection.transaction

    @contextmanager
    def transaction(*args: Any, **kwargs: Any) -> Iterator[psycopg.Transaction]:
        with begin(*args, **kwargs) as started:
            yield started
            actor.gate()

    connection.cursor_factory = SteppingCursor
    setattr(connection, "transaction", transaction)  # noqa: B010 - a method is replaced on purpose
