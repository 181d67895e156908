"""The workload of the keyspace `shop`, written with patience while parts of the stack are away."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from itertools import islice

from cassandra import DriverException
from cassandra.cluster import NoHostAvailable, PreparedStatement, Session

from dataflows.shop.statement import Statement
from dataflows.shop.workload import statements

PATIENCE_SECONDS = 120.0


class Workload:
    """Statements in the order of a seed, one at a time. `written` is how many have succeeded."""

    def __init__(self, session: Session, keyspace: str, seed: int, keys: int = 200) -> None:
        self.written = 0
        self._session = session
        self._statements = statements(seed, keys, keyspace)
        self._prepared: dict[str, PreparedStatement] = {}

    def write(self, count: int) -> None:
        """Write the next statements."""
        for statement in islice(self._statements, count):
            self._write_at_last(statement)

    @contextmanager
    def going_on(self) -> Iterator[Workload]:
        """Write from a thread of its own for as long as the context lasts."""
        ended = threading.Event()

        def go_on() -> None:
            while not ended.is_set():
                self.write(1)

        thread = threading.Thread(target=go_on, name="workload")
        thread.start()
        try:
            yield self
        finally:
            ended.set()
            thread.join()

    def await_more(self, count: int) -> None:
        """Wait until so many more statements are written than now."""
        wanted, deadline = self.written + count, time.monotonic() + PATIENCE_SECONDS
        while self.written < wanted:
            assert time.monotonic() < deadline, f"{self.written} statements, not {wanted}"
            time.sleep(0.02)

    def _write_at_last(self, statement: Statement) -> None:
        """Write one statement, and again for as long as nobody answers: what it is worth is read from Cassandra later."""
        deadline = time.monotonic() + PATIENCE_SECONDS
        while time.monotonic() < deadline:
            with suppress(NoHostAvailable, DriverException):
                self._session.execute(self._ready(statement.cql), statement.parameters)
                self.written += 1
                return
            time.sleep(0.1)

    def _ready(self, cql: str) -> PreparedStatement:
        if cql not in self._prepared:
            self._prepared[cql] = self._session.prepare(cql)
        return self._prepared[cql]


def shown(differences: Iterable[object]) -> list[str]:
    """Return the first of many differences as text."""
    return [str(difference) for difference in islice(differences, 20)]
