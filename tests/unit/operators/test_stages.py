"""The stages between source and sink: good records go on, each bad one becomes a value with its reason."""

from __future__ import annotations

from typing import Any

import pytest

from cdc.batch import Batch
from cdc.errors import CassandraUnavailable
from cdc.event import ABSENT, PlainRow, Position, Record, RowState, Skip
from cdc.plain_state import row_state
from cdc.schema import Schema
from operators.attempt import BUG
from operators.deserialize import Deserialize
from operators.map_types import map_types
from operators.validate import validate
from tests.fixtures.events import (
    TS,
    batch,
    changes_in,
    envelope,
    event,
    judged,
    record,
    runs,
    schema_of,
    states_of,
    table_of,
    written,
)
from tests.fixtures.events import as_json as json
from tests.fixtures.stage_times import spent

TABLE = table_of("CREATE TABLE shop.t (a int PRIMARY KEY, c text)")
COUNTERS = table_of("CREATE TABLE shop.n (a int PRIMARY KEY, n counter)")
SCHEMA = schema_of(TABLE, COUNTERS)
GOOD = {"a": written(1), "c": written("x")}


def good(number: int = 1, offset: int = 0) -> Record:
    return event(TABLE, "i", GOOD | {"a": written(number)}, offset=offset)


def elsewhere(topic: str, value: bytes | None = b"{}") -> Record:
    return Record(topic, 3, 7, -1, None, value)


BAD: dict[str, tuple[Record, str, str, str]] = {
    "unknown table": (elsewhere("cdc.shop.zz"), "deserialize", "UnknownTable", ""),
    "unknown keyspace": (elsewhere("cdc.zz.t"), "deserialize", "UnknownTable", ""),
    "unknown prefix": (elsewhere("other.shop.t"), "deserialize", "UnknownTable", ""),
    "a marker of an unknown table": (elsewhere("cdc.shop.zz", None), "deserialize", "UnknownTable", ""),
    "counter table": (elsewhere("cdc.shop.n"), "deserialize", "UnsupportedType", "shop.n"),
    "cut": (record(TABLE, b'{"ts_ms":1,'), "deserialize", "MalformedRecord", "shop.t"),
    "key without value": (event(TABLE, "i", GOOD | {"a": written(None)}), "deserialize", "MissingKey", "shop.t"),
    "event of another table": (event(TABLE, "i", GOOD, keyspace="other"), "validate", "UnexpectedEnvelope", "shop.t"),
    "event of another keyspace": (
        record(TABLE, json(envelope(TABLE, "i", GOOD)).replace(b'"table":"t"', b'"table":"u"')),
        "validate",
        "UnexpectedEnvelope",
        "shop.t",
    ),
    "unknown op": (event(TABLE, "x", GOOD), "validate", "UnknownOperation", "shop.t"),
    "no op at all": (event(TABLE, "", GOOD), "validate", "UnknownOperation", "shop.t"),
    "timestamp too large": (event(TABLE, "i", GOOD, ts_us=2**63), "validate", "ValueOutOfRange", "shop.t"),
    "timestamp too small": (event(TABLE, "i", GOOD, ts_us=-(2**63) - 1), "validate", "ValueOutOfRange", "shop.t"),
    "U+0000": (event(TABLE, "i", GOOD | {"c": written("a\0b")}), "map_types", "UnrepresentableValue", "shop.t"),
}


def run(*records: Record, deserialize: Deserialize | None = None) -> Any:
    return map_types(validate((deserialize or Deserialize(SCHEMA, "cdc"))(batch(*records))))


@pytest.mark.parametrize("case", BAD)
def test_a_bad_record_is_refused_alone(case: str) -> None:
    bad, stage, error_type, table = BAD[case]
    got = run(good(1), bad, good(2))
    assert [(r.stage, r.error_type, r.table, r.record) for r in got.rejected] == [(stage, error_type, table, bad)]
    assert [state.key for state in states_of(got)] == [("1",), ("2",)]


def test_a_refusal_names_the_column_and_not_its_value() -> None:
    (rejected,) = run(event(TABLE, "i", GOOD | {"c": written("sec\0ret")})).rejected
    assert "'c'" in rejected.message
    assert "ret" not in rejected.message.replace("letter", "")


def test_a_change_carries_table_and_record() -> None:
    (change,) = changes_in(run(good()))
    assert change.table is TABLE
    assert isinstance(change.what, PlainRow)
    assert row_state(TABLE, change.what) == RowState(("1",), TS, ["x"], TS, is_whole=True)
    assert change.record == good()


def test_plain_rows_and_others_are_read_alike() -> None:
    got = run(good(1), judged(good(2)), good(3))
    assert [type(change.what) for change in changes_in(got)] == [RowState, PlainRow, PlainRow]
    assert states_of(got) == [RowState((key,), TS, ["x"], TS, is_whole=True) for key in ("2", "1", "3")]
    assert [change.record for change in changes_in(got)] == [judged(good(2)), good(1), good(3)]


