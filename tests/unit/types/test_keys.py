"""Primary key columns: one text a key, or an error."""

from __future__ import annotations

from typing import Any

import pytest

from cdc.errors import UnrepresentableKey, ValueOutOfRange
from cdc.types.registry import codec_for
from tests.unit.types.notation import cql


@pytest.mark.parametrize(
    ("notation", "value"),
    [
        ("text", "a\0"),
        ("ascii", "\0"),
        ("float", "NaN"),
        ("double", "NaN"),
        ("double", -0.0),
        ("time", 1_001),
        ("frozen<list<text>>", ["\0"]),
        ("frozen<list<double>>", [-0.0]),
        ("frozen<list<time>>", [1]),
        ("frozen<map<text, double>>", {"a": "NaN"}),
        ("frozen<map<text, text>>", {"a": "\0"}),
    ],
)
def test_a_value_that_is_not_one_to_one_is_no_key(notation: str, value: Any) -> None:
    codec = codec_for(cql(notation))

    for key_from_event in (codec.key_from_event, codec.partition_key_from_event):
        with pytest.raises(UnrepresentableKey):
            key_from_event(value)


@pytest.mark.parametrize("value", ["1.0", "1.00", "-0.50", "0.0", "100.0"])
def test_a_decimal_with_trailing_zeros_is_no_partition_key(value: str) -> None:
    with pytest.raises(UnrepresentableKey):
        codec_for(cql("decimal")).partition_key_from_event(value)


@pytest.mark.parametrize(
    ("value", "want"), [("1.0", "1"), ("1.00", "1"), ("-0.50", "-0.5"), ("0.0", "0"), ("100", "100"), ("100.10", "100.1")]
)
def test_decimals_that_compare_equal_are_one_clustering_key(value: str, want: str) -> None:
    got = codec_for(cql("decimal")).key_from_event(value)

    assert got == want


def test_decimals_inside_a_clustering_collection_are_one_key_too() -> None:
    codec = codec_for(cql("frozen<list<decimal>>"))

    got = codec.key_from_event(["1.0", "2.50"])

    assert got == codec.key_from_event(["1.00", "2.5"]) == "{1,2.5}"


@pytest.mark.parametrize(
    ("notation", "value", "want"),
    [
        ("decimal", "1.5", "1.5"),
        ("time", 1_000, "00:00:00.000001"),
        ("double", 0.0, "0.0"),
        ("double", "Infinity", "Infinity"),
        ("text", "", ""),
        ("frozen<list<int>>", [1, 2], "{1,2}"),
        ("tuple<time, int>", None, '["00:00:00.000000001",1]'),
    ],
)
def test_an_ordinary_value_is_a_key_in_either_place(notation: str, value: Any, want: str) -> None:
    codec = codec_for(cql(notation))
    wire = value if value is not None else codec.wire(1, 1)

    got = codec.key_from_event(wire), codec.partition_key_from_event(wire)

    assert got == (want, want)


def test_a_map_as_key_is_one_text_whatever_order_the_connector_took() -> None:
    codec = codec_for(cql("frozen<map<text, int>>"))

    got = codec.key_from_event({"b": 1, "a": 2})

    assert got == codec.key_from_event({"a": 2, "b": 1})


def test_a_float_key_is_one_text_whatever_digits_java_printed() -> None:
    codec = codec_for(cql("float"))

    got = codec.key_from_event(2.0000000298023224e-3)

    assert got == codec.key_from_event(0.002) == "0.002"


def test_a_float_key_beyond_single_precision_is_out_of_range() -> None:
    with pytest.raises(ValueOutOfRange):
        codec_for(cql("float")).key_from_event(1e39)


@pytest.mark.parametrize("value", ["3.4025e+38", "3.4028235e+38", "1e-45", "1.1754944e-38", "0.1"])
def test_the_ends_of_single_precision_survive_as_text(value: str) -> None:
    codec = codec_for(cql("float"))
    serialized = codec.serialize(value)

    assert codec.serialize(codec.to_text(serialized)) == serialized


def test_bytes_give_the_same_keys_as_events() -> None:
    codec = codec_for(cql("decimal"))
    serialized = codec.serialize("1.50")

    assert codec.key_to_text(serialized) == "1.5"
    with pytest.raises(UnrepresentableKey):
        codec.partition_key_to_text(serialized)
