"""The cluster's schema as all flows and processes share it: fetched by one of them, kept in Redis for the others.

Cassandra's schema version, which is cheap to ask for, tells whether what Redis keeps is the newest: while Cassandra answers,
nothing old is believed. Keys: `schema:<keyspace>:<table>` for each table's document, `schema` for the list of them.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Final, NamedTuple, Protocol

import msgspec

from cdc.errors import SchemaError
from cdc.schema import Schema, Table
from cdc.schema_document import SchemaIndex, decode_document, encode_document, fingerprint_of
from cdc.system_schema import SystemSchema, read_system_schema
from runtime.logs import get_logger
from runtime.redis_cache import RedisCache

INDEX: Final = "schema"
LOCK: Final = "schema"
HOLD_SECONDS: Final = 20.0  # longer than any fetch: a process that dies with the lock costs the others this much
_PAUSE_SECONDS: Final = 0.05
_log = get_logger("catalog")


class SchemaSource(Protocol):
    """Who is asked for the schema. Both raise `CassandraUnavailable`."""

    def version(self) -> str:
        """Return what changes with every change of the schema."""

    def read(self) -> tuple[str, SystemSchema]:
        """Return the rows and the version that they belong to."""

    def node(self) -> str:
        """Return what answers, for people."""

    def close(self) -> None:
        """Close the connections."""


class VersionedSchema(NamedTuple):
    """The schema of one version, system keyspaces left out."""

    version: str
    schema: Schema


class SharedSchema:
    """Finds the newest schema with the least work. For several threads; may block as long as Cassandra's time limit."""

    def __init__(
        self,
        source: SchemaSource,
        cache: RedisCache,
        *,
        ttl_seconds: float,
        gives_up: threading.Event | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._source = source
        self._cache = cache
        self._ttl = ttl_seconds
        self._gives_up = gives_up or threading.Event()
        self._clock = clock
        self._keep_again = float("-inf")

    def newest(self, known: VersionedSchema | None = None) -> VersionedSchema:
        """Return the schema of the cluster, `known` itself if that is it. Raises `CassandraUnavailable` or `SchemaError`."""
        version = self._source.version()
        if known is not None and known.version == version:
            if self._clock() >= self._keep_again:
                self._keep(known)
            return known
        return self.cached(version) or self._fetched(version)

    def cached(self, version: str | None = None) -> VersionedSchema | None:
        """Return what Redis keeps, if it is whole and of that version; with None, of whatever version."""
        index = self._index()
        if index is None or version not in (None, index.version):
            return None
        texts = self._cache.get_all([_key(keyspace, name) for keyspace, name, _ in index.tables])
        tables = {}
        for (keyspace, name, fingerprint), text in zip(index.tables, texts, strict=True):
            table = _table(text, fingerprint)
            if table is None:
                return None
            tables[keyspace, name] = table
        return VersionedSchema(index.version, Schema(tables))

    def node(self) -> str:
        """Return what answers. Raises `CassandraUnavailable`."""
        return self._source.node()

    def close(self) -> None:
        """Close the connections."""
        self._source.close()
        self._cache.close()

    def _fetched(self, version: str) -> VersionedSchema:
        """Fetch under the lock; without it, wait for who has it to fill the cache."""
        deadline = self._clock() + HOLD_SECONDS
        while self._clock() < deadline:
            token = self._cache.acquire(LOCK, HOLD_SECONDS)
            if token is not None:
                try:
                    return self.cached(version) or self._read()
                finally:
                    self._cache.release(LOCK, token)
            if self._gives_up.wait(_PAUSE_SECONDS):
                break
            if found := self.cached(version):
                return found
        return self._read()

    def _read(self) -> VersionedSchema:
        version, rows = self._source.read()
        found = VersionedSchema(version, read_system_schema(rows, lambda keyspace, _: not is_system(keyspace)))
        _log.info("schema_fetched", version=version, tables=len(found.schema.tables))
        self._keep(found)
        return found

    def _keep(self, found: VersionedSchema) -> None:
        """Let Redis have it for another while: the documents first, so that the list is never ahead of them."""
        if not self._cache.is_set:
            return
        tables = found.schema.tables.values()
        documents = {_key(table.keyspace, table.name): encode_document(table, found.version) for table in tables}
        index = SchemaIndex(found.version, [(table.keyspace, table.name, fingerprint_of(table)) for table in tables])
        self._cache.put_all(documents | {INDEX: msgspec.json.encode(index)}, self._ttl)
        self._keep_again = self._clock() + self._ttl / 2  # who asks often need not write often

    def _index(self) -> SchemaIndex | None:
        (text,) = self._cache.get_all([INDEX])
        try:
            return None if text is None else msgspec.json.decode(text, type=SchemaIndex)
        except msgspec.MsgspecError:
            return None


def is_system(keyspace: str) -> bool:
    """Return whether a keyspace is Cassandra's own."""
    return keyspace == "system" or keyspace.startswith("system_")


def _key(keyspace: str, name: str) -> str:
    return f"schema:{keyspace}:{name}"


def _table(text: bytes | None, fingerprint: str) -> Table | None:
    try:
        document = None if text is None else decode_document(text)
    except SchemaError:
        return None
    return document.table if document is not None and document.fingerprint == fingerprint else None
