"""The statements that make the tables."""

from __future__ import annotations

import re
from importlib.resources import files

from cdc.schema import quote_cql

KEYSPACE = "shop"
TABLES = ("customers", "orders", "payments", "readings", "sessions", "DailySales")
_REPLICATION = "{'class': 'SimpleStrategy', 'replication_factor': 1}"


def ddl(keyspace: str = KEYSPACE) -> list[str]:
    """Return the statements that make the types and tables in a keyspace that is there; again they change nothing."""
    text = files(__package__).joinpath("schema.cql").read_text(encoding="utf-8")
    text = re.sub(r"^--.*$", "", text, flags=re.MULTILINE).replace(f" {KEYSPACE}.", f" {quote_cql(keyspace)}.")
    return [statement.strip() for statement in text.split(";") if statement.strip()]


def create_keyspace(keyspace: str = KEYSPACE) -> str:
    """Return the statement that makes the keyspace, with one replica."""
    return f"CREATE KEYSPACE IF NOT EXISTS {quote_cql(keyspace)} WITH replication = {_REPLICATION}"
