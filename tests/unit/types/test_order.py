"""Cassandra's comparators. Each case stands in ascending order, as Cassandra's own sources compare."""

from __future__ import annotations

import itertools

import pytest

from cdc.types.registry import codec_for
from tests.unit.types.notation import cql

V1_EARLY = "00000000-0000-1000-8000-000000000000"
V1_LATE_LOW = "ffffffff-0000-1000-8000-000000000000"
V1_LATER_HIGH = "00000000-0001-1000-8000-000000000000"
V1_HIGHEST = "00000000-0000-1fff-8000-000000000000"


@pytest.mark.parametrize(
    ("notation", "ascending"),
    [
        ("text", ["", "A", "Z", "a", "ab", "é", "\uffff", "\U0001f600"]),
        ("boolean", ["f", "t"]),
        ("int", ["-2147483648", "-1", "0", "1", "2147483647"]),
        ("bigint", ["-9223372036854775808", "-1", "0", "1"]),
        ("varint", ["-1000000", "-129", "-128", "-1", "0", "1", "127", "128", "1000000"]),
        ("decimal", ["-1E+30", "-1.5", "-1.25", "0", "0.001", "1", "1.01", "2", "10", "1E+30"]),
        ("float", ["-Infinity", "-1.5", "-1e-45", "-0.0", "0.0", "1e-45", "1.5", "Infinity", "NaN"]),
        ("double", ["-Infinity", "-2", "-1", "-0.0", "0.0", "1", "2", "Infinity", "NaN"]),
        ("date", ["4714-11-24 BC", "1969-12-31", "1970-01-01", "5874897-12-31"]),
        ("time", ["00:00:00", "00:00:00.000001", "23:59:59.999999"]),
        ("timestamp", ["0001-01-01 00:00:00+00 BC", "1969-12-31 23:59:59.999+00", "1970-01-01 00:00:00+00"]),
        ("blob", ["\\x", "\\x00", "\\x0000", "\\x01", "\\x7f", "\\x80", "\\xff"]),
        ("inet", ["::1", "1.2.3.4", "32.0.0.0", "2001:db8::1", "33.0.0.0", "fe80::1"]),
        ("timeuuid", [V1_EARLY, V1_LATE_LOW, V1_LATER_HIGH, V1_HIGHEST]),
        # equal time: the last eight bytes are compared as signed bytes
        ("timeuuid", [V1_EARLY[:23] + tail for tail in ("-800000000000", "-ff0000000000", "-000000000000", "-7f0000000000")]),
        (
            "uuid",  # nil, then by version, of version 1 by time, else by unsigned bytes
            [
                "00000000-0000-0000-0000-000000000000",
                V1_EARLY,
                V1_LATE_LOW,
                V1_HIGHEST,
                "00000000-0000-4000-8000-000000000000",
                "ffffffff-0000-4000-8000-000000000000",
                "00000000-0000-7000-8000-000000000000",
            ],
        ),
        ("uuid", [V1_EARLY[:23] + tail for tail in ("-000000000000", "-7f0000000000", "-800000000000")]),
        ("frozen<list<int>>", ["{}", "{-1}", "{-1,5}", "{0}", "{1,-9}", "{1,2}", "{1,2,0}"]),
        ("frozen<set<text>>", ["{}", "{a}", "{b,a}", "{a,c}", "{b}"]),
        ("frozen<map<text, int>>", ["{}", '{"a": 1}', '{"a": 1, "b": 0}', '{"a": 2}', '{"b": -1}']),
        ("tuple<int, text>", ["[null, null]", '[null, "x"]', "[1, null]", '[1, ""]', '[1, "a"]', "[2, null]"]),
        ("frozen<addr>", ['{"street": null}', '{"street": "a"}', '{"street": "a", "zip": 1}', '{"street": "b"}']),
        ("vector<float, 2>", ["{-1,5}", "{1,-1}", "{1,2}", "{2,0}"]),
    ],
)
def test_the_sort_key_orders_as_cassandra(notation: str, ascending: list[str]) -> None:
    codec = codec_for(cql(notation))
    keys = [codec.sort_key(codec.serialize(text)) for text in ascending]

    got = [first < second for first, second in itertools.pairwise(keys)]

    assert got == [True] * (len(ascending) - 1)


@pytest.mark.parametrize(
    ("notation", "least"),
    [
        ("text", b"\0"),
        ("blob", b"\0"),
        ("boolean", b"\0"),
        ("int", b"\x80" + bytes(3)),
        ("bigint", b"\x80" + bytes(7)),
        ("timestamp", b"\x80" + bytes(7)),
        ("date", bytes(4)),
        ("time", bytes(8)),
        ("varint", b"\x80" + bytes(40)),
        ("decimal", bytes(4) + b"\x80" + bytes(40)),
        ("float", bytes.fromhex("ff800000")),
        ("double", bytes.fromhex("fff0000000000000")),
        ("uuid", bytes(16)),
        ("timeuuid", bytes(16)),
        ("inet", bytes(4)),
        ("frozen<list<int>>", bytes(4)),
        ("frozen<map<int, int>>", bytes(4)),
        ("tuple<int>", b"\xff" * 4),
        ("frozen<addr>", b"\xff" * 4),
        ("vector<float, 1>", bytes.fromhex("ff800000")),
    ],
)
def test_the_empty_value_sorts_before_the_least(notation: str, least: bytes) -> None:
    codec = codec_for(cql(notation))

    assert codec.sort_key(b"") < codec.sort_key(least)


def test_decimals_of_one_value_and_different_scale_compare_equal() -> None:
    codec = codec_for(cql("decimal"))

    assert codec.sort_key(codec.serialize("1.0")) == codec.sort_key(codec.serialize("1.00"))


def test_every_nan_compares_equal() -> None:
    codec = codec_for(cql("float"))

    assert codec.sort_key(bytes.fromhex("ffc00001")) == codec.sort_key(codec.serialize("NaN"))


def test_trailing_nulls_of_a_udt_compare_as_fields_that_are_not_there() -> None:
    codec = codec_for(cql("frozen<addr>"))
    short = codec.serialize('{"street": "a"}')[:5]

    assert codec.sort_key(short) == codec.sort_key(codec.serialize('{"street": "a"}'))


@pytest.mark.parametrize(
    ("notation", "want"),
    [("text", True), ("decimal", True), ("frozen<list<int>>", True), ("blob", True)]
    + [
        (notation, False)
        for notation in ("uuid", "timeuuid", "inet", "frozen<map<int,int>>", "frozen<set<uuid>>", "tuple<int>")
    ],
)
def test_it_is_known_where_postgres_orders_otherwise(notation: str, want: bool) -> None:
    assert codec_for(cql(notation)).postgres_order is want
