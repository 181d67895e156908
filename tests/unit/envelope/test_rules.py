"""What one event says of its table, rule by rule."""

from __future__ import annotations

from typing import Any

import pytest

from cdc.errors import MissingKey, UnexpectedEnvelope, ValueOutOfRange
from cdc.event import ABSENT, Bound, RangeDeletion, RowState, Skip
from cdc.interpret import Outcome
from cdc.reader import TableReader
from cdc.types.registry import codec_for
from tests.fixtures.events import TS, as_json, bound, envelope, killed, table_of, written

KEYED = table_of("CREATE TABLE k.t (a int, b int, c text, d text, m map<text,int>, s text static, PRIMARY KEY (a, b))")
SIMPLE = table_of("CREATE TABLE k.p (a int PRIMARY KEY, c text)")
KEY_ONLY = table_of("CREATE TABLE k.o (a int, b int, PRIMARY KEY (a, b))")
KEY = {"a": written(1), "b": written(2)}
LATER, LATEST = TS + 60_000_000, TS + 3_600_000_000
LATER_S, LATEST_S = LATER // 1_000_000, LATEST // 1_000_000


def outcome(table: Any, op: str, after: dict[str, Any], **source: Any) -> Outcome:
    reader = TableReader(table, codec_for)
    return reader.rules[op](reader.decode(as_json(envelope(table, op, after, **source))))


def row(values: list[Any], **more: Any) -> RowState:
    return RowState(("1", "2"), TS, values, **more)


WRITES: dict[str, tuple[str, dict[str, Any], RowState]] = {
    "an insert writes the marker": ("i", {"c": written("x")}, row(["x", ABSENT, ABSENT], marker=TS)),
    "an insert renamed by a transform is an insert": ("c", {"c": written("x")}, row(["x", ABSENT, ABSENT], marker=TS)),
    "an update writes no marker": ("u", {"c": written("x")}, row(["x", ABSENT, ABSENT])),
    "a null field is a column that is not touched": ("u", {"c": written("x"), "d": None}, row(["x", ABSENT, ABSENT])),
    "a null value is a tombstone": ("u", {"c": written(None)}, row([None, ABSENT, ABSENT])),
    "an insert may write a tombstone": ("i", {"c": written(None)}, row([None, ABSENT, ABSENT], marker=TS)),
    "an insert of the key alone writes only the marker": ("i", {}, row([ABSENT] * 3, marker=TS)),
    "an empty text is a value": ("u", {"c": written("")}, row(["", ABSENT, ABSENT])),
    "static columns are left out": ("i", {"c": written("x"), "s": written("st")}, row(["x", ABSENT, ABSENT], marker=TS)),
    "a value with a deletion time expires": (
        "u",
        {"c": written("x", LATER), "d": written("y")},
        row(["x", "y", ABSENT], expires=[LATER_S, None, None]),
    ),
    "the marker expires with the last value when all expire": (
        "i",
        {"c": written("x", LATER), "d": written("y", LATEST)},
        row(["x", "y", ABSENT], marker=TS, expires=[LATER_S, LATEST_S, None], marker_expires=LATEST_S),
    ),
    "the marker never expires when one value does not": (
        "i",
        {"c": written("x", LATER), "d": written("y")},
        row(["x", "y", ABSENT], marker=TS, expires=[LATER_S, None, None]),
    ),
    "a tombstone does not keep the marker": (
        "i",
        {"c": written("x", LATER), "d": written(None)},
        row(["x", None, ABSENT], marker=TS, expires=[LATER_S, None, None], marker_expires=LATER_S),
    ),
    "a non-frozen collection shows no TTL and does not keep the marker": (
        "i",
        {"c": written("x", LATER), "m": written({"k": 1})},
        row(["x", ABSENT, '{"k": 1}'], marker=TS, expires=[LATER_S, None, None], marker_expires=LATER_S),
    ),
    "an empty non-frozen collection is null": ("u", {"m": written({})}, row([ABSENT, ABSENT, None])),
    "and so beside a value that expires": (
        "u",
        {"c": written("x", LATER), "m": written({})},
        row(["x", ABSENT, None], expires=[LATER_S, None, None]),
    ),
    "a non-frozen collection alone says nothing of the marker": (
        "i",
        {"m": written({"k": 1})},
        row([ABSENT, ABSENT, '{"k": 1}'], marker=TS),
    ),
}


@pytest.mark.parametrize("case", WRITES)
def test_writes(case: str) -> None:
    op, cells, want = WRITES[case]
    got = outcome(KEYED, op, KEY | cells)
    assert _without_json_spaces(got) == _without_json_spaces(want)


