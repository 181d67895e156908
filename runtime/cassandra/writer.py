"""Writes many statements to a cluster: prepared once each, several in flight."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from types import TracebackType
from typing import Any

from cassandra import DriverException, OperationTimedOut
from cassandra.cluster import Cluster, NoHostAvailable, PreparedStatement, ResponseFuture, Session
from cassandra.protocol import ErrorMessage

from cdc.errors import CassandraUnavailable
from runtime.cassandra.client import open_cluster, reason
from runtime.cassandra.values import read_whole_timestamps
from runtime.settings import CassandraSettings

IN_FLIGHT = 128


class StatementWriter:
    """A context manager with a session of its own. For one thread; timestamps are its own and never equal.

    Raises `CassandraUnavailable` for whatever the driver reports: of a statement in flight, at the next call.
    """

    def __init__(self, settings: CassandraSettings, *, in_flight: int = IN_FLIGHT) -> None:
        self._settings = settings
        self._most, self._places = in_flight, threading.Semaphore(in_flight)
        self._failure: Exception | None = None
        self._prepared: dict[str, PreparedStatement] = {}
        self._cluster: Cluster = open_cluster(settings)
        self._session: Session | None = None

    def __enter__(self) -> StatementWriter:
        try:
            self._session = _translated(self._cluster.connect)
            read_whole_timestamps(self._session)
        except BaseException:
            self._cluster.shutdown()
            raise
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._cluster.shutdown()

    def execute(self, cql: str, parameters: Sequence[object] | None = None) -> list[dict[str, Any]]:
        """Run one statement to its end and return its rows, `timestamp`s as milliseconds."""
        rows: list[dict[str, Any]] = _translated(lambda: list(self._connected.execute(cql, parameters)))
        return rows

    def write(self, cql: str, parameters: Sequence[object], *, done: Callable[[], None] | None = None) -> None:
        """Send a statement, once fewer than `in_flight` are unanswered. Another thread calls `done` when it is stored."""
        self._places.acquire()
        try:
            self._raise_failure()
            future = _translated(lambda: self._connected.execute_async(self._statement(cql), parameters))
        except BaseException:
            self._places.release()
            raise
        self._watch(future, done)

    def drain(self) -> None:
        """Wait for the answers to all statements."""
        for _ in range(self._most):
            self._places.acquire()
        self._places.release(self._most)
        self._raise_failure()

    @property
    def _connected(self) -> Session:
        assert self._session is not None, "it is entered first"  # noqa: S101
        return self._session

    def _statement(self, cql: str) -> PreparedStatement:
        if cql not in self._prepared:
            self._prepared[cql] = self._connected.prepare(cql)
        return self._prepared[cql]

    def _watch(self, future: ResponseFuture, done: Callable[[], None] | None) -> None:
        def stored(_rows: object) -> None:
            self._places.release()
            if done is not None:
                done()

        def failed(error: Exception) -> None:
            self._failure = self._failure or error
            self._places.release()

        future.add_callbacks(stored, failed)

    def _raise_failure(self) -> None:
        if self._failure is not None:
            raise CassandraUnavailable(f"Cassandra refused a statement: {reason(self._failure)}") from self._failure


def _translated(work: Callable[[], Any]) -> Any:
    try:
        return work()
    except (NoHostAvailable, OperationTimedOut, DriverException, ErrorMessage, OSError) as error:
        raise CassandraUnavailable(f"Cassandra did not answer: {reason(error)}") from error
