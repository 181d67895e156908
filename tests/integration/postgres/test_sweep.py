"""What has expired leaves, what is old is forgotten, and the clock never goes back."""

from __future__ import annotations

import threading
from collections.abc import Callable
from datetime import timedelta

import psycopg
import pytest

from sinks.postgres.connection import connect, lock_table
from sinks.postgres.writer import Writer
from tests.integration.postgres.sink_tables import SinkTables, change, keys, position, range_deletion
from tests.model.mirror import set_clock

Make = Callable[[str], SinkTables]


@pytest.fixture
def tables(own_tables: Make) -> SinkTables:
    return own_tables("CREATE TABLE time.t (p int, c int, a text, b text, PRIMARY KEY (p, c)) WITH gc_grace_seconds = 100;")


def sweep_at(tables: SinkTables) -> list[int | None]:
    return [row[0] for row in tables.query("SELECT _cdc_sweep_at FROM time.t ORDER BY p, c")]


def test_expired_cells_leave_and_the_row_with_the_last_of_them(tables: SinkTables) -> None:
    layout, writer = tables.layout("t"), tables.writer(clock_at=100)
    writer.apply([change(layout, ("1", "1"), 1, {"a": "x"}, marker=False, expires=110)])
    writer.apply([change(layout, ("1", "1"), 2, {"b": "y"}, marker=False, expires=120)])
    shown = []
    for now in (100, 109, 110, 119, 120):
        set_clock(writer, now)
        writer.sweep()
        shown.append((tables.rows("t").get(("1", "1")), sweep_at(tables)))
    assert shown == [(("x", "y"), [110]), (("x", "y"), [110]), ((None, "y"), [120]), ((None, "y"), [120]), (None, [])]
    writer.apply([change(layout, ("1", "1"), 1, {"a": "x"}, marker=False)])
    assert tables.rows("t") == {}


def test_more_rows_than_a_step_takes_are_swept(tables: SinkTables) -> None:
    layout, writer = tables.layout("t"), tables.writer(clock_at=100, sweep_rows=10)
    writer.apply([change(layout, ("1", str(i)), 1, {"a": "x"}, expires=105) for i in range(35)])
    set_clock(writer, 105)
    assert writer.sweep() == 35
    assert (tables.rows("t"), writer.sweep()) == ({}, 0)


def test_rows_that_others_hold_are_left_to_the_next_sweep(tables: SinkTables) -> None:
    layout, writer = tables.layout("t"), tables.writer(clock_at=100)
    writer.apply([change(layout, ("1", c), 1, {"a": "x"}, expires=105) for c in "123"])
    set_clock(writer, 105)
    with connect(tables.dsn) as other, other.transaction():
        other.execute("SELECT FROM time.t WHERE c = 2 FOR UPDATE")
        writer.sweep()
        assert keys(tables.rows("t")) == {"2"}
    writer.sweep()
    assert tables.rows("t") == {}


def test_a_clock_that_something_expired_at_never_goes_back(tables: SinkTables) -> None:
    layout, ahead, behind = tables.layout("t"), tables.writer(clock_at=200), tables.writer(clock_at=100)
    ahead.apply([change(layout, ("1", "1"), 1, {"a": "x"}, expires=150)])
    behind.apply([change(layout, ("1", "2"), 1, {"a": "x"}, expires=150)])
    assert (tables.rows("t"), tables.query("SELECT at FROM cdc.clock")) == ({}, [(200,)])


def test_without_a_fixed_clock_postgresql_has_the_time(tables: SinkTables) -> None:
    layout, writer = tables.layout("t"), tables.writer()
    ((now,),) = tables.query("SELECT extract(epoch FROM now())::bigint")
    writer.apply([change(layout, ("1", str(i)), 1, {"a": "x"}, expires=now + i) for i in (-1, 3_600)])
    assert keys(tables.rows("t")) == {"3600"}


def deleted(tables: SinkTables, writer: Writer) -> None:
    """Bury a row and store a deletion of a partition."""
    layout = tables.layout("t")
    writer.apply([change(layout, ("1", "1"), 5, marker=False, deletion=5), range_deletion(layout, ("2",), 5)])


def remembered(tables: SinkTables) -> tuple[int, int]:
    graveyard = tables.layout("t").graveyard
    return tables.query(f"SELECT (SELECT count(*) FROM {graveyard}), (SELECT count(*) FROM cdc.tombstones)")[0]


@pytest.mark.parametrize(("retention", "kept_for"), [(50, 100), (200, 200)], ids=["gc_grace", "min_retention"])
def test_deletions_are_kept_for_the_longer_of_two_retentions(tables: SinkTables, retention: int, kept_for: int) -> None:
    writer = tables.writer(clock_at=1_000, min_retention=timedelta(seconds=retention))
    deleted(tables, writer)
    set_clock(writer, 1_000 + kept_for)
    assert (writer.purge(), remembered(tables)) == (0, (1, 1))
    set_clock(writer, 1_001 + kept_for)
    assert (writer.purge(), remembered(tables)) == (2, (0, 0))
    assert tables.query("SELECT extract(epoch FROM purged_before)::int FROM cdc.tables") == [(1_000,)]


def test_a_replay_from_before_a_purge_is_refused_and_counted(tables: SinkTables) -> None:
    writer = tables.writer(clock_at=1_000, min_retention=timedelta(0))
    deleted(tables, writer)
    writer.apply([], [position("t", 10)])
    set_clock(writer, 2_000)
    writer.purge()
    layout = tables.layout("t")
    replay = change(layout, ("1", "1"), 4, {"a": "dead"}, offset=9, timestamp_ms=999_000)
    unread = change(layout, ("1", "2"), 4, {"a": "x"}, offset=10, timestamp_ms=999_000)
    young = change(layout, ("1", "3"), 4, {"a": "x"}, offset=9, timestamp_ms=1_000_000)
    timeless = change(layout, ("1", "4"), 4, {"a": "x"}, offset=9)
    outcome = writer.apply([replay, unread, young, timeless], [position("t", 11)])
    assert outcome.refused == [replay]
    assert keys(tables.rows("t")) == {"2", "3", "4"}
    assert tables.offset("t") == 11


def test_a_purge_waits_for_merges_that_go_on(tables: SinkTables) -> None:
    writer = tables.writer(clock_at=1_000, min_retention=timedelta(0))
    deleted(tables, writer)
    set_clock(writer, 2_000)
    with connect(tables.dsn) as merging, merging.transaction():
        lock_table(merging.cursor(), tables.layout("t").table_id, shared=True)
        purging = threading.Thread(target=writer.purge)
        purging.start()
        wait_until_blocked(tables.reader)
        assert remembered(tables) == (1, 1)
    purging.join()
    assert remembered(tables) == (0, 0)


def wait_until_blocked(connection: psycopg.Connection) -> None:
    query = """
        SELECT EXISTS (SELECT FROM pg_locks WHERE locktype = 'advisory' AND NOT granted
            AND database = (SELECT oid FROM pg_database WHERE datname = current_database()))
    """
    while not (connection.execute(query).fetchone() or (False,))[0]:
        connection.execute("SELECT pg_sleep(0.01)")
