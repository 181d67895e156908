"""What is mirrored: the tables of the schema that the settings name."""

from __future__ import annotations

from collections.abc import Iterable
from fnmatch import fnmatchcase

import redis

from cdc.ddl import read_ddl
from cdc.errors import RedisUnavailable, SchemaError, SettingsError
from cdc.schema import Schema, Table
from runtime.logs import get_logger
from runtime.settings import RedisSettings, Settings

_log = get_logger("catalog")


def load_schema(settings: Settings) -> Schema:
    """Return the tables to mirror. Raises `SettingsError` without a CQL file, `SchemaError` when nothing is left."""
    return select_tables(read_schema(settings), settings.tables)


def read_schema(settings: Settings) -> Schema:
    """Return the whole schema of the CQL file. Raises `SettingsError` or `SchemaError`."""
    file = settings.schema_.file
    if file is None:
        raise SettingsError("schema.file: is required (CDC_SCHEMA__FILE)")
    try:
        return read_ddl(file.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        raise SchemaError(f"{file}: {error}") from error


def select_tables(schema: Schema, patterns: Iterable[str]) -> Schema:
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
    if not kept:
        hint = "compare CDC_TABLES with the CQL file; counters and system keyspaces cannot be mirrored"
        raise SchemaError("the schema has no table to mirror", hint=hint)
    return Schema(kept)


def is_wanted(table: Table, patterns: tuple[str, ...]) -> bool:
    """Return whether a table is named by a pattern, or there are none, and is not the system's."""
    if table.keyspace == "system" or table.keyspace.startswith("system_"):
        return False
    return not patterns or any(fnmatchcase(table.full_name, pattern) for pattern in patterns)


def ping_cache(settings: RedisSettings) -> None:
    """Return when Redis answers, or none is set. Raises `RedisUnavailable`."""
    if settings.url is None:
        return
    timeout = settings.timeout_seconds
    try:
        url = settings.url.get_secret_value()
        with redis.Redis.from_url(url, socket_timeout=timeout, socket_connect_timeout=timeout) as cache:
            cache.ping()
    except (redis.RedisError, ValueError) as error:
        raise RedisUnavailable(f"Redis does not answer: {error}") from error
