"""Names that PostgreSQL cannot have, or has to quote: made, written, merged, swept and deleted."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from cdc.schema import quote_cql
from tests.integration.postgres.sink_tables import SinkTables, bound, change, range_deletion
from tests.model.mirror import set_clock

Make = Callable[[str], SinkTables]

LONG = "a" * 70
ODD = [
    *("xmin", "ctid", "oid", "_cdc_x", "_cdc_ts", "_cdc_group", LONG, f"{LONG}b", "é" * 40, "select"),
    *('quo"te', "per%cent", "%s", "%(now)s", "dot.ted", "Upper", "upper", "with space", "{brace}", "back\\slash", "tab\there"),
    *("t", "s", "g", "excluded", "dead"),
]
KEYSPACES = ["pg_x", "cdc", "information_schema", "Mixed", 'q"%s', "k" * 70, "pg_" + "y" * 70]


def round_trip(tables: SinkTables, name: str) -> None:
    """Merge, tie, expire, bury, fold and delete rows of a table."""
    layout, writer = tables.layout(name), tables.writer(clock_at=100)
    width = len(layout.key)
    one, other, third = (tuple(str(n) for _ in range(width)) for n in (1, 2, 3))
    full = {column.name: "5" for column in layout.columns}
    writer.apply([change(layout, key, 1, full) for key in (one, other, third)])
    writer.apply([change(layout, one, 2, {layout.columns[0].name: "7"}, marker=False, expires=110)])
    writer.apply([change(layout, one, 1, {layout.columns[-1].name: "6"}, marker=False)])
    writer.apply([change(layout, other, 3, deletion=3, marker=False)])
    writer.apply([change(layout, other, 2, full)])
    partition, first = third[:-1], third[-1]
    writer.apply([range_deletion(layout, partition, 9, bound(layout, first), bound(layout, first))])
    set_clock(writer, 120)
    writer.sweep()
    writer.purge()
    assert (tables.letters, writer.halted) == ([], {})
    values = [None if i == 0 else "6" if i == len(layout.columns) - 1 else "5" for i in range(len(layout.columns))]
    assert tables.rows(name) == {one: tuple(values)}


def test_columns_may_have_any_name(own_tables: Make) -> None:
    columns = ", ".join(f"{quote_cql(name)} int" for name in ODD)
    tables = own_tables(f"CREATE TABLE odd.t (p int, c int, {columns}, PRIMARY KEY (p, c));")
    names = [column.sql for column in tables.layout("t").columns]
    assert len(set(names)) == len(ODD)
    round_trip(tables, "t")


def test_keys_may_have_any_name(own_tables: Make) -> None:
    names = ", ".join(map(quote_cql, ODD))
    columns = ", ".join(f"{quote_cql(name)} int" for name in ODD)
    tables = own_tables(f"CREATE TABLE oddkeys.t ({columns}, v int, w int, PRIMARY KEY ({names}));")
    layout, writer = tables.layout("t"), tables.writer()
    key = tuple("1" for _ in ODD)
    writer.apply([change(layout, key, 1, {"v": "5", "w": "5"}), change(layout, key, 2, {"v": "6"}, marker=False)])
    writer.apply([range_deletion(layout, ("1",), 1, bound(layout, "1"))])
    assert (tables.rows("t"), tables.letters) == ({key: ("6", None)}, [])


@pytest.mark.parametrize("keyspace", KEYSPACES)
def test_a_keyspace_may_have_any_name(own_tables: Make, keyspace: str) -> None:
    tables = own_tables(f"CREATE TABLE {quote_cql(keyspace)}.t (p int, c int, v int, w int, PRIMARY KEY (p, c));")
    assert not tables.layout("t").schema.startswith("pg_")
    round_trip(tables, "t")


@pytest.mark.parametrize("name", ODD)
def test_a_table_may_have_any_name(own_tables: Make, name: str) -> None:
    tables = own_tables(f"CREATE TABLE oddtables.{quote_cql(name)} (p int, c int, v int, w int, PRIMARY KEY (p, c));")
    round_trip(tables, name)


def test_two_long_names_that_begin_alike_stay_two(own_tables: Make) -> None:
    tables = own_tables("".join(f"CREATE TABLE alike.{LONG}{end} (k int PRIMARY KEY, v int);" for end in "xy"))
    assert len({layout.relation for layout in tables.layouts}) == 2
    assert [layout.relation for layout in tables.read_layouts()] == [layout.relation for layout in tables.layouts]
