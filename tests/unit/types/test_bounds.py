"""Bounds of range tombstones: Cassandra's own notation."""

from __future__ import annotations

import pytest

from cdc.errors import InvalidValue
from cdc.types.registry import codec_for
from tests.unit.types.notation import cql


@pytest.mark.parametrize(
    ("notation", "bound", "text"),
    [
        ("text", "quote'd, comma: é", "quote'd, comma: é"),
        ("text", "", ""),
        ("int", "-3", "-3"),
        ("varint", "-129", "-129"),
        ("decimal", "1.50", "1.50"),
        ("decimal", "12345678901234567890.123", "12345678901234567890.123"),
        ("double", "1.0E10", "10000000000"),
        ("double", "-Infinity", "-Infinity"),
        ("boolean", "false", "f"),
        ("boolean", "true", "t"),
        ("timestamp", "2020-01-02T03:04:05.678Z", "2020-01-02 03:04:05.678+00"),
        ("timestamp", "1960-01-02T03:04:05.678Z", "1960-01-02 03:04:05.678+00"),
        ("timestamp", "+10000-01-01T00:00:00.000Z", "10000-01-01 00:00:00+00"),
        ("date", "1969-12-30", "1969-12-30"),
        ("date", "-0001-12-31", "0002-12-31 BC"),
        ("date", "+10000-01-01", "10000-01-01"),
        ("time", "08:00:00.500000000", "08:00:00.5"),
        ("blob", "00ff", "\\x00ff"),
        ("inet", "10.0.0.1", "10.0.0.1"),
        ("inet", "2001:db8:0:0:0:0:0:1", "2001:db8::1"),
        ("uuid", "123e4567-e89b-12d3-a456-426614174000", "123e4567-e89b-12d3-a456-426614174000"),
        ("tuple<int, text>", "0:a", '[0, "a"]'),
        ("tuple<int, text>", "@:", '[null, ""]'),
        ("tuple<text, text>", "a\\:b:\\@", '["a:b", "@"]'),
        ("tuple<int, frozen<tuple<text, int>>>", "1:a\\:2", '[1, ["a", 2]]'),
        ("frozen<addr>", "K:1:@", '{"street": "K", "zip": 1, "tags": null}'),
    ],
)
def test_a_bound_is_the_value_of_its_notation(notation: str, bound: str, text: str) -> None:
    codec = codec_for(cql(notation))

    got = codec.from_bound(bound)

    assert got == codec.serialize(text)


@pytest.mark.parametrize(
    ("notation", "bound", "want"),
    [
        ("frozen<list<int>>", "0000000100000004 00000005".replace(" ", ""), "000000010000000400000005"),
        ("frozen<map<text, int>>", "00000000", "00000000"),
        ("time", "08:00:00.000000001", (8 * 3_600 * 10**9 + 1).to_bytes(8, "big").hex()),
        ("text", "a\0b", "610062"),
        ("double", "NaN", "7ff8000000000000"),
        ("int", "", ""),
        ("uuid", "", ""),
        ("decimal", "1E+3", "fffffffd01"),
        ("date", "-5877641-06-23", "00000000"),
        ("timestamp", "294277-01-01T00:00:00.000Z", (9_224_318_016_000_000).to_bytes(8, "big").hex()),
    ],
)
def test_a_bound_may_be_what_no_postgres_type_holds(notation: str, bound: str, want: str) -> None:
    assert codec_for(cql(notation)).from_bound(bound).hex() == want


@pytest.mark.parametrize(
    ("notation", "bound"),
    [
        ("int", "x"),
        ("int", "2147483648"),
        ("varint", "1E999999999"),
        ("decimal", "NaN"),
        ("decimal", "x"),
        ("double", "x"),
        ("uuid", "123e"),
        ("uuid", "zz"),
        ("inet", "10.0"),
        ("date", "2020"),
        ("date", "9999999-01-01"),
        ("time", "8"),
        ("timestamp", "yesterday"),
        ("blob", "0x00"),
        ("boolean", "maybe"),
        ("duration", "soon"),
        ("frozen<list<int>>", "zz"),
        ("tuple<int, text>", "1"),
        ("tuple<int, text>", "x:a"),
    ],
)
def test_a_bound_in_another_notation_is_bad_data(notation: str, bound: str) -> None:
    with pytest.raises(InvalidValue):
        codec_for(cql(notation)).from_bound(bound)
