"""The writer while Cassandra's schema changes: tables follow without a restart, changes read before go to the new columns."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from random import Random
from typing import Any

import psycopg
import pytest

from cdc.event import ABSENT, Change, Record, RowState, Value
from cdc.schema import Column, Table
from cdc.system_schema import read_system_schema
from runtime.catalog import Catalog
from runtime.redis_cache import RedisCache
from runtime.settings import RedisSettings
from runtime.shared_schema import SharedSchema
from sinks.postgres.table_layouts import TableLayouts
from sinks.postgres.writer import Writer, WriterOptions
from tests.fixtures.clusters import ScriptedCluster
from tests.integration.postgres.sink_tables import position, topic_of
from tests.model.plain import perhaps_plain

DDL = "CREATE TABLE live.t (k int PRIMARY KEY, b text, d text); CREATE TABLE live.other (k int PRIMARY KEY, b text);"
FAR = 4_000_000_000


class Process:
    """One process of the mirror: its catalog and its writer."""

    def __init__(self, dsn: str, cluster: ScriptedCluster, *, create_tables: bool = True) -> None:
        shared = SharedSchema(cluster, RedisCache(RedisSettings()), ttl_seconds=60)
        self.catalog = Catalog(shared, None, ("live.*",), clock=iter(range(0, 100_000, 10)).__next__)
        self.catalog.load()
        layouts = TableLayouts(dsn, self.catalog, create_tables=create_tables)
        options = WriterOptions(dsn, "g", retry_initial=0.01, retry_max=0.1, schema_generation=lambda: self.catalog.generation)
        self.writer = Writer(options, layouts, lambda _: None)
        _ = self.writer.layouts

    def table(self, name: str = "t") -> Table:
        return self.catalog.schema.tables["live", name]

    def learn(self) -> None:
        self.catalog.refresh("what a record needs")

    def close(self) -> None:
        self.writer.close()


class World:
    """A cluster, a database, and the processes between them."""

    def __init__(self, dsn: str) -> None:
        self.dsn = dsn
        self.cluster = ScriptedCluster(DDL)
        self.processes: list[Process] = []

    def process(self, *, create_tables: bool = True) -> Process:
        self.processes.append(Process(self.dsn, self.cluster, create_tables=create_tables))
        return self.processes[-1]

    def columns(self) -> tuple[Column, ...]:
        """Return the regular columns that Cassandra has now."""
        _, rows = self.cluster.read()
        return read_system_schema(rows).tables["live", "t"].regular

    def rows(self, columns: str, name: str = "t") -> list[tuple[object, ...]]:
        return self.query(f"SELECT {columns} FROM live.{name} ORDER BY k")

    def query(self, statement: str) -> list[tuple[object, ...]]:
        with psycopg.connect(self.dsn, autocommit=True) as connection:
            return connection.execute(statement.encode()).fetchall()


@pytest.fixture
def world(postgres_dsn: str) -> Iterator[World]:
    world = World(postgres_dsn)
    yield world
    for process in world.processes:
        process.close()


def change(table: Table, key: str, ts: int, *, marker: bool = True, expires: int | None = None, **values: str | None) -> Change:
    cells: list[Value] = [values.get(column.name, ABSENT) for column in table.regular]
    state = RowState((key,), ts, cells, ts if marker else None, is_whole=ABSENT not in cells and None not in cells)
    if expires is not None:
        state.expires, state.marker_expires = [expires] * len(cells), expires
    return perhaps_plain(Change(table, state, Record(topic_of(table.name), 0, 0, -1, None, None)))


def test_a_column_that_is_added_is_there_before_the_first_row_that_has_it(world: World) -> None:
    process = world.process()
    old = process.table()
    process.writer.apply([change(old, "1", 1, b="x", d="y")])
    world.cluster.run("ALTER TABLE live.t ADD a text; ALTER TABLE live.t ADD c int;")
    process.learn()
    new = process.table()
    process.writer.apply(
        [
            change(new, "2", 2, a="a2", b="b2", c="2", d="d2"),
            change(old, "3", 3, b="b3", d="d3"),
            change(old, "2", 1, b="-", d="-"),
        ]
    )
    assert world.rows("k, a, b, c, d") == [
        (1, None, "x", None, "y"),
        (2, "a2", "b2", 2, "d2"),
        (3, None, "b3", None, "d3"),
    ]


def test_a_table_that_is_made_while_the_process_runs_is_mirrored(world: World) -> None:
    process = world.process()
    process.writer.apply([change(process.table(), "1", 1, b="x")])
    world.cluster.run("CREATE TABLE live.young (k int PRIMARY KEY, b text);")
    process.learn()
    changes = [change(process.table("young"), "5", 1, b="y"), change(process.table(), "2", 1, b="x")]
    process.writer.apply(changes, [position("young", 1)])
    assert (world.rows("k, b", "young"), world.rows("k, b")) == ([(5, "y")], [(1, "x"), (2, "x")])


def test_a_column_that_is_dropped_goes_and_takes_what_was_read_of_it_along(world: World) -> None:
    process = world.process()
    old = process.table()
    process.writer.apply([change(old, "1", 1, b="x", d="y")])
    world.cluster.run("ALTER TABLE live.t DROP b;")
    process.catalog.look()
    process.writer.apply(
        [
            change(old, "2", 2, b="b2", d="d2"),
            change(old, "3", 2, b="b3", marker=False),
            change(old, "4", 2, b="b4"),
            change(old, "1", 3, b="b5", marker=False),
        ],
        [position("t", 9)],
    )
    assert world.rows("k, d") == [(1, "y"), (2, "d2"), (4, None)]
    assert world.query("SELECT next_offset FROM cdc.offsets") == [(9,)]
    columns = "SELECT column_name FROM information_schema.columns WHERE table_schema = 'live' AND table_name = 't'"
    assert ("b",) not in world.query(columns)


def test_a_batch_made_ready_before_the_change_is_written_behind_it(world: World) -> None:
    process = world.process()
    old = process.table()
    before = process.writer.prepare([change(old, "1", 1, b="b1", d="d1")], [position("t", 1)])
    world.cluster.run("ALTER TABLE live.t ADD a text;")
    process.learn()
    after = process.writer.prepare([change(process.table(), "2", 1, a="a2", b="b2", d="d2")], [position("t", 2)])
    process.writer.write(before)
    process.writer.write(after)
    assert world.rows("k, a, b, d") == [(1, None, "b1", "d1"), (2, "a2", "b2", "d2")]
    assert process.writer.halted == {}


def test_a_process_that_is_behind_follows_the_one_that_altered_the_table(world: World) -> None:
    first, second = world.process(), world.process()
    old = second.table()
    second.writer.apply([change(old, "1", 1, b="b1", d="d1")])
    world.cluster.run("ALTER TABLE live.t ADD a text;")
    first.learn()
    first.writer.apply([change(first.table(), "2", 1, a="a2", b="b2", d="d2")])
    second.writer.apply([change(old, "3", 1, b="b3", d="d3")])
    assert world.rows("k, a, b, d") == [(1, None, "b1", "d1"), (2, "a2", "b2", "d2"), (3, None, "b3", "d3")]
    assert second.catalog.generation == 1
    second.writer.apply([change(second.table(), "4", 1, a="a4")])
    assert world.rows("k, a")[-1] == (4, "a4")


def test_what_expires_is_swept_from_an_altered_table(world: World) -> None:
    process = world.process()
    old = process.table()
    process.writer.apply([change(old, "1", 1, b="b1", d="d1", expires=FAR)])
    with closing(Writer(process.writer._options, process.writer._read_layouts, lambda _: None)) as sweeper:
        assert sweeper.sweep() == 0
        world.cluster.run("ALTER TABLE live.t ADD a text;")
        process.learn()
        process.writer.apply([change(process.table(), "2", 1, a="a2", expires=1), change(old, "3", 1, b="b3", expires=1)])
        sweeper.sweep()
        assert world.rows("k, a, b") == [(1, None, "b1")]
        assert sweeper.halted == {}


def halted_after(world: World, process: Process, cql: str) -> None:
    """A table that cannot be followed waits, its offset too, and the others go on."""
    process.writer.apply([change(process.table(), "1", 1, b="x")], [position("t", 1)])
    world.cluster.run(cql)
    process.learn()
    changes = [change(process.table(), "2", 2, b="y"), change(process.table("other"), "2", 2, b="y")]
    process.writer.apply(changes, [position("t", 2), position("other", 2)])
    assert process.writer.halted == {"live.t": ""}
    assert world.rows("k") == [(1,)]
    assert world.rows("k, b", "other") == [(2, "y")]
    assert sorted(world.query("SELECT topic, next_offset FROM cdc.offsets")) == [("cdc.other", 2), ("cdc.t", 1)]


def test_a_table_made_anew_with_another_key_halts_alone(world: World) -> None:
    process = world.process()
    halted_after(world, process, "DROP TABLE live.t; CREATE TABLE live.t (k bigint PRIMARY KEY, b text, d text);")


def test_a_table_made_anew_with_another_type_halts_alone(world: World) -> None:
    process = world.process()
    halted_after(world, process, "DROP TABLE live.t; CREATE TABLE live.t (k int PRIMARY KEY, b text, d int);")


def test_where_no_table_may_be_altered_the_one_that_changed_halts_alone(world: World) -> None:
    world.process()
    process = world.process(create_tables=False)
    halted_after(world, process, "ALTER TABLE live.t ADD a text;")


def test_rows_of_a_table_that_cassandra_dropped_are_still_written(world: World) -> None:
    process = world.process()
    old = process.table()
    process.writer.apply([change(old, "1", 1, b="x")])
    world.cluster.run("DROP TABLE live.t;")
    process.learn()
    process.writer.apply([change(old, "2", 1, b="y")])
    assert world.rows("k, b") == [(1, "x"), (2, "y")]


def test_options_change_nothing_but_themselves(world: World) -> None:
    process = world.process()
    before = process.writer.layouts["live.t"]
    world.cluster.run("ALTER TABLE live.other WITH gc_grace_seconds = 5;")
    process.learn()
    assert process.writer.layouts["live.t"] is before
    assert process.writer.layouts["live.other"].table.gc_grace_seconds == 5
    assert process.writer.layouts["live.other"].version == 1


@pytest.mark.parametrize("seed", [1, 2])
def test_processes_that_write_while_columns_come_and_go_end_with_every_cell(world: World, seed: int) -> None:
    random, data = Random(seed), Random(seed)  # how much data there is depends on who has learnt what
    processes = [world.process() for _ in range(3)]
    stamps, newest = itertools.count(1), dict[tuple[str, str], str]()

    def some_changes(process: Process) -> list[Change]:
        """Return inserts of what the process knows of the table, and remember what each cell shall be in the end."""
        table, made = process.table(), []
        for key in data.choices("123456789", k=20):
            ts = next(stamps)
            values: dict[str, Any] = {column.name: f"{column.name}{ts}" for column in table.regular if data.random() < 0.7}
            newest.update({(key, name): value for name, value in values.items()})
            made.append(change(table, key, ts, **values))
        return made

    with ThreadPoolExecutor(len(processes)) as pool:
        for step in range(12):
            written = [pool.submit(process.writer.apply, some_changes(process)) for process in processes]
            known = [column.name for column in world.columns() if column.name != "b"]
            name = f"n{step}" if random.random() < 0.7 or not known else None
            world.cluster.run(
                f"ALTER TABLE live.t ADD {name} text;" if name else f"ALTER TABLE live.t DROP {random.choice(known)};"
            )
            random.choice(processes).learn()
            for one in written:
                one.result()
    for process in processes:
        process.learn()
        process.writer.apply([change(process.table(), "1", 0)])
    columns = [column.name for column in world.columns()]
    got = {
        (str(row[0]), name): value
        for row in world.rows(", ".join(["k", *columns]))
        for name, value in zip(columns, row[1:], strict=True)
        if value is not None
    }
    assert got == {cell: value for cell, value in newest.items() if cell[1] in columns}
    assert [process.writer.halted for process in processes] == [{}] * len(processes)
