"""PostgreSQL follows the Cassandra schema, and refuses clearly what it cannot follow."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import psycopg
import pytest
from alembic import command
from sqlalchemy import create_engine, pool

from cdc.ddl import read_ddl
from cdc.errors import SchemaError
from cdc.schema import Table
from sinks.postgres.cdc_schema_upgrade import migrations
from sinks.postgres.judged import TABLES
from sinks.postgres.migrate import migrate
from sinks.postgres.tombstones import NOT_APPLIED
from tests.integration.postgres.sink_tables import SinkTables, change
from tests.model.stored import stored_states

Make = Callable[[str], SinkTables]


def tables_of(ddl: str) -> list[Table]:
    return list(read_ddl(ddl).tables.values())


def slots(dsn: str, ddl: str, *, create_tables: bool = True) -> dict[str, int]:
    """Bring PostgreSQL to a schema and return the slot of each column of its first table."""
    (layout, *_) = migrate(dsn, tables_of(ddl), create_tables=create_tables)
    return {column.name: column.slot for column in layout.columns}


def test_migrating_again_changes_nothing(module_dsn: str) -> None:
    ddl = "CREATE TABLE again.t (k int PRIMARY KEY, a text, b frozen<list<text>>);"
    first = migrate(module_dsn, tables_of(ddl))
    second = migrate(module_dsn, tables_of(ddl))
    assert [(layout.table_id, layout.version, layout.slots) for layout in second] == [
        (layout.table_id, 1, layout.slots) for layout in first
    ]


def test_four_processes_at_once_make_the_tables_once(postgres_dsn: str) -> None:
    ddl = "".join(f"CREATE TABLE once.t{i} (k int PRIMARY KEY, v text);" for i in range(3))
    with ThreadPoolExecutor(4) as pool:
        ids = list(pool.map(lambda _: [layout.table_id for layout in migrate(postgres_dsn, tables_of(ddl))], range(4)))
    assert ids == [ids[0]] * 4


def test_a_slot_is_never_used_again(module_dsn: str) -> None:
    created = "CREATE TABLE slots.t (k int PRIMARY KEY, a text, b text);"
    dropped = f"{created} ALTER TABLE slots.t DROP b;"
    added = f"{dropped} ALTER TABLE slots.t ADD (b text, c int);"
    assert slots(module_dsn, created) == {"a": 2, "b": 3}
    assert slots(module_dsn, dropped) == {"a": 2}
    assert slots(module_dsn, added) == {"a": 2, "b": 4, "c": 5}


def test_a_column_added_again_is_empty_and_remembers_deletions(sink_tables: Make) -> None:
    tables = sink_tables("CREATE TABLE readd.t (k int PRIMARY KEY, a text, b text);")
    writer = tables.writer()
    writer.apply([change(tables.layout("t"), ("1",), 5, {"a": "x", "b": "y"})])
    writer.apply([change(tables.layout("t"), ("2",), 9, deletion=9, marker=False)])
    ddl = "CREATE TABLE readd.t (k int PRIMARY KEY, a text, b text); ALTER TABLE readd.t DROP b;"
    migrate(tables.dsn, tables_of(ddl))
    tables.tables = tables_of(f"{ddl} ALTER TABLE readd.t ADD b text;")
    tables.layouts = tables.read_layouts()
    writer = tables.writer()
    writer.apply([change(tables.layout("t"), (key,), 6, {"b": "z"}, marker=False) for key in ("1", "2", "3")])
    assert tables.rows("t") == {("1",): ("x", "z"), ("3",): (None, "z")}


def test_rows_of_a_wide_table_from_before_columns_were_added_keep_their_timestamps(sink_tables: Make) -> None:
    ddl = f"CREATE TABLE widened.t (k int PRIMARY KEY, {', '.join(f'c{n:02} int' for n in range(50))});"
    tables = sink_tables(ddl)
    tables.writer().apply([change(tables.layout("t"), ("1",), 5, {"c07": "1", "c30": "1"})])
    tables.writer().apply([change(tables.layout("t"), ("1",), 7, {"c30": "2"}, marker=False)])
    tables.tables = tables_of(f"{ddl} ALTER TABLE widened.t ADD (early int, late int);")
    tables.layouts = tables.read_layouts()
    layout, writer = tables.layout("t"), tables.writer()
    for ts, value in ((8, {"late": "3"}), (9, {"c31": "4"}), (6, {"c07": "5", "late": "6", "c30": "7"})):
        writer.apply([change(layout, ("1",), ts, value, marker=False)])
    state = stored_states(tables.reader, layout)["1",]
    assert state.stamps is not None
    want = {"c07": ("5", 6), "c30": ("2", 7), "c31": ("4", 9), "late": ("3", 8)}
    cells = zip(layout.columns, state.values, state.stamps, strict=True)
    assert {column.name: (value, stamp) for column, value, stamp in cells if stamp is not None} == want


REFUSED = {
    "a changed type": ("k int PRIMARY KEY, v text", "k int PRIMARY KEY, v int", "v have another type"),
    "a renamed key": ("k int PRIMARY KEY, v text", "k2 int PRIMARY KEY, v text", r"primary key is \(\(k2 int\)\)"),
    "a retyped key": ("k int PRIMARY KEY, v text", "k bigint PRIMARY KEY, v text", r"primary key is \(\(k bigint\)\)"),
    "another partition key": ("k int, c int, PRIMARY KEY (k, c)", "k int, c int, PRIMARY KEY ((k, c))", "primary key is"),
    "a column it never heard of": ("k int PRIMARY KEY, v text", "k int PRIMARY KEY", "PostgreSQL has columns v too"),
}


@pytest.mark.parametrize("what", REFUSED)
def test_what_cannot_be_followed_is_refused(postgres_dsn: str, what: str) -> None:
    before, after, message = REFUSED[what]
    migrate(postgres_dsn, tables_of(f"CREATE TABLE refused.t ({before});"))
    with pytest.raises(SchemaError, match=message):
        migrate(postgres_dsn, tables_of(f"CREATE TABLE refused.t ({after});"))


@pytest.mark.parametrize("what", ["missing", "another column"])
def test_nothing_is_made_or_altered_where_it_may_not_be(postgres_dsn: str, what: str) -> None:
    if what != "missing":
        migrate(postgres_dsn, tables_of("CREATE TABLE fixed.t (k int PRIMARY KEY);"))
    with pytest.raises(SchemaError, match=r"fixed\.t"):
        migrate(postgres_dsn, tables_of("CREATE TABLE fixed.t (k int PRIMARY KEY, v text);"), create_tables=False)


def test_a_users_table_of_that_name_is_left_alone(postgres_dsn: str) -> None:
    with psycopg.connect(postgres_dsn) as connection:
        connection.execute("CREATE SCHEMA taken")
        connection.execute("CREATE TABLE taken.t (mine text)")
    for _ in range(2):
        with pytest.raises(SchemaError, match='relation "t" already exists'):
            migrate(postgres_dsn, tables_of("CREATE TABLE taken.t (k int PRIMARY KEY, v text);"))


def test_a_table_of_more_columns_than_postgresql_holds_is_a_schema_error(postgres_dsn: str) -> None:
    columns = ", ".join(f"c{i} int" for i in range(1_601))
    with pytest.raises(SchemaError, match="54011"):
        migrate(postgres_dsn, tables_of(f"CREATE TABLE wide.t (k int PRIMARY KEY, {columns});"))


def test_a_writer_reads_a_layout_again_that_another_process_altered(sink_tables: Make) -> None:
    tables = sink_tables("CREATE TABLE replaced.t (k int PRIMARY KEY, a text);")
    old = tables.layout("t")
    writer = tables.writer(clock_at=100)
    writer.apply([change(old, ("1",), 1, {"a": "x"})])
    tables.tables = tables_of("CREATE TABLE replaced.t (k int PRIMARY KEY, a text); ALTER TABLE replaced.t ADD b text;")
    tables.layouts = tables.read_layouts()
    new = tables.layout("t")
    assert (old.version, new.version) == (1, 2)
    writer.apply([change(new, ("2",), 1, {"a": "x", "b": "y"})])
    assert tables.rows("t") == {("1",): ("x", None), ("2",): ("x", "y")}


def test_a_sweep_with_an_old_layout_buries_nothing_that_a_new_column_shows(sink_tables: Make) -> None:
    tables = sink_tables("CREATE TABLE oldsweep.t (k int PRIMARY KEY, a text);")
    sweeper = tables.writer(clock_at=100)
    sweeper.sweep()
    tables.tables = tables_of("CREATE TABLE oldsweep.t (k int PRIMARY KEY, a text); ALTER TABLE oldsweep.t ADD b text;")
    tables.layouts = tables.read_layouts()
    layout = tables.layout("t")
    writer = tables.writer(clock_at=100)
    writer.apply([change(layout, ("1",), 1, {"b": "kept"}, marker=False)])
    writer.apply([change(layout, ("1",), 1, {"a": "gone"}, marker=False, expires=100)])
    writer.apply(
        [change(layout, ("2",), 1, {"a": "gone"}, expires=101), change(layout, ("2",), 1, {"b": "kept"}, marker=False)]
    )
    object.__setattr__(sweeper._options, "clock_at", 110)
    sweeper.sweep()
    assert tables.rows("t") == {("1",): (None, "kept"), ("2",): (None, "kept")}


def test_every_text_of_a_key_is_ordered_by_bytes(module_dsn: str) -> None:
    migrate(module_dsn, tables_of("CREATE TABLE bytewise.t (p text, c frozen<list<text>>, v text, PRIMARY KEY (p, c));"))
    query = """
        SELECT attname FROM pg_attribute
        WHERE attrelid = 'bytewise.t'::regclass AND attcollation = 'pg_catalog."C"'::regcollation
    """
    with psycopg.connect(module_dsn) as connection:
        assert sorted(row[0] for row in connection.execute(query)) == ["c", "p", "v"]


def test_the_tombstones_of_an_older_version_are_kept_and_found(postgres_dsn: str) -> None:
    schema = tables_of("CREATE TABLE older.t (p int, c int, v text, PRIMARY KEY (p, c));")
    config = migrations()
    engine = create_engine("postgresql+psycopg://", creator=lambda: psycopg.connect(postgres_dsn), poolclass=pool.NullPool)
    with engine.begin() as alchemy:
        alchemy.exec_driver_sql("CREATE SCHEMA cdc")
        config.attributes["connection"] = alchemy
        command.upgrade(config, "0002")
    with psycopg.connect(postgres_dsn) as connection:
        connection.execute(
            "INSERT INTO cdc.tables (keyspace, name, pg_schema, pg_table, gc_grace_seconds) VALUES ('o', 'o', 'o', 'o', 0)"
        )
        connection.execute(
            "INSERT INTO cdc.tombstones (table_id, partition_hash, partition_key, partition_bytes, range_start, range_end,"
            " deletion_ts, applied, stored_at) SELECT 1, int4send(i), '{1}', '', '', '', i, i > 1, now()"
            " FROM generate_series(1, 3) AS i"
        )
    migrate(postgres_dsn, schema)
    migrate(postgres_dsn, schema)
    with psycopg.connect(postgres_dsn) as connection:
        assert connection.execute(NOT_APPLIED, {"table_id": 1, "limit": 10}).fetchall() == [(1, ["1"], b"", b"", b"", 1)]
        assert [row[-1] for row in connection.execute(TABLES, ([1],))] == [3]
