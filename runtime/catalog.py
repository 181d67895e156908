"""What is mirrored: the tables of the schema that the settings name, as Cassandra or the CQL file says them."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable
from contextlib import closing
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Final, TypeVar

from tenacity import RetryCallState, Retrying, retry_if_exception_type, sleep_using_event, stop_when_event_set
from tenacity.wait import wait_exponential_jitter

from cdc.ddl import read_ddl
from cdc.errors import CassandraUnavailable, SchemaError, SettingsError
from cdc.schema import Schema, Table
from runtime.logs import get_logger
from runtime.redis_cache import RedisCache
from runtime.settings import Settings
from runtime.shared_schema import SharedSchema, VersionedSchema, is_system
from runtime.status import Status

SERVICE: Final = "cassandra"
ASK_AGAIN_SECONDS: Final = 1.0  # a topic that no schema explains must not cost a question with every poll
MAX_NEEDS: Final = 1_000
Result = TypeVar("Result")

_log = get_logger("catalog")


class Catalog:
    """The schema of the mirrored tables, and who to ask when it is not enough. For several threads.

    While it is open no table leaves it: events of one that was dropped may still come. `origin` names, for people, who said it.
    """

    def __init__(
        self,
        shared: SharedSchema | None,
        file: Path | None,
        patterns: Iterable[str] = (),
        *,
        status: Status | None = None,
        gives_up: threading.Event | None = None,
        retry_max_seconds: float = 5,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.origin = ""
        self.generation = 0
        """Grows when the schema has changed."""
        self._shared = shared
        self._file = file
        self._patterns = tuple(patterns)
        self._status = status or Status()
        self._gives_up = gives_up or threading.Event()
        self._retry_max = retry_max_seconds
        self._clock = clock
        self._lock = threading.Lock()
        self._known: VersionedSchema | None = None
        self._schema = Schema({})
        self._needs: dict[str, float] = {}

    @property
    def schema(self) -> Schema:
        """The mirrored tables; a table that did not change stays the same object."""
        return self._schema

    def read(self) -> Schema:
        """Return the whole schema, mirrored or not. Raises `CassandraUnavailable`, `SchemaError` or `SettingsError`."""
        if self._shared is None:
            return self._read_file()
        try:
            self._known = self._shared.newest()
            self.origin = f"Cassandra {self._shared.node()}"
            self._status.working(SERVICE)
        except CassandraUnavailable as error:
            return self._read_elsewhere(self._shared, error)
        return self._known.schema

    def load(self, *, patient: bool = False) -> Schema:
        """Return the mirrored tables; a patient one waits for Cassandra, and for tables to be made there."""
        with self._lock:
            whole = self._with_retry(self.read) if patient else self.read()
            self._schema = select_tables(whole, self._patterns, may_be_empty=patient and self._shared is not None)
        return self._schema

    def refresh(self, need: str) -> Schema | None:
        """Return the newest schema for what a record or PostgreSQL needs, None where there is nobody to ask.

        Waits for Cassandra: a server that is away is no reason to refuse a record. Raises `CassandraUnavailable` when the
        process gives up. The same need is not asked for again within a second.
        """
        if self._shared is None:
            return None
        with self._lock:
            if self._clock() - self._needs.get(need, float("-inf")) >= ASK_AGAIN_SECONDS:
                self._with_retry(self._ask)
                if len(self._needs) >= MAX_NEEDS:
                    self._needs.clear()
                self._needs[need] = self._clock()
        return self._schema

    def look(self) -> None:
        """Ask once for changes that no event shows: dropped columns, options. A server that is away costs a warning."""
        if self._shared is None:
            return
        try:
            with self._lock:
                self._ask()
        except CassandraUnavailable as error:
            _log.warning("schema_not_looked_at", reason=error.message)

    def node(self) -> str:
        """Return which node answers. Raises `CassandraUnavailable`."""
        if self._shared is None:
            raise CassandraUnavailable("no contact points are set")
        return self._shared.node()

    def close(self) -> None:
        """Close the connections."""
        if self._shared is not None:
            self._shared.close()

    def _ask(self) -> None:
        assert self._shared is not None  # noqa: S101 - its callers have looked
        try:
            newest = self._shared.newest(self._known)
        except SchemaError as error:
            _log.exception("schema_not_usable", exc_info=error)
            return
        self._status.working(SERVICE)
        if newest is not self._known:
            self._known = newest
            self._adopt(select_tables(newest.schema, self._patterns, may_be_empty=True))

    def _adopt(self, found: Schema) -> None:
        old = self._schema.tables
        changed = {name: table for name, table in found.tables.items() if old.get(name) != table}
        if gone := sorted(".".join(name) for name in old.keys() - found.tables.keys()):
            _log.warning("tables_gone_from_the_schema", tables=gone, hint="their rows stay; leave them out by CDC_TABLES")
        if changed:
            self._schema = Schema(dict(old) | changed)
            self.generation += 1
            _log.info("schema_changed", tables=sorted(table.full_name for table in changed.values()))

    def _read_elsewhere(self, shared: SharedSchema, error: CassandraUnavailable) -> Schema:
        self._known = shared.cached()
        if self._known is None and self._file is None:
            raise error
        schema = self._read_file() if self._known is None else self._known.schema
        origin = self.origin if self._known is None else "Redis"
        self.origin = f"{origin}, as Cassandra does not answer"
        _log.warning("schema_from_elsewhere", origin=origin, reason=error.message)
        return schema

    def _read_file(self) -> Schema:
        if self._file is None:
            raise SettingsError("schema.file: is required (CDC_SCHEMA__FILE), or CDC_CASSANDRA__CONTACT_POINTS")
        self.origin = f"the file {self._file}"
        try:
            return read_ddl(self._file.read_text(encoding="utf-8"))
        except (OSError, UnicodeDecodeError) as error:
            raise SchemaError(f"{self._file}: {error}") from error

    def _with_retry(self, work: Callable[[], Result]) -> Result:
        """Do the work until Cassandra has answered, or the process gives up."""
        retrying = Retrying(
            retry=retry_if_exception_type(CassandraUnavailable),
            wait=wait_exponential_jitter(multiplier=0.1, max=self._retry_max),
            sleep=sleep_using_event(self._gives_up),
            stop=stop_when_event_set(self._gives_up),
            before_sleep=self._note_trouble,
            reraise=True,
        )
        result: Result = retrying(work)
        return result

    def _note_trouble(self, state: RetryCallState) -> None:
        error = state.outcome.exception() if state.outcome else None
        self._status.trouble(SERVICE, error.message if isinstance(error, CassandraUnavailable) else str(error))


def open_catalog(settings: Settings, status: Status | None = None, gives_up: threading.Event | None = None) -> Catalog:
    """Return the catalog of these settings. Nothing is asked yet; close it."""
    shared = _shared_schema(settings, gives_up) if settings.cassandra.contact_points else None
    retry_max = settings.cassandra.retry_max_seconds
    file, patterns = settings.schema_.file, settings.tables
    return Catalog(shared, file, patterns, status=status, gives_up=gives_up, retry_max_seconds=retry_max)


def _shared_schema(settings: Settings, gives_up: threading.Event | None) -> SharedSchema:
    from runtime.cassandra.client import CassandraClient  # noqa: PLC0415 - slow to import, and often not needed
    from runtime.cassandra.system_tables import SystemTables  # noqa: PLC0415

    source = SystemTables(CassandraClient(settings.cassandra))
    ttl_seconds = settings.schema_.refresh_seconds
    return SharedSchema(source, RedisCache(settings.redis), ttl_seconds=ttl_seconds, gives_up=gives_up)


def load_schema(settings: Settings) -> Schema:
    """Return the tables to mirror, asked for once. Raises what `Catalog.read` raises, `SchemaError` when nothing is left."""
    return select_tables(read_schema(settings), settings.tables)


def read_schema(settings: Settings) -> Schema:
    """Return the whole schema, asked for once. Raises what `Catalog.read` raises."""
    with closing(open_catalog(settings)) as catalog:
        return catalog.read()


def select_tables(schema: Schema, patterns: Iterable[str], *, may_be_empty: bool = False) -> Schema:
    """Return the tables that a pattern names (no pattern: all), but for system keyspaces and counters."""
    wanted = tuple(pattern if "." in pattern else f"{pattern}.*" for pattern in patterns)
    named = {key: table for key, table in schema.tables.items() if is_wanted(table, wanted)}
    for pattern in wanted:
        if not any(fnmatchcase(table.full_name, pattern) for table in named.values()):
            _log.warning("pattern_names_no_table", pattern=pattern)
    for table in named.values():
        if table.is_counter:
            _log.warning("counter_table_left_out", table=table.full_name, reason="counters have no events")
    kept = {key: table for key, table in named.items() if not table.is_counter}
    if not kept and not may_be_empty:
        hint = "compare CDC_TABLES with the schema; counters and system keyspaces cannot be mirrored"
        raise SchemaError("the schema has no table to mirror", hint=hint)
    return Schema(kept)


def is_wanted(table: Table, patterns: tuple[str, ...]) -> bool:
    """Return whether a table is named by a pattern, or there are none, and is not the system's."""
    if is_system(table.keyspace):
        return False
    return not patterns or any(fnmatchcase(table.full_name, pattern) for pattern in patterns)
