"""One folder of `scenarios`: tables, statements, and what of them no event can say."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import msgspec

from cdc.cql.split import split_statements
from cdc.ddl import read_ddl
from cdc.recording import Gap
from cdc.schema import Schema, Table

SCENARIOS = Path(__file__).with_name("scenarios")
REPLICATION = "{'class': 'SimpleStrategy', 'replication_factor': 1}"


class Notes(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """`scenario.toml`. `expires_within`: wait for all that has so many seconds to live. `refused`: dead letters by error."""

    expires_within: int = 0
    refused: dict[str, int] = {}
    gap: tuple[Gap, ...] = ()


@dataclass(frozen=True)
class Scenario:
    """One scenario; its keyspace is of its name."""

    name: str
    ddl: tuple[str, ...]
    statements: tuple[str, ...]
    notes: Notes

    @property
    def keyspace(self) -> str:
        return f"e2e_{self.name}"

    @property
    def schema(self) -> Schema:
        return read_ddl(";\n".join(self.ddl), default_keyspace=self.keyspace)

    @property
    def tables(self) -> list[Table]:
        """Return the tables that are mirrored: counters make no events."""
        return [table for table in self.schema.tables.values() if not table.is_counter]


def scenario_names() -> list[str]:
    """Return the names of all scenarios, sorted."""
    return sorted(path.name for path in SCENARIOS.iterdir() if (path / "schema.cql").exists())


def load_scenario(name: str) -> Scenario:
    """Read one scenario."""
    folder = SCENARIOS / name
    notes = folder / "scenario.toml"
    return Scenario(
        name=name,
        ddl=tuple(_statements(folder / "schema.cql")),
        statements=tuple(_statements(folder / "statements.cql")),
        notes=msgspec.toml.decode(notes.read_bytes(), type=Notes) if notes.exists() else Notes(),
    )


def create_keyspace(keyspace: str) -> str:
    """Return the statement that makes a keyspace with one replica."""
    return f"CREATE KEYSPACE {keyspace} WITH replication = {REPLICATION}"


def _statements(script: Path) -> Iterator[str]:
    """Yield the statements of a script without their semicolons, but for batches, which hold some."""
    text = script.read_bytes().decode()
    start: int | None = None
    for statement in split_statements(text):
        if start is None:
            start = statement.start
        if text[start:].upper().startswith("BEGIN") and statement.words != ("APPLY", "BATCH"):
            continue
        yield text[start : statement.end]
        start = None
