"""Range and partition deletions: stored once, applied in bounded steps, held against what comes later."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import product
from typing import Any

import pytest

from cdc.event import Bound, Key, RangeDeletion
from sinks.postgres import tombstones
from sinks.postgres.layout import StoredColumn
from tests.integration.postgres.sink_tables import SinkTables, bound, change, keys, range_deletion

Make = Callable[[str], SinkTables]
OPEN = Bound()


def with_rows(tables: SinkTables, values: Sequence[str], ts: int = 1) -> None:
    layout = tables.layout("t")
    tables.writer().apply([change(layout, ("1", *value.split("|")), ts, {"v": "x"}) for value in values])


def test_a_copy_does_nothing_and_a_newer_one_is_applied_again(sink_tables: Make) -> None:
    tables = sink_tables("CREATE TABLE copies.t (p int, c int, v text, PRIMARY KEY (p, c));")
    layout, writer = tables.layout("t"), tables.writer()
    state = "SELECT id, deletion_ts, applied, xmin::text FROM cdc.tombstones WHERE table_id = %s"
    writer.apply([range_deletion(layout, ("1",), 10)])
    before = tables.query(state, layout.table_id)
    for older_or_equal in (10, 9):
        writer.apply([range_deletion(layout, ("1",), older_or_equal)])
    assert tables.query(state, layout.table_id) == before
    with_rows(tables, ["1"], ts=11)
    assert keys(tables.rows("t")) == {"1"}
    writer.apply([range_deletion(layout, ("1",), 12), range_deletion(layout, ("1",), 11)])
    assert tables.rows("t") == {}
    assert [row[:3] for row in tables.query(state, layout.table_id)] == [(before[0][0], 12, True)]


def test_what_comes_later_is_stripped(sink_tables: Make) -> None:
    tables = sink_tables("CREATE TABLE arrivals.t (p int, c int, v text, w text, PRIMARY KEY (p, c));")
    layout, writer = tables.layout("t"), tables.writer()
    writer.apply([range_deletion(layout, ("1",), 10, bound(layout, "5"), OPEN)])
    writer.apply([change(layout, ("1", c), 10, {"v": "dead"}) for c in ("4", "5", "6")])
    writer.apply([change(layout, ("2", "6"), 10, {"v": "elsewhere"})])
    writer.apply([change(layout, ("1", "6"), 11, {"w": "alive"}, marker=False)])
    assert tables.rows("t") == {
        ("1", "4"): ("dead", None),
        ("2", "6"): ("elsewhere", None),
        ("1", "6"): (None, "alive"),
    }


def test_only_covered_cells_leave_a_row(sink_tables: Make) -> None:
    tables = sink_tables("CREATE TABLE partly.t (p int, c int, v text, w text, PRIMARY KEY (p, c));")
    layout, writer = tables.layout("t"), tables.writer()
    writer.apply([change(layout, ("1", "1"), 5, {"v": "old"}), change(layout, ("1", "1"), 15, {"w": "new"}, marker=False)])
    writer.apply([change(layout, ("1", "2"), 15, {"v": "new"})])
    writer.apply([range_deletion(layout, ("1",), 10)])
    assert tables.rows("t") == {("1", "1"): (None, "new"), ("1", "2"): ("new", None)}
    writer.apply([change(layout, ("1", "1"), 15, {"w": None}, marker=False)])
    assert keys(tables.rows("t")) == {"2"}


def test_a_row_and_the_deletion_of_its_partition_meet_in_one_batch(sink_tables: Make) -> None:
    tables = sink_tables("CREATE TABLE meet.t (p int, c int, v text, PRIMARY KEY (p, c));")
    layout = tables.layout("t")
    rows = [change(layout, ("1", str(ts)), ts, {"v": "x"}) for ts in (9, 10, 11)]
    tables.writer().apply([*rows, range_deletion(layout, ("1",), 10)])
    assert keys(tables.rows("t")) == {"11"}


def test_a_partition_of_20000_rows_is_deleted_in_bounded_transactions(
    sink_tables: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    tables = sink_tables("CREATE TABLE bounded.t (p int, c int, v text, PRIMARY KEY (p, c));")
    layout, writer = tables.layout("t"), tables.writer()
    tables.run(f"INSERT INTO {layout.relation} (p, c, v, _cdc_ts) SELECT 1, i, 'x', 1 FROM generate_series(1, 20000) AS i")
    tables.run(f"INSERT INTO {layout.relation} (p, c, v, _cdc_ts) SELECT 2, i, 'x', 1 FROM generate_series(1, 10) AS i")
    left: list[int] = []
    step = tombstones.apply_step

    def counted(*arguments: Any, **options: Any) -> tombstones.Progress:
        left.append(tables.query(f"SELECT count(*) FROM {layout.relation} WHERE p = 1")[0][0])
        return step(*arguments, **options)

    monkeypatch.setattr(tombstones, "apply_step", counted)
    writer.apply([range_deletion(layout, ("1",), 5)])
    assert left == [20_000, 15_000, 10_000, 5_000, 0]
    assert tables.query(f"SELECT p, count(*) FROM {layout.relation} GROUP BY p") == [(2, 10)]
    assert tables.query("SELECT applied FROM cdc.tombstones WHERE table_id = %s", layout.table_id) == [(True,)]


def test_a_deletion_that_was_stored_before_a_crash_is_applied_with_the_next(sink_tables: Make) -> None:
    tables = sink_tables("CREATE TABLE crashed.t (p int, c int, v text, PRIMARY KEY (p, c));")
    layout = tables.layout("t")
    with_rows(tables, ["1", "2"])
    writer = tables.writer()
    prepared = writer.prepare([range_deletion(layout, ("1",), 5, bound(layout, "2"))], [])
    writer._open().make_stage(layout)
    writer._open()._store_tombstones(prepared.tables)
    writer.close()
    assert keys(tables.rows("t")) == {"1", "2"}
    tables.writer().apply([range_deletion(layout, ("9",), 5)])
    assert keys(tables.rows("t")) == {"1"}


RANGES: dict[str, tuple[str, list[str], tuple[str, ...] | bytes, tuple[str, ...] | bytes, set[str]]] = {
    "ascending": ("c int", ["1", "2", "3", "10"], ("2",), ("3",), {"1", "10"}),
    "descending": ("c int DESC", ["1", "2", "3", "10"], ("3",), ("2",), {"1", "10"}),
    "text by bytes": ("c text", ["", "A", "Z", "a", "é", "z"], ("Z",), ("a",), {"", "A", "é", "z"}),
    "empty text": ("c text", ["", "a"], ("",), ("",), {"a"}),
    "blob": ("c blob", ["\\x", "\\x00", "\\x00ff", "\\xff"], ("\\x00",), ("\\x00ff",), {"\\x", "\\xff"}),
    "uuid by version": (
        "c uuid",
        ["00000000-0000-4000-8000-000000000001", "ffffffff-0000-1000-8000-000000000001"],
        ("00000000-0000-1000-8000-000000000001",),
        ("ffffffff-ffff-1fff-bfff-ffffffffffff",),
        {"00000000-0000-4000-8000-000000000001"},
    ),
    "timeuuid by time": (
        "c timeuuid",
        [
            "00000002-0000-11ee-8000-000000000001",
            "00000001-0001-11ee-8000-000000000001",
            "ffffffff-0000-11ee-8000-000000000001",
            "00000003-0000-11ee-7f00-000000000000",
        ],
        ("00000002-0000-11ee-8080-808080808080",),
        ("ffffffff-0000-11ee-7f7f-7f7f7f7f7f7f",),
        {"00000001-0001-11ee-8000-000000000001"},
    ),
    "inet by bytes": ("c inet", ["10.0.0.1", "10.0.0.200", "2001:db8::1"], ("10.0.0.2",), ("32.1.13.185",), {"10.0.0.1/32"}),
    "boolean": ("c boolean", ["false", "true"], ("true",), ("true",), {"false"}),
    "decimal": ("c decimal", ["-1.5", "0", "1E+3", "1000.5"], ("0.0",), ("1000.00",), {"-1.5", "1000.5"}),
    "double": ("c double", ["-Infinity", "-0", "1", "NaN"], ("-0",), ("1",), {"-Infinity", "NaN"}),
    "timestamp beyond PostgreSQL": (
        "c timestamp",
        ["2020-01-01 00:00:00+00", "1970-01-01 00:00:00+00"],
        (-(2**63)).to_bytes(8, "big", signed=True),
        (2**63 - 1).to_bytes(8, "big"),
        set(),
    ),
    "text with U+0000": ("c text", ["a", "b", "c"], b"a\x00", b"c\x00", {"a"}),
    "time in nanoseconds": (
        "c time",
        ["00:00:00.000001", "00:00:00.000002", "00:00:00.000003"],
        (1_001).to_bytes(8, "big"),
        (2_999).to_bytes(8, "big"),
        {"00:00:00.000001", "00:00:00.000003"},
    ),
    "date beyond PostgreSQL": ("c date", ["2020-01-01"], b"\x00\x00\x00\x00", b"\xff\xff\xff\xff", set()),
    "list": ("c frozen<list<text>>", ["{a}", "{a,b}", "{b}"], ("{a,a}",), ("{a,z}",), {"{a}", "{b}"}),
}


@pytest.mark.parametrize("name", RANGES)
def test_a_range_holds_what_cassandra_holds_in_it(sink_tables: Make, name: str) -> None:
    column, rows, start, end, left = RANGES[name]
    keyspace = f"range_{list(RANGES).index(name)}"
    descending = " WITH CLUSTERING ORDER BY (c DESC)" if column.endswith("DESC") else ""
    ddl = f"CREATE TABLE {keyspace}.t (p int, {column.removesuffix(' DESC')}, v text, PRIMARY KEY (p, c)){descending};"
    tables = sink_tables(ddl)
    layout = tables.layout("t")
    ends = [Bound((side,)) if isinstance(side, bytes) else bound(layout, *side) for side in (start, end)]
    with_rows(tables, rows)
    tables.writer().apply([range_deletion(layout, ("1",), 5, *ends)])
    assert keys(tables.rows("t")) == left
    tables.run(f"TRUNCATE {layout.relation}, {layout.graveyard}")
    with_rows(tables, rows)
    assert len(tables.rows("t")) == len(left)


PREFIXES: dict[str, tuple[Sequence[str], Sequence[str], bool, set[tuple[str, str]]]] = {
    "one column": (["2"], ["2"], True, {("1", "9"), ("3", "1")}),
    "both columns": (["1", "9"], ["2", "5"], True, {("2", "7"), ("3", "1")}),
    "exclusive": (["1", "9"], ["3", "1"], False, {("1", "9"), ("3", "1")}),
    "open end": (["2", "5"], [], True, {("1", "9")}),
}


@pytest.mark.parametrize("name", PREFIXES)
def test_bounds_are_prefixes_of_the_clustering_columns(sink_tables: Make, name: str) -> None:
    start, end, inclusive, left = PREFIXES[name]
    tables = sink_tables(
        f"CREATE TABLE prefix_{list(PREFIXES).index(name)}.t (p int, c int, d int, v text, PRIMARY KEY (p, c, d));"
    )
    layout = tables.layout("t")
    with_rows(tables, ["1|9", "2|5", "2|7", "3|1"])
    ends = (bound(layout, *start, inclusive=inclusive), bound(layout, *end, inclusive=inclusive))
    tables.writer().apply([range_deletion(layout, ("1",), 5, *ends)])
    assert {key[1:] for key in tables.rows("t")} == left


PAIRS = [(c, d) for c in range(1, 4) for d in range(1, 4)]
IDS = [f"0000000{n}-0000-11ee-8000-00000000000{n}" for n in range(1, 4)]
STEPPED = {
    "ascending": ("c int, d int", "c, d", ""),
    "first descending": ("c int, d int", "c, d", "c DESC, d ASC"),
    "second descending": ("c int, d int", "c, d", "c ASC, d DESC"),
    "timeuuid first": ("c timeuuid, d int", "c, d", ""),
    "timeuuid second": ("c int, d timeuuid", "c, d", "c ASC, d DESC"),
    "uuid and decimal": ("c uuid, d decimal", "c, d", "c DESC, d DESC"),
    "map first": ("c frozen<map<int, int>>, d int", "c, d", ""),
}


@pytest.mark.parametrize("name", STEPPED)
def test_every_range_is_read_in_steps_of_any_size(sink_tables: Make, name: str) -> None:
    columns, key, order = STEPPED[name]
    ordering = f" WITH CLUSTERING ORDER BY ({order})" if order else ""
    tables = sink_tables(
        f"CREATE TABLE stepped_{list(STEPPED).index(name)}.t (p int, {columns}, v text, PRIMARY KEY (p, {key})){ordering};"
    )
    layout = tables.layout("t")

    def text(column: StoredColumn, number: int) -> str:
        kind = column.codec.cql.name
        return IDS[number - 1] if kind.endswith("uuid") else f'{{"{number}": 1}}' if kind == "map" else str(number)

    rows = [tuple(text(column, n) for column, n in zip(layout.key[1:], pair, strict=True)) for pair in PAIRS]
    for partition in ("1", "2"):
        tables.writer().apply([change(layout, (partition, *row), 1, {"v": "x"}) for row in rows])
    prefixes = [(), *{row[:1] for row in rows}, *rows]
    for start, end, inclusive, step in product(prefixes, prefixes, (True, False), (1, 2, 9)):
        ends = bound(layout, *start, inclusive=inclusive), bound(layout, *end, inclusive=not inclusive or start == end)
        deletion = range_deletion(layout, ("1",), 5, *ends).what
        assert isinstance(deletion, RangeDeletion)
        read: list[Key] = []
        while True:
            found = tombstones._partition_rows(tables.reader.cursor(), layout, deletion, read[-1] if read else None, step)
            read += found
            if len(found) < step:
                break
        assert len(read) == len(set(read))
        covered = {("1", *row) for row in rows if tombstones._covers(layout, deletion, ("1", *row))}
        assert covered <= set(read) <= {("1", *row) for row in rows}


def test_a_deletion_of_a_partition_of_several_columns_and_odd_bytes_hits_that_alone(sink_tables: Make) -> None:
    tables = sink_tables("CREATE TABLE composite.t (a text, b blob, c int, v text, PRIMARY KEY ((a, b), c));")
    layout = tables.layout("t")
    partitions = [("x\t\\N", "\\x00"), ("x", "\\x"), ("", "\\x00"), ("{}", "\\x5c")]
    tables.writer().apply([change(layout, (*partition, "1"), 1, {"v": "x"}) for partition in partitions])
    tables.writer().apply([range_deletion(layout, partition, 5) for partition in partitions[:2]])
    assert {key[:2] for key in tables.rows("t")} == set(partitions[2:])


def test_order_functions_give_the_bytes_that_python_sorts_by(sink_tables: Make) -> None:
    tables = sink_tables("CREATE TABLE orders.t (p int, a timeuuid, b uuid, c inet, PRIMARY KEY (p, a, b, c));")
    samples = {
        "a": ["00000002-0000-11ee-8000-0000000000ff", "ffffffff-eeee-1fff-7f80-80ff00ff0102"],
        "b": [
            "00000002-0000-11ee-8000-0000000000ff",
            "ffffffff-eeee-4fff-7f80-80ff00ff0102",
            "00" * 4 + "-0000-0000-0000-" + "0" * 12,
        ],
        "c": ["0.0.0.0", "255.1.2.3", "::", "2001:db8::ff", "ffff::1"],
    }
    for column in tables.layout("t").key[1:]:
        for text in samples[column.name]:
            ((got,),) = tables.query(f"SELECT {column.order_function}(%s::{column.type})", text)
            assert bytes(got) == column.codec.sort_key(column.codec.serialize(text))
