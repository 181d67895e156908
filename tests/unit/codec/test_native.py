"""Cassandra's container serialisation and its variable integers."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cdc.codec.native import (
    read_list,
    read_map,
    read_tuple,
    read_vector,
    read_vints,
    write_list,
    write_map,
    write_tuple,
    write_unsigned_vint,
    write_vector,
    write_vints,
)


@pytest.mark.parametrize(
    ("value", "want"),
    [
        (0, "00"),
        (127, "7f"),
        (128, "8080"),
        (16_383, "bfff"),
        (16_384, "c04000"),
        ((1 << 56) - 1, "feffffffffffffff"),
        (1 << 56, "ff0100000000000000"),
        ((1 << 64) - 1, "ffffffffffffffffff"),
    ],
)
def test_an_unsigned_vint_tells_its_length_by_leading_ones(value: int, want: str) -> None:
    assert write_unsigned_vint(value).hex() == want


@given(st.lists(st.integers(-(1 << 63), (1 << 63) - 1)))
def test_signed_vints_come_back(values: list[int]) -> None:
    assert read_vints(write_vints(values)) == values


@given(st.lists(st.binary(max_size=300)))
def test_lists_come_back(values: list[bytes]) -> None:
    assert read_list(write_list(values)) == values


@given(st.lists(st.tuples(st.binary(max_size=9), st.binary(max_size=9))))
def test_maps_come_back(entries: list[tuple[bytes, bytes]]) -> None:
    assert read_map(write_map(entries)) == entries


@given(st.lists(st.none() | st.binary(max_size=9)))
def test_tuples_come_back(values: list[bytes | None]) -> None:
    assert read_tuple(write_tuple(values), len(values)) == values


@given(st.lists(st.binary(max_size=200)))
def test_vectors_of_variable_elements_come_back(values: list[bytes]) -> None:
    assert read_vector(write_vector(values, None), len(values), None) == values


def test_a_tuple_shorter_than_its_type_ends_in_nulls() -> None:
    assert read_tuple(write_tuple([b"a"]), 3) == [b"a", None, None]


@pytest.mark.parametrize(
    "serialized", ["", "0000", "ffffffff", "00000001", "0000000100000002aa", "00000000ff", "7fffffff", "0000000200000000"]
)
def test_bytes_that_are_no_list_are_refused(serialized: str) -> None:
    with pytest.raises(ValueError, match=r"bytes|count"):
        read_list(bytes.fromhex(serialized))


@pytest.mark.parametrize("serialized", ["00", "00000002aa", "000000000000000000000000"])
def test_bytes_that_are_no_tuple_of_two_are_refused(serialized: str) -> None:
    with pytest.raises(ValueError, match=r"bytes|fields"):
        read_tuple(bytes.fromhex(serialized), 2)
