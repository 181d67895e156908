"""The schema as `system_schema` says it, held to the one that is read from DDL."""

from __future__ import annotations

import msgspec
import pytest

from cdc.ddl import read_ddl
from cdc.errors import SchemaError
from cdc.schema import Schema
from cdc.system_schema import ColumnRow, SystemSchema, TypeRow, read_system_schema
from tests.fixtures.recordings import recordings
from tests.fixtures.system_schemas import schema_recording, schema_recordings


def test_there_is_a_recording_of_every_sample() -> None:
    assert schema_recordings() == sorted([*recordings(), "odd_shapes"])


@pytest.mark.parametrize("name", schema_recordings())
def test_the_rows_of_system_schema_give_the_schema_that_describe_gives(name: str) -> None:
    recording = schema_recording(name)
    assert read_system_schema(recording.rows) == read_ddl(recording.describe)


@pytest.mark.parametrize("name", schema_recordings())
def test_the_rows_of_system_schema_give_the_schema_of_the_statements_that_made_it(name: str) -> None:
    recording = schema_recording(name)
    got = read_system_schema(recording.rows)
    want = read_ddl(";\n".join(recording.cql), default_keyspace=recording.keyspace)
    assert facts(got) == facts(want)


def facts(schema: Schema) -> dict[str, tuple[object, ...]]:
    """Return what statements say of a table whatever the node adds: whether CDC is on by default, names before a rename."""
    return {
        table.full_name: (table.columns, table.gc_grace_seconds, table.default_time_to_live) for table in schema.tables.values()
    }


def test_only_wanted_tables_are_read() -> None:
    rows = schema_recording("odd_shapes").rows
    got = read_system_schema(rows, lambda keyspace, name: (keyspace, name) == ("Odd", "MixedCase"))
    assert list(got.tables) == [("Odd", "MixedCase")]


def with_type(rows: SystemSchema, text: str) -> SystemSchema:
    columns: list[ColumnRow] = [
        msgspec.structs.replace(row, type=text) if row.table_name == "v" and row.column_name == "d" else row
        for row in rows.columns
    ]
    return msgspec.structs.replace(rows, columns=columns)


@pytest.mark.parametrize(
    ("text", "want"),
    [
        ("missing", "unknown type missing in keyspace Odd"),
        ("list<", "the statement ends too early"),
        ("map<int>", "map takes 2 type arguments"),
        ("int int", "cannot read int"),
    ],
)
def test_a_type_that_cannot_be_read_is_told_with_its_column(text: str, want: str) -> None:
    rows = with_type(schema_recording("odd_shapes").rows, text)
    with pytest.raises(SchemaError) as caught:
        read_system_schema(rows)
    assert caught.value.message == f"Odd.v, column d: cannot read the type {text}: {want}"


def test_a_type_in_a_table_that_is_not_wanted_does_no_harm() -> None:
    rows = with_type(schema_recording("odd_shapes").rows, "missing")
    assert len(read_system_schema(rows, lambda _, name: name != "v").tables) == 4


def test_a_type_of_a_keyspace_is_not_seen_in_another() -> None:
    rows = schema_recording("odd_shapes").rows
    moved = [TypeRow("elsewhere", row.type_name, row.field_names, row.field_types) for row in rows.types]
    with pytest.raises(SchemaError, match="unknown type"):
        read_system_schema(msgspec.structs.replace(rows, types=moved))
