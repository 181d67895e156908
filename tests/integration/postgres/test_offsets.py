"""Offsets stand in PostgreSQL with the rows, never go back, and what PostgreSQL has lost is noticed."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from cdc.errors import OffsetsLost
from cdc.event import Position
from sinks.postgres.writer import Writer
from tests.integration.postgres.sink_tables import SinkTables, change, position, topic_of

Make = Callable[[str], SinkTables]


def stored(tables: SinkTables) -> list[Position]:
    return tables.writer().stored_positions()


def test_the_greatest_offset_stays(sink_tables: Make) -> None:
    tables = sink_tables("CREATE TABLE greatest.t (k int PRIMARY KEY);")
    writer = tables.writer()
    for offset in (5, 3, 4):
        writer.apply([], [position("t", offset)])
    assert stored(tables) == [position("t", 5)]


def test_a_recreated_topic_starts_over(sink_tables: Make) -> None:
    tables = sink_tables("CREATE TABLE recreated.t (k int PRIMARY KEY);")
    writer = tables.writer()
    writer.apply([], [position("t", 5)])
    writer.apply([], [position("t", 2, "id-2")])
    assert stored(tables) == [position("t", 2, "id-2")]
    reconnect(writer)
    writer.apply([], [position("t", 3, "id-2")])
    assert stored(tables) == [position("t", 3, "id-2")]


def test_the_later_position_of_a_batch_counts(sink_tables: Make) -> None:
    tables = sink_tables("CREATE TABLE later.t (k int PRIMARY KEY);")
    tables.writer().apply([], [position("t", 4), position("t", 9)])
    assert stored(tables) == [position("t", 9)]


def test_another_group_has_offsets_of_its_own(sink_tables: Make) -> None:
    tables = sink_tables("CREATE TABLE groups.t (k int PRIMARY KEY);")
    tables.writer().apply([], [position("t", 4)])
    tables.group = "another"
    assert stored(tables) == []


def test_rows_and_offsets_are_there_together_or_not_at_all(sink_tables: Make) -> None:
    tables = sink_tables("CREATE TABLE together.t (k int PRIMARY KEY, v text);")
    check = "ALTER TABLE cdc.offsets ADD CONSTRAINT refused CHECK (topic_id <> 'refused')"
    tables.run(check)
    writer = tables.writer()
    writer._gives_up.set()
    try:
        with pytest.raises(Exception, match="CheckViolation"):
            writer.apply([change(tables.layout("t"), ("1",), 1, {"v": "x"})], [position("t", 1, "refused")])
    finally:
        tables.run("ALTER TABLE cdc.offsets DROP CONSTRAINT refused")
    assert (tables.rows("t"), tables.offset("t"), tables.letters) == ({}, None, [])


LOSSES = {
    "a lower offset": "UPDATE cdc.offsets SET next_offset = 3 WHERE group_id = '{group}'",
    "no row": "DELETE FROM cdc.offsets WHERE group_id = '{group}'",
    "no tables at all": "DROP SCHEMA cdc CASCADE",
}


@pytest.mark.parametrize("what", LOSSES)
def test_a_new_connection_notices_what_postgresql_has_lost(own_tables: Make, what: str) -> None:
    tables = own_tables("CREATE TABLE lost.t (k int PRIMARY KEY, v text);")
    writer = tables.writer()
    writer.apply([], [position("t", 5)])
    tables.run(LOSSES[what].format(group=tables.group))
    reconnect(writer)
    with pytest.raises(OffsetsLost):
        writer.apply([change(tables.layout("t"), ("1",), 1, {"v": "x"})], [position("t", 6)])
    assert tables.rows("t") == {}
    assert writer.breaker.fail_counter == 0


def test_offsets_of_others_and_greater_ones_are_no_loss(sink_tables: Make) -> None:
    tables = sink_tables("CREATE TABLE greater.t (k int PRIMARY KEY);")
    writer = tables.writer()
    writer.apply([], [position("t", 5)])
    tables.writer().apply([], [position("t", 8), Position(topic_of("u"), 1, "id-9", 1)])
    reconnect(writer)
    writer.apply([], [position("t", 6)])
    assert tables.offset("t") == 8


def test_a_table_that_postgresql_no_longer_knows_is_made_again(own_tables: Make) -> None:
    tables = own_tables("CREATE TABLE remade.t (k int PRIMARY KEY, v text);")
    writer = tables.writer()
    assert len(writer.layouts) == 1
    tables.run("DROP TABLE remade.t")
    tables.run("TRUNCATE cdc.tables CASCADE")
    tables.run("DROP TABLE cdc.graveyard_1")
    tables.run("CREATE TABLE remade.t (k int PRIMARY KEY, v text, _cdc_ts bigint, _cdc_marker bigint)")
    writer._open().make_stage(tables.layout("t"))
    tables.run("DROP TABLE remade.t")
    writer.apply([change(tables.layout("t"), ("1",), 1, {"v": "x"})], [position("t", 1)])
    assert tables.rows("t") == {("1",): ("x",)}


def reconnect(writer: Writer) -> None:
    writer.close()
