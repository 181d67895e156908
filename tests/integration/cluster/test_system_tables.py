"""What is read of `system_schema`, of a real node: the recordings still hold, and so does the scripted twin."""

from __future__ import annotations

from collections.abc import Iterator

import msgspec
import pytest
from cassandra.cluster import Session

from cdc.ddl import read_ddl
from cdc.errors import CassandraUnavailable
from cdc.schema_document import fingerprint_of
from cdc.system_schema import SystemSchema, read_system_schema
from runtime.cassandra.client import CassandraClient
from runtime.cassandra.system_tables import SystemTables
from runtime.catalog import open_catalog
from runtime.embedded.cassandra import CassandraServer
from runtime.settings import CassandraSettings, Settings
from tests.fixtures.clusters import rows_of
from tests.fixtures.system_schemas import schema_recording

pytestmark = pytest.mark.real


@pytest.fixture
def tables(node: CassandraServer) -> Iterator[SystemTables]:
    found = SystemTables(CassandraClient(CassandraSettings(contact_points=(node.contact_point,), timeout_seconds=30)))
    yield found
    found.close()


def rows_in(rows: SystemSchema, keyspace: str) -> dict[str, list[object]]:
    """Return the rows of one keyspace, in an order of ours."""
    found = {}
    for name in SystemSchema.__struct_fields__:
        of_keyspace = [row for row in getattr(rows, name) if row.keyspace_name == keyspace]
        found[name] = sorted(of_keyspace, key=msgspec.json.encode)
    return found


@pytest.mark.parametrize("name", ["odd_shapes", "ddl_live", "udt_tuple", "composite_pk", "counters", "statics"])
def test_the_node_says_what_was_recorded_and_what_describe_says(cql: Session, tables: SystemTables, name: str) -> None:
    recording = schema_recording(name)
    quoted = f'"{recording.keyspace}"'
    for statement in recording.cql:
        in_use = statement.replace("CREATE TABLE ", f"CREATE TABLE {quoted}.") if "." not in statement[:40] else statement
        cql.execute(statement if statement.startswith("CREATE KEYSPACE") else in_use)
    try:
        version, rows = tables.read()
        described = cql.execute(f"DESCRIBE KEYSPACE {quoted} WITH INTERNALS")
        text = "\n".join(row.create_statement for row in described)
        assert rows_in(rows, recording.keyspace) == rows_in(recording.rows, recording.keyspace)
        assert read_system_schema(rows, lambda keyspace, _: keyspace == recording.keyspace) == read_ddl(text)
        assert version == tables.version()
    finally:
        cql.execute(f"DROP KEYSPACE {quoted}")


def test_the_scripted_cluster_says_what_the_node_says(cql: Session, tables: SystemTables, own_keyspace: str) -> None:
    script = [
        f"CREATE TABLE {own_keyspace}.t (a int, b text, c frozen<list<int>>, s int static, d map<text, int>, gone int,"
        " PRIMARY KEY ((a, b), c)) WITH CLUSTERING ORDER BY (c DESC) AND cdc = true AND gc_grace_seconds = 7",
        f"ALTER TABLE {own_keyspace}.t DROP gone",
        f"CREATE TABLE {own_keyspace}.n (a int PRIMARY KEY, n counter) WITH cdc = false",
    ]
    for statement in script:
        cql.execute(statement)
    _, rows = tables.read()
    assert rows_in(rows, own_keyspace) == rows_in(rows_of(";".join(script)), own_keyspace)


def test_the_version_changes_with_the_schema_and_with_nothing_else(
    cql: Session, tables: SystemTables, own_keyspace: str
) -> None:
    versions = []
    for statement in (
        f"CREATE TABLE {own_keyspace}.t (a int PRIMARY KEY)",
        f"INSERT INTO {own_keyspace}.t (a) VALUES (1)",
        f"ALTER TABLE {own_keyspace}.t ADD b int",
        f"ALTER TABLE {own_keyspace}.t WITH gc_grace_seconds = 5",
        f"CREATE TYPE {own_keyspace}.u (x int)",
        f"ALTER TABLE {own_keyspace}.t DROP b",
    ):
        cql.execute(statement)
        versions.append(tables.version())
    assert versions[0] == versions[1]
    assert len(set(versions)) == len(versions) - 1


def test_a_catalog_follows_the_node(node: CassandraServer, cql: Session, own_keyspace: str) -> None:
    cql.execute(f"CREATE TABLE {own_keyspace}.t (a int PRIMARY KEY, b int)")
    settings = Settings.model_validate(
        {
            "kafka": {"bootstrap_servers": "b:1"},
            "postgres": {"dsn": "host=h"},
            "cassandra": {"contact_points": (node.contact_point,)},
            "tables": (own_keyspace,),
        }
    )
    catalog = open_catalog(settings)
    try:
        before = catalog.load().tables[own_keyspace, "t"]
        assert catalog.origin == f"Cassandra {catalog.node()}"
        assert catalog.refresh("nothing new") is catalog.schema
        cql.execute(f"ALTER TABLE {own_keyspace}.t ADD c text")
        cql.execute(f"ALTER TABLE {own_keyspace}.t DROP b")
        catalog.refresh("column c")
        after = catalog.schema.tables[own_keyspace, "t"]
        assert ([column.name for column in after.columns], after.dropped_columns) == (["a", "c"], frozenset({"b"}))
        assert fingerprint_of(before) != fingerprint_of(after)
    finally:
        catalog.close()


def test_a_node_that_stops_is_told_and_found_again(node: CassandraServer, tables: SystemTables) -> None:
    tables.version()
    node.stop()
    try:
        with pytest.raises(CassandraUnavailable):
            tables.version()
    finally:
        node.start()
    assert tables.version()
