"""A session with the cluster: opened when it is first needed, anew after a failure."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import TypeVar

from cassandra import DriverException, OperationTimedOut, ProtocolVersion
from cassandra.auth import PlainTextAuthProvider
from cassandra.cluster import EXEC_PROFILE_DEFAULT, Cluster, ExecutionProfile, NoHostAvailable, Session
from cassandra.policies import ConstantReconnectionPolicy, DCAwareRoundRobinPolicy
from cassandra.query import dict_factory

from cdc.errors import CassandraUnavailable
from runtime.settings import CassandraSettings
from runtime.settings_parsing import host_and_port
from runtime.tls import tls_context

NATIVE_PORT = 9042
Result = TypeVar("Result")


class CassandraClient:
    """Runs work on a session. For several threads, one at a time. Rows are dictionaries."""

    def __init__(self, settings: CassandraSettings) -> None:
        self._settings = settings
        self._lock = threading.Lock()
        self._cluster: Cluster | None = None
        self._session: Session | None = None

    def run(self, work: Callable[[Session], Result]) -> Result:
        """Return what the work returns. Raises `CassandraUnavailable` for errors of the driver; the next work connects anew."""
        with self._lock:
            try:
                return work(self._open())
            except (NoHostAvailable, OperationTimedOut, DriverException, OSError) as error:
                self._close()
                raise CassandraUnavailable(f"Cassandra did not answer: {reason(error)}") from error

    def close(self) -> None:
        """Close the session; the next work opens another."""
        with self._lock:
            self._close()

    def _open(self) -> Session:
        if self._session is None:
            self._cluster = open_cluster(self._settings)
            self._session = self._cluster.connect()
        return self._session

    def _close(self) -> None:
        cluster, self._cluster, self._session = self._cluster, None, None
        if cluster is not None:
            cluster.shutdown()


def open_cluster(settings: CassandraSettings) -> Cluster:
    """Return a cluster that is not connected yet; rows are dictionaries."""
    timeout, password = settings.timeout_seconds, settings.password
    profile = ExecutionProfile(
        DCAwareRoundRobinPolicy(settings.local_datacenter or ""), request_timeout=timeout, row_factory=dict_factory
    )
    auth = PlainTextAuthProvider(settings.username, password.get_secret_value() if password else "")
    return Cluster(
        [host_and_port(name, NATIVE_PORT) for name in settings.contact_points],
        auth_provider=auth if settings.username else None,
        protocol_version=ProtocolVersion.V5,  # from Cassandra 4.0 on; left to itself, the driver tries newer ones and warns
        ssl_context=tls_context(settings.tls_ca_file) if settings.tls or settings.tls_ca_file else None,
        execution_profiles={EXEC_PROFILE_DEFAULT: profile},
        connect_timeout=timeout,
        control_connection_timeout=timeout,
        reconnection_policy=ConstantReconnectionPolicy(1.0, max_attempts=None),
        schema_metadata_enabled=False,  # it is read here, with what the driver leaves out
        token_metadata_enabled=False,
    )


def reason(error: BaseException) -> str:
    """Return the first node's error where there is one: the driver's own text repeats all of them."""
    inner = next(iter(error.errors.values()), None) if isinstance(error, NoHostAvailable) and error.errors else None
    return f"{type(error).__name__}: {inner or error}"
