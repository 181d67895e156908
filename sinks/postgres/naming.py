"""Names that PostgreSQL can have, for names that Cassandra has."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable

MAX_NAME_BYTES = 63  # NAMEDATALEN - 1
SYSTEM_COLUMNS = frozenset({"tableoid", "xmin", "cmin", "xmax", "cmax", "ctid", "oid"})


def quote(name: str) -> str:
    """Return an identifier for a statement run with parameters: quoted, percent signs doubled."""
    return '"' + name.replace('"', '""').replace("%", "%%") + '"'


def schema_name(keyspace: str) -> str:
    """Return the PostgreSQL schema of a keyspace."""
    taken = keyspace.startswith("pg_") or keyspace in ("cdc", "information_schema")
    return _renamed(keyspace) if taken or _too_long(keyspace) else keyspace


def table_name(table: str) -> str:
    """Return the relation's name of a table."""
    return _renamed(table) if _too_long(table) else table


def column_names(columns: Iterable[str]) -> dict[str, str]:
    """Return the PostgreSQL name of every column of one table, each once."""
    names: dict[str, str] = {}
    for column in columns:
        taken = column in SYSTEM_COLUMNS or column.startswith("_cdc_") or _too_long(column)
        names[column] = _renamed(column) if taken else column
    for column, name in names.items():
        if list(names.values()).count(name) > 1:
            names[column] = _renamed(column + "\0")
    return names


def _too_long(name: str) -> bool:
    return len(name.encode()) > MAX_NAME_BYTES


def _renamed(name: str) -> str:
    """Return the name cut to fit, with a hash of the whole so that it is the same on every start and unlike any other."""
    digest = hashlib.sha256(name.encode()).hexdigest()[:8]
    stem = name.strip("_\0").encode()[: MAX_NAME_BYTES - 9].decode(errors="ignore")
    return f"{stem}_{digest}" if not stem.startswith("pg_") else f"x{stem[: MAX_NAME_BYTES - 10]}_{digest}"
