"""Each outside library has one home in the tree, so that replacing it touches one folder."""

from __future__ import annotations

import re

import pytest

from tests.unit.docs.pages import DOCS

ROOT = DOCS.parent
HOMES = {
    "alembic": {"sinks/postgres"},
    "bytewax": {"dataflows", "operators", "sinks", "runtime/recovery_store.py"},
    "cassandra": {"runtime/cassandra", "runtime/embedded"},
    "click": {"dataflows"},
    "confluent_kafka": {"runtime/kafka"},
    "faker": {"dataflows/shop"},
    "jgo": {"runtime/embedded"},
    "lark": {"cdc/cql"},
    "prometheus_client": {"runtime/metrics.py"},
    "psutil": {"runtime/embedded"},
    "psycopg": {"sinks/postgres", "runtime/embedded"},
    "pybreaker": {"sinks/postgres"},
    "pydantic": {"runtime/settings"},
    "pydantic_settings": {"runtime/settings"},
    "redis": {"runtime/redis_cache.py"},
    "sqlalchemy": {"sinks/postgres"},
    "structlog": {"runtime/logs.py"},
}
FOLDERS = ("cdc", "runtime", "operators", "sinks", "dataflows")


@pytest.mark.parametrize("library", sorted(HOMES))
def test_a_library_is_imported_in_its_home_only(library: str) -> None:
    imported = re.compile(rf"^(?:from|import) {library}\b", re.MULTILINE)
    files = [path for folder in FOLDERS for path in (ROOT / folder).rglob("*.py")]
    users = {path.relative_to(ROOT).as_posix() for path in files if imported.search(path.read_text(encoding="utf-8"))}
    assert users, "the library is not used: take it out of pyproject.toml"
    assert {user for user in users if not user.startswith(tuple(HOMES[library]))} == set()
