"""The DDL of every recording, against what Cassandra itself said of its tables."""

from __future__ import annotations

from typing import Any

import pytest

from cdc.cql.describe import describe
from cdc.ddl import read_ddl
from cdc.schema import Schema, Table
from tests.fixtures.recordings import load, recordings


def facts_of(table: Table) -> dict[str, Any]:
    return {
        "partition_key": [column.name for column in table.partition_key],
        "clustering": [[column.name, "desc" if column.descending else "asc"] for column in table.clustering],
        "static": [column.name for column in table.static],
        "types": {column.name: str(column.type) for column in table.columns},
    }


def told_by_cassandra(keyspace: str, expected: dict[str, Any]) -> Schema:
    """Return the schema of what system_schema said, read as CQL."""
    statements = []
    for name, fields in (expected.get("types") or {}).items():
        statements.append(f'CREATE TYPE "{name}" ({", ".join(f"{field} {kind}" for field, kind in fields.items())});')
    for name, told in expected["tables"].items():
        columns = [
            f"{quoted(column)} {kind}{' static' if column in told['static'] else ''}" for column, kind in told["types"].items()
        ]
        clustering = "".join(f", {quoted(column)}" for column, _ in told["clustering"])
        key = f"PRIMARY KEY (({', '.join(map(quoted, told['partition_key']))}){clustering})"
        order = ", ".join(f"{quoted(column)} {direction}" for column, direction in told["clustering"])
        options = f" WITH CLUSTERING ORDER BY ({order})" if order else ""
        statements.append(f"CREATE TABLE {quoted(name)} ({', '.join(columns)}, {key}){options};")
    return read_ddl("\n".join(statements), default_keyspace=keyspace)


def quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


@pytest.mark.parametrize("name", recordings())
def test_the_schema_read_is_the_one_that_cassandra_had(name: str) -> None:
    recording = load(name)
    got = read_ddl(recording.cql)
    want = told_by_cassandra(recording.expected["keyspace"], recording.expected)
    assert {key: facts_of(got.tables[key]) for key in want.tables} == {
        key: facts_of(table) for key, table in want.tables.items()
    }


@pytest.mark.parametrize("name", recordings())
def test_the_schema_of_a_recording_survives_printing(name: str) -> None:
    want = read_ddl(load(name).cql)
    got = read_ddl(describe(want))
    assert {key: facts_of(table) for key, table in got.tables.items()} == {key: facts_of(t) for key, t in want.tables.items()}


def test_columns_that_a_recording_dropped_or_renamed_are_remembered() -> None:
    schema = read_ddl(load("ddl_live").cql)
    got = {table.name: sorted(table.dropped_columns) for table in schema.tables.values() if table.dropped_columns}
    assert got == {"t": ["a", "c"], "t2": ["b"]}