def _without_json_spaces(state: Outcome) -> Outcome:
    if isinstance(state, RowState):
        state.values = [value.replace(" ", "") if isinstance(value, str) else value for value in state.values]
    return state


@pytest.mark.parametrize("write_ts", [-(2**63) + 1, -1, 0, 2**63 - 1])
def test_the_write_timestamp_is_any_signed_64_bit_number(write_ts: int) -> None:
    got = outcome(SIMPLE, "i", {"a": written(1), "c": written("x")}, ts_us=write_ts)
    assert got == RowState(("1",), write_ts, ["x"], write_ts, is_whole=True)


def test_an_empty_frozen_collection_is_a_value() -> None:
    table = table_of("CREATE TABLE k.f (a int PRIMARY KEY, l frozen<list<int>>, s list<int>)")
    assert outcome(table, "i", {"a": written(1), "l": written([]), "s": written([])}) == RowState(("1",), TS, ["{}", None], TS)


def test_a_deletion_of_a_full_key_deletes_the_row() -> None:
    got = outcome(KEYED, "d", KEY | {"c": killed(TS), "d": killed(TS), "s": killed(TS)})
    assert got == RowState(("1", "2"), TS, [ABSENT] * 3, deletion=TS)


def test_a_deletion_without_clustering_key_deletes_the_partition_at_the_time_of_its_null_cells() -> None:
    got = outcome(KEYED, "d", {"a": written(1), "b": killed(500), "c": killed(500), "d": killed(500)})
    assert got == RangeDeletion(("1",), (1).to_bytes(4, "big"), Bound(), Bound(), 500)


def test_a_deletion_without_null_cells_has_the_time_of_the_event() -> None:
    assert outcome(KEY_ONLY, "d", KEY) == RowState(("1", "2"), TS, [], deletion=TS)
    assert outcome(KEY_ONLY, "d", {"a": written(1), "b": None}) == RangeDeletion(("1",), b"\0\0\0\1", Bound(), Bound(), TS)


def test_on_a_table_without_clustering_columns_a_deletion_is_a_row_deletion_at_the_time_of_its_null_cells() -> None:
    got = outcome(SIMPLE, "d", {"a": written(1), "c": killed(500)})
    assert got == RowState(("1",), 500, [ABSENT], deletion=500)


SNAPSHOT: dict[str, tuple[dict[str, Any], Outcome]] = {
    "null values were not there": (KEY | {"c": written("x"), "d": written(None)}, row(["x", ABSENT, ABSENT], marker=TS)),
    "a row of the key alone is a marker": (KEY | {"c": written(None)}, row([ABSENT] * 3, marker=TS)),
    "a null clustering key is a partition of statics": (
        {"a": written(1), "b": written(None), "s": written("s")},
        Skip.STATIC_ONLY,
    ),
    "so is an absent one": ({"a": written(1), "b": None, "s": written("s")}, Skip.STATIC_ONLY),
}


@pytest.mark.parametrize("case", SNAPSHOT)
@pytest.mark.parametrize("snapshot", ["true", "first", "last"])
def test_snapshot_rows(case: str, snapshot: str) -> None:
    after, want = SNAPSHOT[case]
    assert outcome(KEYED, "i", after, snapshot=snapshot) == want


def test_an_update_of_only_static_columns_says_nothing() -> None:
    statics = {"a": written(1), "b": None, "s": written("x")}
    assert outcome(KEYED, "u", statics) == Skip.STATIC_ONLY
    assert outcome(KEYED, "i", statics) == Skip.STATIC_ONLY
    assert outcome(KEYED, "u", KEY | {"s": written("x")}) == Skip.NOTHING_WRITTEN


@pytest.mark.parametrize("op", ["i", "u", "d"])
def test_a_clustering_key_that_is_partly_null_is_refused(op: str) -> None:
    table = table_of("CREATE TABLE k.t (a int, b int, c int, v text, PRIMARY KEY (a, b, c))")
    with pytest.raises(MissingKey, match="'c'"):
        outcome(table, op, {"a": written(1), "b": written(1), "c": written(None), "v": written("x")})


DROPPED = table_of("CREATE TABLE k.t (a int PRIMARY KEY, c text, gone int); ALTER TABLE k.t DROP gone;")


@pytest.mark.parametrize(
    ("gone", "marker_expires"),
    [
        (written(1), None),
        (written(1, LATEST), LATEST_S),
        (written(1, TS), LATER_S),
        (written(None), LATER_S),
        (None, LATER_S),
        (written(["it may have been", "a non-frozen collection"]), LATER_S),
        (written(["frozen"], LATEST), LATEST_S),
    ],
)
def test_dropped_columns_are_left_out_but_count_for_the_marker(gone: Any, marker_expires: int | None) -> None:
    got = outcome(DROPPED, "i", {"a": written(1), "c": written("x", LATER), "gone": gone})
    assert got == RowState(("1",), TS, ["x"], TS, expires=[LATER_S], marker_expires=marker_expires)