def test_topics_stay_apart_in_a_poll() -> None:
    other = table_of("CREATE TABLE shop.u (b text PRIMARY KEY, d int)")
    row = event(other, "i", {"b": written("k"), "d": written(5)})
    got = run(good(1), row, good(2), deserialize=Deserialize(schema_of(TABLE, other), "cdc"))
    assert [(change.table, change.record) for change in changes_in(got)] == [(TABLE, good(1)), (other, row), (TABLE, good(2))]
    assert [state.values for state in states_of(got)] == [["x"], ["5"], ["x"]]


def test_positions_slot_time_and_counts_stay_with_the_batch() -> None:
    positions = [Position("cdc.shop.t", 0, "id", 5)]
    polled = Batch(7, runs([good(), record(TABLE, None), good()]), positions, polled_at=12.5)
    got = map_types(validate(Deserialize(SCHEMA, "cdc")(polled)))
    assert (got.slot, got.positions, got.polled_at) == (7, positions, 12.5)
    assert got.skipped == {("shop.t", Skip.COMPACTION_MARKER): 1}


@pytest.mark.parametrize("stage", ["deserialize", "map_types"])
def test_a_batch_adds_to_the_processor_time_of_a_stage(stage: str) -> None:
    before = spent(stage)
    run(good(1), judged(good(2)))
    assert spent(stage) > before


def test_the_copies_of_what_is_refused_are_let_through() -> None:
    refused: list[Record] = []
    cut = record(TABLE, b"{")
    got = run(good(1), cut, deserialize=Deserialize(SCHEMA, "cdc", refused=refused.append))
    assert refused == [letter.record for letter in got.rejected] == [cut]


def test_left_out_cells_are_counted() -> None:
    table = table_of(
        "CREATE TABLE shop.s (a int, b int, s int static, c int, old int, PRIMARY KEY (a, b)); ALTER TABLE shop.s DROP old;"
    )
    key = {"a": written(1), "b": written(1)}
    seen = event(table, "i", key | {"s": written(1), "old": written(2), "c": None})
    unseen = event(table, "u", key | {"s": written(None), "old": None, "c": written(1)})
    nothing = event(table, "u", key | {"old": written(2)})
    got = map_types(validate(Deserialize(schema_of(table), "cdc")(batch(seen, unseen, nothing))))
    assert len(changes_in(got)) == 2
    assert got.skipped == {
        ("shop.s", Skip.STATIC_CELL): 1,
        ("shop.s", Skip.DROPPED_CELL): 2,
        ("shop.s", Skip.NOTHING_WRITTEN): 1,
    }


def test_values_that_lose_digits_are_counted() -> None:
    table = table_of("CREATE TABLE shop.r (a int PRIMARY KEY, at time, l list<time>, d duration, c text)")
    fine = event(table, "i", {"a": written(1), "at": written(1_000), "l": written([1_000]), "d": written(1_000)})
    lossy = event(table, "i", {"a": written(2), "at": written(1_001), "l": written([1_000, 1]), "d": written(5)})
    partial = event(table, "u", {"a": written(3), "at": written(None), "c": written("x")})
    got = map_types(validate(Deserialize(schema_of(table), "cdc")(batch(fine, lossy, partial))))
    assert len(changes_in(got)) == 3
    assert got.skipped == {("shop.r", Skip.LOST_DIGITS): 3}


class Catalog:
    """Answers with the schemas given, one a question."""

    def __init__(self, *answers: Schema | None) -> None:
        self.answers = list(answers)
        self.asked = 0
        self.needs: list[str] = []

    def __call__(self, need: str) -> Schema | None:
        self.asked += 1
        self.needs.append(need)
        return self.answers.pop(0) if self.answers else None


def test_an_unknown_column_asks_for_the_schema_and_is_then_read() -> None:
    altered = table_of("CREATE TABLE shop.t (a int PRIMARY KEY, c text); ALTER TABLE shop.t ADD d int;")
    catalog = Catalog(schema_of(altered))
    added = event(TABLE, "i", GOOD | {"a": written(2), "d": written(4)})
    got = run(judged(good(1)), added, judged(good(3)), deserialize=Deserialize(SCHEMA, "cdc", refresh=catalog))
    assert [state.values for state in states_of(got)] == [["x"], ["x", "4"], ["x", ABSENT]]
    assert [change.table for change in changes_in(got)] == [TABLE, altered, altered]
    assert catalog.needs == ["cdc.shop.t: the table has no column 'd'"]


def test_an_unknown_table_asks_for_the_schema_and_is_then_read() -> None:
    catalog = Catalog(SCHEMA)
    assert len(changes_in(run(good(), deserialize=Deserialize(Schema({}), "cdc", refresh=catalog)))) == 1


