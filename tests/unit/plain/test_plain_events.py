"""Which events are plain, and what their rows say."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from cdc import plain_events
from cdc.ddl import read_ddl
from cdc.event import ABSENT, PlainRow
from cdc.plain_state import row_state
from tests.fixtures.events import TS, as_json, bound, envelope, killed, table_of, written
from tests.fixtures.recordings import load, recordings
from tests.unit.plain.judge import Judge
from tests.unit.plain.reading import PlainReading

TABLE = table_of("""
    CREATE TABLE k.t (a int, b text, c int, d text, e list<int>, g int, h int static, gone int, PRIMARY KEY (a, b));
    ALTER TABLE k.t DROP gone;
""")
KEY = {"a": written(1), "b": written("x\ty")}
INSERT: dict[str, Any] = KEY | {"c": written(2), "d": written("z"), "e": None, "g": written(3), "h": None}
UPDATE = KEY | {"c": None, "d": written("z"), "e": None, "g": None, "h": None}
LINE = b"1\tx\\ty\t2\tz\t3\t%d\t%d\t" % (TS, TS)


def read(*payloads: bytes | None) -> list[PlainRow | None]:
    return PlainReading(TABLE)(payloads)


def json_of(op: str, after: dict[str, Any], /, **source: Any) -> bytes:
    return as_json(envelope(TABLE, op, after, **source))


GOOD = json_of("i", INSERT)


def test_an_insert_has_a_marker() -> None:
    want = PlainRow(b"1\tx\\ty", LINE, (0, 1, 3), TS, TS)
    assert read(GOOD, json_of("c", INSERT)) == [want, want]


def test_an_update_has_the_touched_columns_and_no_marker() -> None:
    assert read(json_of("u", UPDATE)) == [PlainRow(b"1\tx\\ty", b"1\tx\\ty\tz\t%d\t\\N\t" % TS, (1,), TS, None)]


def test_an_insert_may_touch_nothing_but_an_update_may_not() -> None:
    bare = UPDATE | {"d": None}
    assert read(json_of("i", bare), json_of("u", bare)) == [
        PlainRow(b"1\tx\\ty", b"1\tx\\ty\t%d\t%d\t" % (TS, TS), (), TS, TS),
        None,
    ]


@pytest.mark.parametrize("ts", [0, -1, 2**63 - 1, -(2**63)])
def test_a_write_timestamp_is_any_of_64_bits(ts: int) -> None:
    (row,) = read(json_of("i", INSERT, ts_us=ts, ts_ns=0))
    assert row is not None
    assert (row.write_ts, row.marker) == (ts, ts)


def test_a_dropped_column_may_still_be_there() -> None:
    after = {"a": KEY["a"], "b": KEY["b"], "c": written(2), "d": written("z"), "e": None, "g": written(3)}
    got = read(json_of("i", after | {"gone": None, "h": None}), json_of("i", after | {"gone": written(1), "h": None}))
    assert got == [PlainRow(b"1\tx\\ty", LINE, (0, 1, 3), TS, TS), None]


NOT_PLAIN: dict[str, bytes | None] = {
    "no value at all": None,
    "no bytes": b"",
    "a tombstone": json_of("i", INSERT | {"c": written(None)}),
    "an expiring cell": json_of("i", INSERT | {"c": written(2, TS)}),
    "a cell that a deletion killed": json_of("u", INSERT | {"c": killed(TS)}),
    "a static cell": json_of("i", INSERT | {"h": written(1)}),
    "a type that is not read": json_of("i", INSERT | {"e": written([1])}),
    "a null key": json_of("i", INSERT | {"b": None}),
    "a key without value": json_of("i", INSERT | {"b": written(None)}),
    "an expiring key": json_of("i", INSERT | {"b": written("x", TS)}),
    "a snapshot": json_of("i", INSERT, snapshot="true"),
    "a snapshot of another sort": json_of("i", INSERT, snapshot=None),
    "a deletion": json_of("d", INSERT),
    "a range": json_of("r", INSERT | {"_range_start": bound("INCL_START_BOUND"), "_range_end": bound("INCL_END_BOUND")}),
    "a range in an insert": json_of("i", INSERT | {"_range_start": bound("INCL_START_BOUND")}),
    "an op that is none": json_of("x", INSERT),
    "an empty op": json_of("", INSERT),
    "another table": json_of("i", INSERT, table="tt"),
    "another keyspace": json_of("i", INSERT, keyspace="kk"),
    "a timestamp of 65 bits": json_of("i", INSERT, ts_us=2**63),
    "a timestamp below 64 bits": json_of("i", INSERT, ts_us=-(2**63) - 1),
    "a timestamp in quotes": json_of("i", INSERT, ts_us=str(TS)),
    "a sequence": json_of("i", INSERT, sequence="1"),
    "an escape in the source": json_of("i", INSERT, cluster='a"b'),
    "a column more": json_of("i", INSERT | {"zz": None}),
    "a column fewer": json_of("i", {name: cell for name, cell in INSERT.items() if name != "g"}),
    "another order": json_of("i", dict(reversed(INSERT.items()))),
    "a space behind": GOOD + b" ",
    "a space within": GOOD.replace(b'"op":', b'"op": '),
    "a cut": GOOD[:-1],
    "twice": GOOD + GOOD,
    "a brace more": GOOD + b"}",
}


@pytest.mark.parametrize("case", NOT_PLAIN)
def test_what_is_not_plain_is_left_out_alone(case: str) -> None:
    (good,) = read(GOOD)
    assert good is not None
    assert read(GOOD, NOT_PLAIN[case], GOOD) == [good, None, good]


@pytest.mark.parametrize("length", range(len(GOOD)))
def test_a_cut_event_is_not_plain(length: int) -> None:
    assert read(GOOD[:length]) == [None]


def test_no_payloads_no_rows() -> None:
    assert read() == []


@pytest.mark.parametrize(
    "ddl",
    [
        "CREATE TABLE k.t (a int, b blob, c int, PRIMARY KEY ((a, b), c))",
        "CREATE TABLE k.t (a frozen<list<int>> PRIMARY KEY, b int)",
        "CREATE TABLE k.t (a int, b duration, c int, PRIMARY KEY (a, b))",
        'CREATE TABLE k.t (a int PRIMARY KEY, "_range_start" int)',
    ],
)
def test_tables_whose_keys_are_not_read_have_no_plain_events(ddl: str) -> None:
    table = table_of(ddl)
    after = {column.name: written("AQI=" if column.type.name == "blob" else 1) for column in table.columns}
    assert PlainReading(table)([as_json(envelope(table, "i", after)), None]) == [None, None]


def test_a_blob_may_be_a_partition_key_by_itself_and_cluster() -> None:
    table = table_of("CREATE TABLE k.t (a blob, b blob, PRIMARY KEY (a, b))")
    (row,) = PlainReading(table)([as_json(envelope(table, "i", {"a": written("AA=="), "b": written("AQI=")}))])
    assert row is not None
    assert row.key == b"\\\\x00\t\\\\x0102"


WIDE = table_of(f"CREATE TABLE k.w (a int PRIMARY KEY, {', '.join(f'c{place:03} int' for place in range(150))})")


def wide(touched: set[int]) -> bytes:
    cells = {column.name: written(place) if place in touched else None for place, column in enumerate(WIDE.regular)}
    return as_json(envelope(WIDE, "u", {"a": written(1)} | cells))


@pytest.mark.parametrize("touched", [set(range(150)), {0}, {63}, {64}, {149}, {0, 63, 64, 127, 128, 149}])
def test_wide_tables(touched: set[int]) -> None:
    (row,) = PlainReading(WIDE)([wide(touched)])
    assert row is not None
    assert row.touched == tuple(sorted(touched))
    assert row_state(WIDE, row).values == [str(place) if place in touched else ABSENT for place in range(150)]


def test_rows_of_a_form_share_its_positions() -> None:
    plain = PlainReading(WIDE)
    first, other, again = (row.touched for row in plain([wide({1, 70}), wide({2}), wide({1, 70})]) if row is not None)
    (later,) = plain([wide({1, 70})])
    assert later is not None
    assert first is again is later.touched
    assert first != other


def test_forms_are_forgotten_when_they_are_many(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(plain_events, "MAX_FORMS", 10)
    plain = PlainReading(WIDE)
    for place in range(100):
        (row,) = plain([wide({place})])
        assert row is not None
        assert row.touched == (place,)
        assert len(plain.events._forms) <= 11


def test_threads_may_share_a_reader() -> None:
    plain = PlainReading(TABLE)
    polls = [[json_of("i", INSERT | {"c": written(number)}, ts_us=number) for number in range(n, n + 300)] for n in range(40)]
    want = [plain(poll) for poll in polls]
    assert None not in want[0]
    with ThreadPoolExecutor(8) as threads:
        assert [*threads.map(plain, polls)] == want


# what says nothing but values in the recordings, but is left to the stages
LEFT = {
    "composite_pk": 9,  # blobs, NaN, -0.0 and 1.50 in keys
    "ddl_live": 8,  # other columns than the table has
    "text_and_names": 2,  # U+0000
    "types_scalars": 16,  # NaN, the largest and smallest numbers, far dates, nanoseconds, durations, version 6 of IP
}


@pytest.mark.parametrize("name", recordings())
def test_recorded_events(name: str) -> None:
    recording = load(name)
    tables = {f"{recording.topic_prefix}.{table.full_name}": table for table in read_ddl(recording.cql).tables.values()}
    readers = {topic: (PlainReading(table), Judge(table)) for topic, table in tables.items()}
    left = 0
    for record in recording.records:
        plain, judge = readers[record.topic]
        (row,) = plain([record.value])
        if row is not None:
            judge.confirm(record.value or b"", row)
        elif record.value is not None:
            left += _looks_plain(json.loads(record.value))
    assert left == LEFT.get(name, 0)


def _looks_plain(event: dict[str, Any]) -> bool:
    event = event.get("payload", event)
    cells = [cell for cell in event["after"].values() if cell is not None]
    return (
        event["op"] in "iu"
        and event["source"]["snapshot"] == "false"
        and not any(isinstance(cell.get("value"), dict | list | None) or cell["deletion_ts"] for cell in cells)
    )


SCHEMA = b'{"schema":{"type":"struct","fields":[{"field":"payload"}]},"payload":'


def test_events_with_their_schema_are_read_as_those_without() -> None:
    plain = PlainReading(TABLE)
    wrapped = SCHEMA + GOOD + b"}"
    (want,) = plain([GOOD])
    assert want is not None
    assert plain([None, wrapped, GOOD, wrapped[:-1], wrapped + b"}", wrapped]) == [None, want, want, None, None, want]


def test_another_schema_is_learnt_with_the_next_poll() -> None:
    plain = PlainReading(TABLE)
    first, second = SCHEMA + GOOD + b"}", SCHEMA.replace(b"struct", b"other") + GOOD + b"}"
    (want,) = plain([GOOD])
    assert plain([first, second]) == [want, None]
    assert plain([second, first]) == [want, None]


@pytest.mark.parametrize(
    "prefix",
    [
        b'{"schema":{"payload":',
        b'{"schema":[1,"payload":',
        b'{"schema":{},,"payload":',
        b'{"schema":"',
        b'{"schema":{"a":"',
        b'{"schema"',
    ],
)
def test_a_schema_that_is_no_json_is_left_to_the_stages(prefix: bytes) -> None:
    assert read(prefix + GOOD + b"}") == [None]
