"""Which tables are mirrored, and who is asked for them."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from cdc.ddl import read_ddl
from cdc.errors import CassandraUnavailable, SchemaError, SettingsError
from cdc.schema import Schema
from runtime.catalog import MAX_NEEDS, Catalog, load_schema, select_tables
from runtime.redis_cache import RedisCache
from runtime.settings import RedisSettings, Settings
from runtime.shared_schema import SharedSchema
from tests.fixtures.clusters import ScriptedCluster

CQL = "".join(
    f"CREATE TABLE {name} (a int PRIMARY KEY, n {kind});"
    for name, kind in [
        ("shop.orders", "int"),
        ("shop.order_lines", "int"),
        ("shop.hits", "counter"),
        ("audit.log", "int"),
        ('audit."Log"', "int"),
        ("system.local", "int"),
        ("system_auth.roles", "int"),
        ("systematic.t", "int"),
    ]
)


@pytest.mark.parametrize(
    ("patterns", "want"),
    [
        ((), ["audit.Log", "audit.log", "shop.order_lines", "shop.orders", "systematic.t"]),
        (("shop.*",), ["shop.order_lines", "shop.orders"]),
        (("shop",), ["shop.order_lines", "shop.orders"]),
        (("audit.log", "shop.order?"), ["audit.log", "shop.orders"]),
        (("*.*",), ["audit.Log", "audit.log", "shop.order_lines", "shop.orders", "systematic.t"]),
    ],
)
def test_patterns_name_the_tables_and_system_keyspaces_and_counters_are_left_out(
    patterns: tuple[str, ...], want: list[str]
) -> None:
    got = select_tables(read_ddl(CQL), patterns)
    assert sorted(table.full_name for table in got.tables.values()) == want


def test_counters_and_patterns_that_name_nothing_are_told() -> None:
    with capture_logs() as logs:
        select_tables(read_ddl(CQL), ("shop.*", "nix.*"))
    got = [(line["event"], line.get("pattern") or line.get("table")) for line in logs]
    assert got == [("pattern_names_no_table", "nix.*"), ("counter_table_left_out", "shop.hits")]


def test_a_schema_with_nothing_to_mirror_is_a_problem() -> None:
    with pytest.raises(SchemaError, match="no table to mirror"):
        select_tables(read_ddl(CQL), ("nix.*",))


def settings_for(file: Path | None, **sections: object) -> Settings:
    return Settings.model_validate(
        {
            "kafka": {"bootstrap_servers": "b:1"},
            "postgres": {"dsn": "host=h"},
            "schema": {"file": file},
            "tables": ["audit.*"],
            **sections,
        }
    )


def test_the_schema_comes_from_the_file(tmp_path: Path) -> None:
    file = tmp_path / "schema.cql"
    file.write_text(CQL)
    assert names(load_schema(settings_for(file))) == ["audit.Log", "audit.log"]


def test_without_a_file_there_is_no_schema() -> None:
    with pytest.raises(SettingsError, match=r"schema\.file"):
        load_schema(settings_for(None))


def test_a_cluster_that_is_away_is_told_where_no_file_is_set() -> None:
    cassandra = {"contact_points": "127.0.0.1:1", "timeout_seconds": 2}
    with pytest.raises(CassandraUnavailable, match="Connection refused"):
        load_schema(settings_for(None, cassandra=cassandra))


def names(schema: Schema | None) -> list[str]:
    return [] if schema is None else sorted(table.full_name for table in schema.tables.values())


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def catalog_of(
    cluster: ScriptedCluster | None, file: Path | None = None, *, gives_up: threading.Event | None = None
) -> tuple[Catalog, Clock]:
    """Return a catalog without Redis, and its clock."""
    clock = Clock()
    shared = SharedSchema(cluster, RedisCache(RedisSettings()), ttl_seconds=60) if cluster else None
    return Catalog(shared, file, ("shop.*",), gives_up=gives_up, retry_max_seconds=0.01, clock=clock), clock


T = "CREATE TABLE shop.t (a int PRIMARY KEY);"


def test_the_cluster_says_the_schema_and_the_file_is_not_asked(tmp_path: Path) -> None:
    catalog, _ = catalog_of(ScriptedCluster(T), tmp_path / "missing.cql")
    assert names(catalog.load()) == ["shop.t"]
    assert catalog.origin == "Cassandra 1.0 at scripted"


def test_with_the_cluster_away_the_file_says_it_and_the_cluster_is_believed_when_it_is_back(tmp_path: Path) -> None:
    file, cluster = tmp_path / "schema.cql", ScriptedCluster(T + "CREATE TABLE shop.u (a int PRIMARY KEY);")
    file.write_text(T)
    cluster.is_away = True
    catalog, _ = catalog_of(cluster, file)
    with capture_logs() as logs:
        assert names(catalog.load(patient=True)) == ["shop.t"]
    assert catalog.origin == f"the file {file}, as Cassandra does not answer"
    assert [line["event"] for line in logs] == ["schema_from_elsewhere"]
    cluster.is_away = False
    assert names(catalog.refresh("u")) == ["shop.t", "shop.u"]


def test_a_table_that_did_not_change_stays_the_same_object_and_one_that_is_gone_stays() -> None:
    cluster = ScriptedCluster(T + "CREATE TABLE shop.u (a int PRIMARY KEY); CREATE TABLE shop.v (a int PRIMARY KEY);")
    catalog, _ = catalog_of(cluster)
    before = catalog.load()
    cluster.run("ALTER TABLE shop.u ADD b int; DROP TABLE shop.v; CREATE TABLE shop.w (a int PRIMARY KEY);")
    with capture_logs() as logs:
        after = catalog.refresh("column b of shop.u")
    assert after is catalog.schema
    assert names(after) == ["shop.t", "shop.u", "shop.v", "shop.w"]
    assert after.tables["shop", "t"] is before.tables["shop", "t"]
    assert [column.name for column in after.tables["shop", "u"].columns] == ["a", "b"]
    assert after.tables["shop", "v"] is before.tables["shop", "v"]
    assert catalog.generation == 1
    got = {line["event"]: line["tables"] for line in logs if "tables" in line}
    assert got == {
        "schema_fetched": 3,
        "tables_gone_from_the_schema": ["shop.v"],
        "schema_changed": ["shop.u", "shop.w"],
    }


def test_a_schema_that_is_still_the_same_is_not_read_again() -> None:
    cluster = ScriptedCluster(T)
    catalog, clock = catalog_of(cluster)
    before = catalog.load()
    for _ in range(3):
        clock.now += 2
        assert catalog.refresh("column x of shop.t") is before
    assert (cluster.reads, cluster.questions, catalog.generation) == (1, 4, 0)


def test_what_no_schema_explains_is_asked_for_once_a_second_and_does_not_hide_other_needs() -> None:
    cluster = ScriptedCluster(T)
    catalog, clock = catalog_of(cluster)
    catalog.load()
    for _ in range(1_000):
        catalog.refresh("a topic of nobody")
        clock.now += 0.0009
    assert cluster.questions == 2
    cluster.run("ALTER TABLE shop.t ADD b int;")
    assert names(catalog.refresh("column b")) == ["shop.t"]
    assert catalog.generation == 1


def test_needs_are_remembered_within_bounds() -> None:
    catalog, _ = catalog_of(ScriptedCluster(T))
    catalog.load()
    for number in range(MAX_NEEDS * 2 + 10):
        catalog.refresh(f"topic {number}")
    assert len(catalog._needs) <= MAX_NEEDS


def test_a_refresh_waits_for_a_cluster_that_is_away() -> None:
    cluster = ScriptedCluster(T)
    catalog, _ = catalog_of(cluster)
    catalog.load()
    cluster.run("ALTER TABLE shop.t ADD b int;")
    cluster.is_away = True
    status = catalog._status
    found: list[Schema | None] = []
    waiting = threading.Thread(target=lambda: found.append(catalog.refresh("column b")))
    waiting.start()
    while not status.facts().troubles:
        assert waiting.is_alive()
    assert status.facts().troubles == {"cassandra": "the scripted cluster is away"}
    cluster.is_away = False
    waiting.join()
    assert [names(schema) for schema in found] == [["shop.t"]]
    assert (catalog.generation, status.facts().troubles) == (1, {})


def test_who_is_patient_waits_for_a_cluster_that_is_not_there_yet() -> None:
    cluster = ScriptedCluster(T)
    cluster.is_away = True
    catalog, _ = catalog_of(cluster)
    waiting = threading.Thread(target=catalog.load, kwargs={"patient": True})
    waiting.start()
    while not catalog._status.facts().troubles:
        assert waiting.is_alive()
    cluster.is_away = False
    waiting.join()
    assert names(catalog.schema) == ["shop.t"]
    assert (catalog.origin, catalog._status.facts().troubles) == ("Cassandra 1.0 at scripted", {})


def test_a_process_that_gives_up_waits_no_longer() -> None:
    gives_up, cluster = threading.Event(), ScriptedCluster(T)
    catalog, _ = catalog_of(cluster, gives_up=gives_up)
    catalog.load()
    cluster.is_away = True
    gives_up.set()
    with pytest.raises(CassandraUnavailable):
        catalog.refresh("column b")


def test_a_look_finds_what_no_event_shows_and_a_cluster_that_is_away_costs_a_warning() -> None:
    cluster = ScriptedCluster("CREATE TABLE shop.t (a int PRIMARY KEY, b int);")
    catalog, _ = catalog_of(cluster)
    catalog.load()
    cluster.run("ALTER TABLE shop.t DROP b;")
    cluster.is_away = True
    with capture_logs() as logs:
        catalog.look()
    assert [line["event"] for line in logs] == ["schema_not_looked_at"]
    assert (catalog.generation, catalog._status.facts().troubles) == (0, {})
    cluster.is_away = False
    catalog.look()
    assert catalog.schema.tables["shop", "t"].dropped_columns == {"b"}


def test_a_schema_that_cannot_be_read_changes_nothing() -> None:
    cluster = ScriptedCluster(T)
    catalog, _ = catalog_of(cluster)
    before = catalog.load()
    cluster.run("")
    cluster.odd_type = "no<such"
    with capture_logs() as logs:
        assert catalog.refresh("topic u") is before
    assert [line["event"] for line in logs] == ["schema_not_usable"]


def test_an_empty_cluster_is_a_schema_that_is_still_to_come_for_who_is_patient() -> None:
    catalog, _ = catalog_of(ScriptedCluster())
    with pytest.raises(SchemaError, match="no table to mirror"):
        catalog.load()
    assert names(catalog.load(patient=True)) == []


def test_with_a_file_only_there_is_nobody_to_ask(tmp_path: Path) -> None:
    file = tmp_path / "schema.cql"
    file.write_text(T)
    catalog, _ = catalog_of(None, file)
    catalog.load(patient=True)
    catalog.look()
    assert catalog.refresh("column b") is None
    assert catalog.origin == f"the file {file}"
