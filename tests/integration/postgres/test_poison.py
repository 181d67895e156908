"""Rows that only PostgreSQL refuses go alone; a table that PostgreSQL refuses is halted alone."""

from __future__ import annotations

import random
import string
from collections.abc import Callable

import pytest

from cdc.event import Bound, Change, Rejected
from tests.integration.postgres.sink_tables import SinkTables, change, keys, position, range_deletion

TOO_LONG = "".join(random.Random(1).choices(string.printable[:94], k=9_000))  # an index row holds 2,704 bytes

Make = Callable[[str], SinkTables]


def batch_with(tables: SinkTables, bad: set[int], size: int = 5_000) -> list[Change]:
    layout = tables.layout("t")
    return [change(layout, (str(i) + (TOO_LONG if i in bad else ""),), 1, {"v": "x"}, offset=i) for i in range(size)]


@pytest.mark.parametrize("bad", [{0}, {4_999}, {1_234}, {17, 4_321}], ids=str)
def test_of_5000_rows_only_the_bad_ones_are_dead_letters(own_tables: Make, bad: set[int]) -> None:
    tables = own_tables("CREATE TABLE poison.t (k text PRIMARY KEY, v text);")
    outcome = tables.writer().apply(batch_with(tables, bad), [position("t", 5_000)])
    letters = {(letter.record.offset, letter.error_type, letter.sqlstate, letter.stage) for letter in tables.letters}
    assert letters == {(i, "PoisonRow", "54000", "postgres") for i in bad}
    assert {found.record.offset for found in outcome.poison} == bad
    assert keys(tables.rows("t")) == {str(i) for i in range(5_000) if i not in bad}
    assert tables.offset("t") == 5_000


def test_offsets_wait_until_the_dead_letter_is_confirmed(sink_tables: Make) -> None:
    tables = sink_tables("CREATE TABLE unconfirmed.t (k text PRIMARY KEY, v text);")
    seen: list[int | None] = []
    writer = tables.writer()

    def confirm(rejected: list[Rejected]) -> None:
        seen.append(tables.offset("t"))
        raise ConnectionError(len(rejected))

    writer._confirm_dead_letters = confirm
    with pytest.raises(ConnectionError):
        writer.apply(batch_with(tables, {1}, 10), [position("t", 10)])
    assert (seen, tables.offset("t")) == ([None], None)


def test_a_constraint_of_the_user_makes_a_dead_letter(sink_tables: Make) -> None:
    tables = sink_tables("CREATE TABLE constrained.t (k int PRIMARY KEY, v int);")
    tables.run("ALTER TABLE constrained.t ADD CHECK (v < 10)")
    layout = tables.layout("t")
    tables.writer().apply([change(layout, (str(i),), 1, {"v": str(i)}, offset=i) for i in range(12)], [position("t", 12)])
    assert [(letter.record.offset, letter.sqlstate) for letter in tables.letters] == [(10, "23514"), (11, "23514")]
    assert len(tables.rows("t")) == 10


def test_equal_keys_in_different_text_are_one_row(sink_tables: Make) -> None:
    tables = sink_tables("CREATE TABLE equal.t (p int, c decimal, v text, PRIMARY KEY (p, c));")
    layout = tables.layout("t")
    both = [change(layout, ("1", "1.0"), 1, {"v": "old"}), change(layout, ("1", "1.00"), 2, {"v": "new"})]
    tables.writer().apply(both)
    assert (tables.letters, list(tables.rows("t").values())) == ([], [("new",)])


def test_a_deletion_with_a_bound_longer_than_an_index_row_is_applied(sink_tables: Make) -> None:
    tables = sink_tables("CREATE TABLE longbound.t (p int, c text, v text, PRIMARY KEY (p, c));")
    layout = tables.layout("t")
    writer = tables.writer()
    writer.apply([change(layout, ("1", text), 1, {"v": "x"}) for text in ("0", "z", "~")])
    deletions = [range_deletion(layout, ("1",), ts, Bound((f"y{TOO_LONG}".encode(),))) for ts in (5, 6)]
    writer.apply([deletions[0]])
    writer.apply([deletions[1]])
    assert (tables.letters, keys(tables.rows("t"))) == ([], {"0"})
    assert tables.query("SELECT deletion_ts FROM cdc.tombstones WHERE table_id = %s", layout.table_id) == [(6,)]