def test_a_dropped_column_alone_decides_about_the_marker() -> None:
    got = outcome(DROPPED, "i", {"a": written(1), "c": None, "gone": written(1, LATER)})
    assert got == RowState(("1",), TS, [ABSENT], TS, marker_expires=LATER_S)


def test_timestamps_beyond_64_bits_are_out_of_range() -> None:
    with pytest.raises(ValueOutOfRange):
        outcome(SIMPLE, "i", {"a": written(1), "c": written("x", 2**63)})
    with pytest.raises(ValueOutOfRange):
        outcome(SIMPLE, "d", {"a": written(1), "c": killed(-(2**63) - 1)})


SLICED = table_of('CREATE TABLE k.r (a int, b int, "Ck" text, d timestamp, v text, PRIMARY KEY (a, b, "Ck", d))')


def _int(value: int) -> bytes:
    return value.to_bytes(4, "big", signed=True)


RANGES = {
    "inclusive prefixes": (
        bound("INCL_START_BOUND", b="1"),
        bound("INCL_END_BOUND", b="5"),
        Bound((_int(1),)),
        Bound((_int(5),)),
    ),
    "exclusive, open at the end": (
        bound("EXCL_START_BOUND", b="-1"),
        bound("INCL_END_BOUND"),
        Bound((_int(-1),), inclusive=False),
        Bound(),
    ),
    "open at the start": (
        bound("INCL_START_BOUND"),
        bound("EXCL_END_BOUND", b="7"),
        Bound(),
        Bound((_int(7),), inclusive=False),
    ),
    "values in random order, quoted names, the notation of bounds": (
        bound("INCL_START_BOUND", d="2020-01-02T03:04:05.678Z", b="1", **{'"Ck"': "x"}),
        bound("INCL_END_BOUND", **{'"Ck"': "y"}, b="1"),
        Bound((_int(1), b"x", (1_577_934_245_678).to_bytes(8, "big"))),
        Bound((_int(1), b"y")),
    ),
}


@pytest.mark.parametrize("case", RANGES)
@pytest.mark.parametrize("op", ["r", "t"])
def test_range_tombstones(case: str, op: str) -> None:
    start, end, want_start, want_end = RANGES[case]
    got = outcome(SLICED, op, {"a": written(9), "b": None, "_range_start": start, "_range_end": end}, ts_us=77)
    assert got == RangeDeletion(("9",), _int(9), want_start, want_end, 77)


OPEN_START, OPEN_END = bound("INCL_START_BOUND"), bound("INCL_END_BOUND")


@pytest.mark.parametrize(
    ("start", "end"),
    [
        (None, OPEN_END),
        (OPEN_START, None),
        (OPEN_END, OPEN_START),
        (bound("INCL_START_BOUND", d="2020-01-02T03:04:05.678Z"), OPEN_END),
        (bound("INCL_START_BOUND", zz="1"), OPEN_END),
        ({"method": "INCL_START_BOUND", "values": [{"name": "b", "value": "1"}] * 2}, OPEN_END),
        (bound("NONSENSE"), OPEN_END),
    ],
)
def test_bounds_that_no_range_has_are_refused(start: Any, end: Any) -> None:
    with pytest.raises(UnexpectedEnvelope):
        outcome(SLICED, "r", {"a": written(9), "_range_start": start, "_range_end": end})


def test_a_range_on_a_table_without_clustering_columns_is_refused() -> None:
    with pytest.raises(UnexpectedEnvelope):
        outcome(SIMPLE, "r", {"a": written(1), "_range_start": OPEN_START, "_range_end": OPEN_END})


def test_blobs_of_a_composite_partition_key_are_read_from_the_bytes_of_the_whole_key() -> None:
    table = table_of("CREATE TABLE k.c (p1 text, p2 int, p3 blob, c int, v text, PRIMARY KEY ((p1, p2, p3), c))")
    container = "AAFhAAAEAAAAAQAAAgECAA=="  # a, 1, 0x0102
    after = {"p1": written("a"), "p2": written(1), "p3": written(container), "c": written(3), "v": written("x")}
    assert outcome(table, "i", after) == RowState(("a", "1", "\\x0102", "3"), TS, ["x"], TS, is_whole=True)
    partition = outcome(table, "d", after | {"c": None, "v": killed(TS)})
    assert partition == RangeDeletion(
        ("a", "1", "\\x0102"), bytes.fromhex("0001610000040000000100000201020 0".replace(" ", "")), Bound(), Bound(), TS
    )
