"""Whatever stands in a record, it becomes a change, a skip or a refusal with its reason; never an exception, never a bug."""

from __future__ import annotations

import copy
from typing import Any

import msgspec
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from cdc.batch import Batch
from cdc.event import Change, Record
from operators.attempt import BUG
from operators.deserialize import Deserialize
from operators.map_types import map_types
from operators.validate import validate
from tests.fixtures.events import TS, as_json, batch, bound, changes_in, envelope, killed, record, schema_of, table_of, written

TABLE = table_of("""
    CREATE TYPE k.u (x int, y frozen<list<blob>>);
    CREATE TABLE k.t (
        p1 text, p2 blob, c1 timestamp, c2 decimal, s int static,
        b boolean, ti tinyint, bi bigint, f float, d double, vi varint, de decimal, bl blob, da date, tm time, ts timestamp,
        u uuid, tu timeuuid, i inet, du duration, l list<text>, fl frozen<list<int>>, m map<int,text>, fs frozen<set<uuid>>,
        tp tuple<int,text>, ud frozen<u>, gone int, PRIMARY KEY ((p1, p2), c1, c2));
    ALTER TABLE k.t DROP gone;
""")
UUID = "123e4567-e89b-12d3-a456-426614174000"
KEY = {"p1": written("a"), "p2": written("AAFhAAACAQIA"), "c1": written(1000), "c2": written("5")}
VALUES = {
    "b": written(True),
    "ti": written(1),
    "bi": written(2**60, TS + 10**7),
    "f": written(1.5),
    "d": written("NaN"),
    "vi": written("123"),
    "de": written("1.50"),
    "bl": written("AQI="),
    "da": written(1),
    "tm": written(1000),
    "ts": written(1000),
    "u": written(UUID),
    "tu": written("f3a1c0de-0000-11ee-8000-000000000000"),
    "i": written("/10.0.0.1"),
    "du": written(10**9),
    "l": written(["x"]),
    "fl": written([1, 2]),
    "m": written([[1, "x"]]),
    "fs": written([UUID]),
    "tp": written({"field1": 1, "field2": "x"}),
    "ud": written({"x": 1, "y": None}),
    "gone": written(1),
    "s": written(1),
}
RANGE = {"_range_start": bound("INCL_START_BOUND", c1="2020-01-02T03:04:05.678Z"), "_range_end": bound("INCL_END_BOUND")}
EVENTS = [
    envelope(TABLE, "i", KEY | VALUES),
    envelope(TABLE, "u", KEY | dict.fromkeys(VALUES) | {"b": written(None)}),
    envelope(TABLE, "i", KEY | VALUES, snapshot="true"),
    envelope(TABLE, "d", KEY | dict.fromkeys(VALUES, killed(TS))),
    envelope(TABLE, "d", KEY | dict.fromkeys(VALUES, killed(TS)) | {"c1": killed(TS), "c2": None}),
    envelope(TABLE, "r", {"p1": KEY["p1"], "p2": KEY["p2"]} | RANGE),
]
DESERIALIZE = Deserialize(schema_of(TABLE), "cdc")

numbers = st.integers() | st.integers(-(2**70), 2**70) | st.floats() | st.sampled_from([10**300, -(10**4000), 1e308, -0.0])
texts = st.text() | st.sampled_from(
    ["NaN", "-", "1e999999999", "1" * 5000, "\0", UUID, "/::1", "AAAA", "9" * 400 + ".5", "i", "r"]
)
anything = st.recursive(
    st.none() | st.booleans() | numbers | texts,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3),
    max_leaves=8,
)

patient = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])


def stages(*records: Record) -> Batch[Change]:
    return map_types(validate(DESERIALIZE(batch(*records))))


def check(payload: bytes) -> None:
    got = stages(record(TABLE, payload))
    bugs = [letter.message for letter in got.rejected if letter.error_type == BUG]
    assert bugs == []
    assert len(changes_in(got)) + len(got.rejected) + bool(got.skipped) >= 1


def test_the_events_to_start_from_are_good() -> None:
    got = stages(*(record(TABLE, as_json(document)) for document in EVENTS))
    assert got.rejected == []
    assert len(changes_in(got)) == len(EVENTS)


@patient
@given(st.binary())
def test_any_bytes(payload: bytes) -> None:
    check(payload)


@patient
@given(anything)
def test_any_json(document: Any) -> None:
    check(msgspec.json.encode(document) if not _has_huge(document) else as_json(document))


@patient
@given(st.sampled_from(EVENTS), st.data())
def test_an_event_with_any_one_part_replaced(document: dict[str, Any], data: st.DataObject) -> None:
    document = copy.deepcopy(document)
    node: Any = document
    while True:
        key = data.draw(st.sampled_from(sorted(node) if isinstance(node, dict) else range(len(node))))
        child = node[key]
        if not isinstance(child, dict | list) or not child or data.draw(st.booleans()):
            node[key] = data.draw(anything)
            break
        node = child
    check(as_json(document))


@patient
@given(st.sampled_from(EVENTS), st.data())
def test_an_event_with_any_bytes_changed(document: dict[str, Any], data: st.DataObject) -> None:
    payload = as_json(document)
    start = data.draw(st.integers(0, len(payload)))
    end = data.draw(st.integers(start, min(len(payload), start + 20)))
    check(payload[:start] + data.draw(st.binary(max_size=5)) + payload[end:])


@patient
@given(st.sampled_from(EVENTS), st.integers(0, 2_000))
def test_an_event_cut_anywhere(document: dict[str, Any], length: int) -> None:
    check(as_json(document)[:length])


def _has_huge(document: Any) -> bool:
    """Return whether a number is beyond what msgspec encodes."""
    if isinstance(document, dict):
        return any(map(_has_huge, document.values()))
    if isinstance(document, list):
        return any(map(_has_huge, document))
    return isinstance(document, int) and not -(2**63) <= document < 2**64