BREAKS = {
    "a column dropped": ("ALTER TABLE {t} DROP COLUMN v", 'ALTER TABLE {t} ADD COLUMN v text COLLATE "C"'),
    "the table renamed": ("ALTER TABLE {t} RENAME TO elsewhere", "ALTER TABLE halted.elsewhere RENAME TO t"),
}


@pytest.mark.parametrize("what", BREAKS)
def test_only_the_table_that_is_refused_is_halted_and_a_restart_catches_up(own_tables: Make, what: str) -> None:
    tables = own_tables("CREATE TABLE halted.t (k int PRIMARY KEY, v text); CREATE TABLE halted.u (k int PRIMARY KEY, v text);")
    t, u = tables.layout("t"), tables.layout("u")
    broken, mended = (statement.format(t=t.relation) for statement in BREAKS[what])
    writer = tables.writer()
    writer.apply([change(t, ("0",), 1, {"v": "a"}), change(u, ("0",), 1, {"v": "a"})], [position("t", 1), position("u", 1)])
    tables.run(broken)
    for i in (1, 2):
        both = [change(t, (str(i),), 1, {"v": "a"}, offset=i), change(u, (str(i),), 1, {"v": "a"}, offset=i)]
        writer.apply(both, [position("t", i + 1), position("u", i + 1)])
    assert (list(writer.halted), tables.letters) == (["halted.t"], [])
    assert (tables.offset("t"), tables.offset("u"), keys(tables.rows("u"))) == (1, 3, {"0", "1", "2"})
    writer.sweep()
    writer.purge()
    tables.run(mended)
    tables.writer().apply([change(t, (str(i),), 1, {"v": "a"}) for i in (1, 2)], [position("t", 3)])
    assert (tables.offset("t"), keys(tables.rows("t"))) == (3, {"0", "1", "2"})


def test_a_table_without_rights_is_halted_while_the_others_go_on(own_tables: Make) -> None:
    tables = own_tables("CREATE TABLE rights.t (k int PRIMARY KEY, v text); CREATE TABLE rights.u (k int PRIMARY KEY, v text);")
    tables.run("CREATE ROLE mirror_without_rights")
    try:
        tables.run("GRANT ALL ON SCHEMA cdc, rights TO mirror_without_rights")
        tables.run("GRANT ALL ON ALL TABLES IN SCHEMA cdc, rights TO mirror_without_rights")
        writer = tables.writer()
        writer._open().connection.execute("SET ROLE mirror_without_rights")
        tables.run("REVOKE INSERT ON rights.t FROM mirror_without_rights")
        changes = [change(tables.layout(name), ("1",), 1, {"v": "a"}) for name in "tu"]
        writer.apply(changes, [position("t", 1), position("u", 1)])
        assert (writer.halted, tables.letters) == ({"rights.t": "42501"}, [])
        assert (tables.offset("t"), tables.offset("u"), keys(tables.rows("u"))) == (None, 1, {"1"})
        writer.close()
    finally:
        tables.run("DROP OWNED BY mirror_without_rights")
        tables.run("DROP ROLE mirror_without_rights")


def test_a_table_halted_among_poison_keeps_its_offset(sink_tables: Make) -> None:
    ddl = "CREATE TABLE mixed.t (k text PRIMARY KEY, v text); CREATE TABLE mixed.u (k int PRIMARY KEY, v text);"
    tables = sink_tables(ddl)
    tables.run("ALTER TABLE mixed.u DROP COLUMN v")
    changes = [*batch_with(tables, {3}, 8), *(change(tables.layout("u"), (str(i),), 1, {"v": "x"}) for i in range(8))]
    writer = tables.writer()
    writer.apply(changes, [position("t", 8), position("u", 8)])
    assert (list(writer.halted), [letter.record.offset for letter in tables.letters]) == (["mixed.u"], [3])
    assert (tables.offset("t"), tables.offset("u")) == (8, None)


def test_a_dropped_table_does_not_keep_the_others_from_being_swept(sink_tables: Make) -> None:
    tables = sink_tables("CREATE TABLE swept.a (k int PRIMARY KEY, v text); CREATE TABLE swept.b (k int PRIMARY KEY, v text);")
    writer = tables.writer(clock_at=100)
    writer.apply([change(tables.layout("b"), ("1",), 1, {"v": "x"}, expires=105)])
    tables.run("DROP TABLE swept.a")
    sweeper = tables.writer(clock_at=110)
    sweeper._layouts = {layout.table.full_name: layout for layout in tables.layouts}
    sweeper.sweep()
    assert (tables.rows("b"), list(sweeper.halted)) == ({}, ["swept.a"])
