"""Two live values of one timestamp: PostgreSQL ends with the one whose bytes are larger in Cassandra, for every type."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.integration.postgres.sink_tables import SinkTables, change

Make = Callable[[str], SinkTables]

LARGER: dict[str, tuple[str, str]] = {
    "ascii": ("a", "b"),
    "text": ("z", "é"),
    "tinyint": ("1", "-1"),
    "smallint": ("1", "-1"),
    "int": ("2147483647", "-1"),
    "bigint": ("1", "-1"),
    "varint": ("256", "-1"),
    "decimal": ("1.0", "1.00"),
    "float": ("0", "-0"),
    "double": ("1", "-1"),
    "boolean": ("false", "true"),
    "uuid": ("00000000-0000-4000-8000-000000000001", "00000000-0000-4000-8000-000000000002"),
    "timeuuid": ("00000009-0000-11ee-8000-000000000001", "0000000a-0000-11ee-8000-000000000000"),
    "blob": ("\\x00ff", "\\x01"),
    "timestamp": ("2020-01-01 00:00:00+00", "1969-12-31 23:59:59.999+00"),
    "date": ("1969-12-31", "1970-01-01"),
    "time": ("00:00:01", "00:00:02"),
    "inet": ("10.0.0.1", "2001:db8::1"),
    "duration": ("P1D", "P1M"),
    "frozen<list<int>>": ("{1,2}", "{1,-2}"),
    "frozen<set<text>>": ("{b}", "{a,b}"),
    "frozen<map<text, int>>": ('{"b": 1}', '{"a": 1, "b": 1}'),
    "tuple<int, text>": ('[1, "a"]', '[1, "b"]'),
    "frozen<list<frozen<list<int>>>>": ("[[1]]", "[[1], [1]]"),
    "vector<float, 2>": ("{1,2}", "{-1,2}"),
}


@pytest.mark.parametrize("cql", LARGER)
def test_the_larger_bytes_win_in_both_orders_and_in_one_batch(sink_tables: Make, cql: str) -> None:
    smaller, larger = LARGER[cql]
    tables = sink_tables(f"CREATE TABLE tie_{list(LARGER).index(cql)}.t (k int PRIMARY KEY, v {cql}, w text);")
    layout, writer = tables.layout("t"), tables.writer()
    serialize = layout.columns[0].codec.serialize
    assert serialize(smaller) < serialize(larger)
    one, other = {"v": smaller}, {"v": larger}
    orders = {"1": [one, other], "2": [other, one]}
    for turn in (0, 1):
        writer.apply([change(layout, (key,), 5, values[turn]) for key, values in orders.items()])
    writer.apply([change(layout, ("3",), 5, value) for value in (one, other)])
    writer.apply([change(layout, ("4",), 5, value) for value in (other, one)])
    ((want,),) = tables.query(f"SELECT %s::{layout.columns[0].type}::text", larger)
    assert tables.rows("t") == {(key,): (want, None) for key in "1234"}
    assert tables.query(f"SELECT DISTINCT _cdc_sweep_at FROM {layout.relation}") == [(None,)]


@pytest.mark.parametrize("expires", [None, 1_000], ids=["plain", "expiring"])
def test_a_tie_among_other_columns_touches_nothing_else(sink_tables: Make, expires: int | None) -> None:
    tables = sink_tables(f"CREATE TABLE tie_among_{expires}.t (k int PRIMARY KEY, a text, b text, c text);")
    layout, writer = tables.layout("t"), tables.writer(clock_at=100)
    writer.apply([change(layout, ("1",), 5, {"a": "m", "b": "m", "c": "m"}, expires=expires)])
    writer.apply([change(layout, ("1",), 6, {"c": "later"}, expires=expires)])
    writer.apply([change(layout, ("1",), 5, {"a": "n", "b": "l", "c": "z"}, expires=expires)])
    assert tables.rows("t") == {("1",): ("n", "m", "later")}
    assert tables.query(f"SELECT _cdc_sweep_at FROM {layout.relation}") == [(expires,)]