def test_a_compaction_marker_of_a_table_that_becomes_known_is_skipped() -> None:
    marker = Record("cdc.shop.t", 0, 0, 0, b"{}", None)
    got = run(marker, good(), deserialize=Deserialize(Schema({}), "cdc", refresh=Catalog(SCHEMA)))
    assert (len(changes_in(got)), got.rejected, got.skipped) == (1, [], {("shop.t", Skip.COMPACTION_MARKER): 1})
    got = run(marker, deserialize=Deserialize(Schema({}), "cdc", refresh=Catalog(Schema({}))))
    assert [letter.error_type for letter in got.rejected] == ["UnknownTable"]


def test_what_another_worker_or_a_look_has_learnt_is_read_by_from_the_next_poll_on() -> None:
    known = [SCHEMA]
    deserialize = Deserialize(SCHEMA, "cdc", current=lambda: known[-1], refresh=lambda _: known[-1])
    assert [change.table for change in changes_in(run(good(), deserialize=deserialize))] == [TABLE]
    altered = table_of("CREATE TABLE shop.t (a int PRIMARY KEY, c text); ALTER TABLE shop.t ADD d int;")
    known.append(schema_of(altered))
    assert [change.table for change in changes_in(run(good(), deserialize=deserialize))] == [altered]


def test_each_need_of_a_poll_is_asked_for() -> None:
    altered = table_of("CREATE TABLE shop.t (a int PRIMARY KEY, c text); ALTER TABLE shop.t ADD d int;")
    catalog = Catalog(None, schema_of(altered))
    garbage = [Record("cdc.shop.nobody", 0, number, 0, b"{}", b"{}") for number in range(3)]
    added = event(TABLE, "i", GOOD | {"a": written(2), "d": written(4)})
    got = run(*garbage, added, deserialize=Deserialize(SCHEMA, "cdc", refresh=catalog))
    assert [letter.error_type for letter in got.rejected] == ["UnknownTable"] * 3
    assert [change.table for change in changes_in(got)] == [altered]
    assert len(catalog.needs) == 2


def test_a_server_that_is_away_for_good_makes_no_dead_letter() -> None:
    def refresh(need: str) -> Schema:
        raise CassandraUnavailable(need)

    unknown = event(TABLE, "i", GOOD | {"zz": written(1)})
    with pytest.raises(CassandraUnavailable):
        run(good(), unknown, deserialize=Deserialize(SCHEMA, "cdc", refresh=refresh))


def test_the_schema_is_asked_for_once_a_poll() -> None:
    catalog = Catalog(SCHEMA, None, SCHEMA)
    deserialize = Deserialize(SCHEMA, "cdc", refresh=catalog)
    unknown = [event(TABLE, "i", GOOD | {"zz": written(number)}) for number in range(5)]
    for asked in (1, 2):
        got = run(*unknown, deserialize=deserialize)
        assert [letter.error_type for letter in got.rejected] == ["UnknownColumn"] * 5
        assert catalog.asked == asked


@pytest.mark.parametrize("stage", ["deserialize", "map_types"])
def test_a_bug_costs_one_record_and_keeps_its_traceback(stage: str, monkeypatch: pytest.MonkeyPatch) -> None:
    deserialize = Deserialize(SCHEMA, "cdc")
    reader = deserialize.topic("cdc.shop.t").reader
    bug = BuggyRule(reader.rules["i"]) if stage == "map_types" else BuggyDecoder(reader.decode)
    if stage == "map_types":
        monkeypatch.setitem(reader.rules, "i", bug)
    else:
        monkeypatch.setattr(reader, "parse", bug)
        monkeypatch.setattr(reader, "decode", bug)
    got = run(good(1), judged(good(0)), good(2), deserialize=deserialize)
    (letter,) = got.rejected
    assert (letter.stage, letter.error_type, letter.table, letter.record) == (stage, BUG, "shop.t", judged(good(0)))
    assert "ZeroDivisionError" in letter.message
    assert "in divided" in letter.message
    assert [state.key for state in states_of(got)] == [("1",), ("2",)]


class Buggy:
    """Does what it should, but for the key 0."""

    def __init__(self, right: Any) -> None:
        self.right = right

    def divided(self, got: Any, key: int) -> Any:
        return got if 1 // key >= 0 else None


class BuggyDecoder(Buggy):
    def __call__(self, payload: bytes) -> Any:
        envelope = self.right(payload)
        return self.divided(envelope, envelope.after.c0.value)


class BuggyRule(Buggy):
    def __call__(self, envelope: Any) -> Any:
        return self.divided(self.right(envelope), envelope.after.c0.value)


def test_a_stage_leaves_the_end_of_the_process_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(_envelope: Any) -> Any:
        raise KeyboardInterrupt

    deserialize = Deserialize(SCHEMA, "cdc")
    monkeypatch.setitem(deserialize.topic("cdc.shop.t").reader.rules, "i", interrupted)
    with pytest.raises(KeyboardInterrupt):
        run(judged(good(1)), deserialize=deserialize)
