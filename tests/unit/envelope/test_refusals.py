"""What cannot be decoded, and the error that says why."""

from __future__ import annotations

from typing import Any

import pytest

from cdc.envelope import Envelope
from cdc.errors import (
    BadRecord,
    InvalidValue,
    MalformedRecord,
    MissingKey,
    UnexpectedEnvelope,
    UnknownColumn,
    UnsupportedType,
    ValueOutOfRange,
)
from cdc.reader import TableReader
from cdc.types.registry import codec_for
from tests.fixtures.events import as_json, envelope, table_of, written

TABLE = table_of("CREATE TABLE k.t (a int, b int, c text, n tinyint, f double, l frozen<list<int>>, PRIMARY KEY (a, b))")
KEY = {"a": written(1), "b": written(2)}
GOOD = as_json(envelope(TABLE, "i", KEY | {"c": written("x")}))


def decode(payload: bytes) -> Envelope[Any]:
    return TableReader(TABLE, codec_for).decode(payload)


def event(**cells: Any) -> bytes:
    return as_json(envelope(TABLE, "i", KEY | cells))


def without(name: str) -> bytes:
    whole = envelope(TABLE, "i", KEY)
    del whole[name]
    return as_json(whole)


REFUSALS: dict[str, tuple[bytes, type[BadRecord], str]] = {
    "nothing": (b"", MalformedRecord, "not JSON"),
    "text": (b"hello", MalformedRecord, "not JSON"),
    "cut in the middle": (GOOD[: len(GOOD) // 2], MalformedRecord, "not JSON"),
    "cut by one byte": (GOOD[:-1], MalformedRecord, "not JSON"),
    "with a tail": (GOOD + b"}", MalformedRecord, "not JSON"),
    "not UTF-8": (GOOD.replace(b'"x"', b'"\xff"'), MalformedRecord, "'c'"),
    "half a surrogate pair": (GOOD.replace(b'"x"', b'"\\ud83d"'), MalformedRecord, "not JSON"),
    "nested without end": (b'{"after":' * 100_000, MalformedRecord, "not JSON"),
    "deep inside a cell": (GOOD.replace(b'"x"', b"[" * 5_000 + b"]" * 5_000), MalformedRecord, "not JSON"),
    "an array": (b"[]", UnexpectedEnvelope, "not a JSON object"),
    "null": (b"null", UnexpectedEnvelope, "not a JSON object"),
    "an empty object": (b"{}", UnexpectedEnvelope, "no op"),
    "no op": (without("op"), UnexpectedEnvelope, "no op"),
    "no source": (without("source"), UnexpectedEnvelope, "no source"),
    "no after": (without("after"), UnexpectedEnvelope, "no after"),
    "an op that is a number": (GOOD.replace(b'"op":"i"', b'"op":1'), UnexpectedEnvelope, "op"),
    "a source without a table": (GOOD.replace(b'"table"', b'"tabel"'), UnexpectedEnvelope, "source"),
    "a timestamp that is text": (GOOD.replace(b'"ts_us":1', b'"ts_us":"1","x":1'), UnexpectedEnvelope, "source"),
    "after that is null": (as_json(envelope(TABLE, "i", {}) | {"after": None}), UnexpectedEnvelope, "after"),
    "an unknown column": (event(zz=written(1)), UnknownColumn, "'zz'"),
    "several unknown columns": (event(zz=None, yy=None), UnknownColumn, "'yy', 'zz'"),
    "a partition key that is absent": (as_json(envelope(TABLE, "i", {"b": written(1)})), MissingKey, "'a'"),
    "a partition key that is null": (event(a=None), MissingKey, "'a'"),
    "a partition key with a null value": (event(a=written(None)), MissingKey, "'a'"),
    "text for a number": (event(n=written("1")), InvalidValue, "'n'"),
    "a number for text": (event(c=written(1)), InvalidValue, "'c'"),
    "a fraction for an integer": (event(n=written(1.5)), InvalidValue, "'n'"),
    "a boolean for an integer": (event(n=written(True)), InvalidValue, "'n'"),
    "a value where a cell should be": (event(c="x"), InvalidValue, "'c'"),
    "a cell without value": (event(c={"deletion_ts": None, "set": True}), InvalidValue, "'c'"),
    "text inside a list of numbers": (event(l=written([1, "2"])), InvalidValue, "'l'"),
    "a number too large for its type": (event(n=written(128)), ValueOutOfRange, "'n'"),
    "a number too large for its type inside a list": (event(l=written([1, 2**31])), ValueOutOfRange, "'l'"),
    "a number too large for any type": (
        event(n=written(7)).replace(b":7,", b":" + b"7" * 5_000 + b","),
        ValueOutOfRange,
        "'n'",
    ),
    "a float too large for any type": (event(f=written(7)).replace(b":7,", b":1e400,"), ValueOutOfRange, "'f'"),
    "a timestamp too large for any type": (GOOD.replace(b'"ts_us":1', b'"ts_us":1' + b"0" * 5_000), ValueOutOfRange, "source"),
    "a bound without method": (event(_range_start={"values": []}), InvalidValue, "'_range_start'"),
}


@pytest.mark.parametrize("case", REFUSALS)
def test_a_record_that_cannot_be_decoded_says_why(case: str) -> None:
    payload, kind, words = REFUSALS[case]
    with pytest.raises(BadRecord, match=words) as caught:
        decode(payload)
    assert type(caught.value) is kind


def test_a_good_record_is_decoded() -> None:
    got = decode(GOOD)
    assert (got.op, got.source.keyspace, got.source.table, got.source.is_snapshot) == ("i", "k", "t", False)


def test_a_column_that_the_event_does_not_have_is_absent() -> None:
    assert decode(GOOD).after.c3 is None


def test_an_event_may_be_formatted_in_any_way() -> None:
    decode = TableReader(TABLE, codec_for).decode
    assert decode(GOOD.replace(b",", b" ,\n ").replace(b":", b" : ")) == decode(GOOD)


def test_a_counter_table_is_not_mirrored() -> None:
    counters = table_of("CREATE TABLE k.c (a int PRIMARY KEY, n counter)")
    with pytest.raises(UnsupportedType, match="counter"):
        TableReader(counters, codec_for)
