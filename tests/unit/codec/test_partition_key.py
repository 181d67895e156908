"""Serialised partition keys."""

from __future__ import annotations

import base64

import pytest

from cdc.codec.partition_key import decode_composite, encode_composite, serialize_partition_key
from cdc.errors import InvalidValue
from cdc.schema import Column, ColumnKind, CqlType, Table


def table(*types: str) -> Table:
    columns = [Column(f"k{index}", CqlType(name), ColumnKind.PARTITION_KEY, index) for index, name in enumerate(types)]
    return Table("ks", "t", (*columns, Column("c", CqlType("int"), ColumnKind.CLUSTERING)))


@pytest.mark.parametrize(
    ("types", "texts", "want"),
    [
        (("int",), ("7", "5"), "00000007"),
        (("text",), ("",), ""),
        (("int", "text"), ("1", "ab", "5"), "0004000000010000026162" + "00"),
        (("text", "text"), ("", ""), "000000000000"),
        (("text", "blob"), ("a", "\\xff00"), "000161000002ff0000"),
    ],
)
def test_a_key_in_texts_becomes_cassandras_bytes(types: tuple[str, ...], texts: tuple[str, ...], want: str) -> None:
    assert serialize_partition_key(table(*types), texts).hex() == want


def test_a_recorded_composite_key_gives_the_true_blob() -> None:
    serialized = encode_composite([b"\x00\x00\x00\x01", b"x", b"\xca\xfe"])
    wire = base64.b64encode(serialized)

    assert decode_composite(base64.b64decode(wire), 3) == [b"\x00\x00\x00\x01", b"x", b"\xca\xfe"]


def test_a_single_column_stands_alone() -> None:
    assert decode_composite(b"\x00\x01", 1) == [b"\x00\x01"]


@pytest.mark.parametrize(
    "serialized", ["", "00", "0001", "000161", "00016101", "00016100", "00016100000000ff", "0001610000000000"]
)
def test_bytes_that_are_no_key_of_two_columns_are_bad_data(serialized: str) -> None:
    with pytest.raises(InvalidValue):
        decode_composite(bytes.fromhex(serialized), 2)


def test_a_column_too_long_for_a_composite_key_is_bad_data() -> None:
    with pytest.raises(InvalidValue):
        encode_composite([bytes(65_536), b""])
