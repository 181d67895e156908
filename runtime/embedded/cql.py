"""Talk CQL to an embedded Cassandra."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import contextmanager

from cassandra import DriverException
from cassandra.cluster import EXEC_PROFILE_DEFAULT, Cluster, ExecutionProfile, NoHostAvailable, Session
from cassandra.policies import ConstantReconnectionPolicy, RoundRobinPolicy

from runtime.embedded import ports

_NATIVE_PROTOCOL = 5
_PATIENCE_S = 20.0


@contextmanager
def open_session(port: int) -> Iterator[Session]:
    """Yield a session of the driver with the node on that port of loopback."""
    profile = ExecutionProfile(RoundRobinPolicy(), request_timeout=_PATIENCE_S)
    cluster = Cluster(
        [ports.LOOPBACK],
        port=port,
        protocol_version=_NATIVE_PROTOCOL,
        execution_profiles={EXEC_PROFILE_DEFAULT: profile},
        connect_timeout=_PATIENCE_S,
        control_connection_timeout=_PATIENCE_S,
        reconnection_policy=ConstantReconnectionPolicy(0.5, max_attempts=None),  # a node that was restarted is soon used again
    )
    try:
        yield cluster.connect()
    finally:
        cluster.shutdown()


def answers(port: int) -> bool:
    """Tell whether the node on that port answers a query."""
    try:
        # The driver logs an error for a port that is closed.
        socket.create_connection((ports.LOOPBACK, port), 1).close()
        with open_session(port) as session:
            return session.execute("SELECT release_version FROM system.local").one() is not None
    except (OSError, NoHostAvailable, DriverException):
        return False
