"""Asks a node what the cluster's schema is: its version, which is cheap, and the rows of `system_schema`."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any, Final

import msgspec
from cassandra.cluster import Host, NoHostAvailable, Session

from cdc.system_schema import ColumnRow, DroppedColumnRow, SystemSchema, TableRow, TypeRow
from runtime.cassandra.client import CassandraClient
from runtime.logs import get_logger

ROWS: Final[dict[str, type[msgspec.Struct]]] = {
    "tables": TableRow,
    "columns": ColumnRow,
    "types": TypeRow,
    "dropped_columns": DroppedColumnRow,
}
MAX_READS: Final = 5
AGREEMENT_SECONDS: Final = 5.0
_PAUSE_SECONDS: Final = 0.1
_log = get_logger("cassandra")


class SystemTables:
    """Reads the schema from one node at a time: each holds its own copy, and queries to several would mix them."""

    def __init__(self, client: CassandraClient, *, sleep: Callable[[float], None] = time.sleep) -> None:
        self._client = client
        self._sleep = sleep

    def version(self) -> str:
        """Return the schema version of the nodes that are up, of one of them if they do not agree in time.

        Raises `CassandraUnavailable`.
        """
        return self._client.run(lambda session: self._agreed(session, _node(session)))

    def read(self) -> tuple[str, SystemSchema]:
        """Return the rows and the version that they belong to. Raises `CassandraUnavailable`."""
        return self._client.run(lambda session: self._read(session, _node(session)))

    def node(self) -> str:
        """Return the release and address of the node that is asked. Raises `CassandraUnavailable`."""

        def ask(session: Session) -> str:
            host = _node(session)
            (row,) = session.execute("SELECT release_version FROM system.local WHERE key = 'local'", host=host)
            return f"{row['release_version']} at {host.address}"

        return self._client.run(ask)

    def close(self) -> None:
        """Close the session."""
        self._client.close()

    def _read(self, session: Session, host: Host) -> tuple[str, SystemSchema]:
        """Read until nothing has changed meanwhile: a table is spread over several queries."""
        version = self._agreed(session, host)
        for _ in range(MAX_READS):
            rows = _rows(session, host)
            before, version = version, _versions(session, host)[0]
            if version == before:
                break
        return version, rows

    def _agreed(self, session: Session, host: Host) -> str:
        for _ in range(round(AGREEMENT_SECONDS / _PAUSE_SECONDS)):
            versions = _versions(session, host)
            if len(set(versions)) == 1:
                return versions[0]
            self._sleep(_PAUSE_SECONDS)
        _log.warning("nodes_disagree_on_the_schema", versions=sorted(set(versions)))
        return versions[0]


def _node(session: Session) -> Host:
    """Return the node that was asked before as long as it is up."""
    hosts = [host for host in session.get_pool_state() if host.is_up is not False]
    if not hosts:
        raise NoHostAvailable("no node is up", {})
    return min(hosts, key=lambda host: str(host.endpoint))


def _versions(session: Session, host: Host) -> list[str]:
    """Return the schema version of the node, then those of its peers that are not known to be down."""
    (local,) = session.execute("SELECT schema_version FROM system.local WHERE key = 'local'", host=host)
    peers = session.execute("SELECT peer, schema_version FROM system.peers", host=host)
    up = [peer["schema_version"] for peer in peers if _is_up(session, peer["peer"])]
    return [str(version) for version in (local["schema_version"], *up) if version is not None]


def _is_up(session: Session, address: Any) -> bool:
    known = session.cluster.metadata.get_host(address)
    return known is not None and known.is_up is not False


def _rows(session: Session, host: Host) -> SystemSchema:
    found = {}
    for table, kind in ROWS.items():
        names = ", ".join(field.name for field in msgspec.structs.fields(kind))
        answer = session.execute(f"SELECT {names} FROM system_schema.{table}", host=host)  # noqa: S608 - names of ours
        found[table] = list(answer)
    return msgspec.convert(found, SystemSchema)
