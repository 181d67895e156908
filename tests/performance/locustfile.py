"""Locust writes the statements of the demo's workload to Cassandra: `locust -f THIS_FILE --host HOST[:PORT]`.

Without a host CDC_CASSANDRA__CONTACT_POINTS says where. The tables are there already: `cassmirror load` makes them.
"""

from __future__ import annotations

import itertools
import time
from typing import Any

from cassandra.cluster import PreparedStatement, Session
from locust import User, constant_throughput, events, task

from dataflows.shop.statement import Statement
from dataflows.shop.workload import statements
from runtime.cassandra.client import open_cluster
from runtime.settings_loading import load_cassandra_settings

_seeds = itertools.count(1)


def connect(host: str) -> Session:
    """Return a session with the cluster."""
    return open_cluster(load_cassandra_settings(host)).connect()


@events.test_start.add_listener  # type: ignore[untyped-decorator]
def _open(environment: Any, **_: object) -> None:
    try:
        CassandraUser.session = connect(CassandraUser.host or environment.host or "")
    except Exception as error:  # Locust would log it and go on without a session
        raise SystemExit(f"no session with Cassandra: {error}") from error


@events.test_stop.add_listener  # type: ignore[untyped-decorator]
def _close(environment: Any, **_: object) -> None:
    CassandraUser.session.cluster.shutdown()


class CassandraUser(User):
    """Writes ten statements a second, each once the one before is answered; all users of a process share a session."""

    wait_time = constant_throughput(10)
    session: Session
    prepared: dict[str, PreparedStatement] = {}  # noqa: RUF012 - shared, as the session is

    def on_start(self) -> None:
        self.statements = statements(next(_seeds))

    @task
    def write(self) -> None:
        statement = next(self.statements)
        error, started = None, time.perf_counter()
        try:
            self.session.execute(self._prepared(statement), statement.parameters)
        except Exception as failure:  # noqa: BLE001 - Locust counts failures, whatever they are
            error = failure
        self.environment.events.request.fire(
            request_type="CQL",
            name=f"{statement.kind}: {', '.join(statement.tables)}",
            response_time=(time.perf_counter() - started) * 1000,
            response_length=0,
            exception=error,
            context={},
        )

    def _prepared(self, statement: Statement) -> PreparedStatement:
        if statement.cql not in self.prepared:
            self.prepared[statement.cql] = self.session.prepare(statement.cql)
        return self.prepared[statement.cql]
