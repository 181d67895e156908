"""Cassandra's serialisation of collections, tuples and UDTs: counts and lengths of four bytes, and its variable integers."""

from __future__ import annotations

import struct
from collections.abc import Iterable, Sequence
from typing import TypeAlias

Part: TypeAlias = bytes | None
"""A serialised part of a container; None is null."""

_INT = struct.Struct(">i")
_NULL = _INT.pack(-1)
_MAX_EXTRA_BYTES = 8


class _Reader:
    """A cursor over serialised bytes. Every read past the end raises ValueError."""

    __slots__ = ("_at", "_data")

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._at = 0

    @property
    def at_end(self) -> bool:
        return self._at >= len(self._data)

    def take(self, length: int) -> bytes:
        end = self._at + length
        if length < 0 or end > len(self._data):
            raise ValueError(f"{length} bytes at {self._at} of {len(self._data)}")
        taken = self._data[self._at : end]
        self._at = end
        return taken

    def int32(self) -> int:
        value: int = _INT.unpack(self.take(4))[0]
        return value

    def value(self) -> Part:
        length = self.int32()
        return None if length < 0 else self.take(length)

    def unsigned_vint(self) -> int:
        first = self.take(1)[0]
        extra = _leading_ones(first)
        return int.from_bytes(bytes((first & (0xFF >> extra),)) + self.take(extra), "big")

    def finish(self) -> None:
        if not self.at_end:
            raise ValueError(f"{len(self._data) - self._at} bytes too many")


def read_list(serialized: bytes) -> list[Part]:
    """Return the elements of a list or set. Raises ValueError when the bytes are no such thing."""
    reader = _Reader(serialized)
    return _read_values(reader, reader.int32())


def read_map(serialized: bytes) -> list[tuple[Part, Part]]:
    """Return the entries of a map. Raises ValueError when the bytes are no such thing."""
    reader = _Reader(serialized)
    values = _read_values(reader, 2 * reader.int32())
    return list(zip(values[::2], values[1::2], strict=True))


def read_tuple(serialized: bytes, fields: int) -> list[Part]:
    """Return the fields of a tuple or UDT; trailing ones that the value does not have are null. Raises ValueError."""
    reader = _Reader(serialized)
    values: list[Part] = []
    while not reader.at_end:
        values.append(reader.value())
    if len(values) > fields:
        raise ValueError(f"{len(values)} fields where there are {fields}")
    return values + [None] * (fields - len(values))


def read_vector(serialized: bytes, dimension: int, length: int | None) -> list[bytes]:
    """Return the elements of a vector, all of one length or each behind its own. Raises ValueError."""
    reader = _Reader(serialized)
    values = [reader.take(reader.unsigned_vint() if length is None else length) for _ in range(dimension)]
    reader.finish()
    return values


def write_list(values: Sequence[bytes]) -> bytes:
    """Return a serialised list or set."""
    return _INT.pack(len(values)) + b"".join(map(_value, values))


def write_map(entries: Sequence[tuple[bytes, bytes]]) -> bytes:
    """Return a serialised map."""
    return _INT.pack(len(entries)) + b"".join(_value(key) + _value(value) for key, value in entries)


def write_tuple(values: Iterable[Part]) -> bytes:
    """Return a serialised tuple or UDT."""
    return b"".join(map(_value, values))


def write_vector(values: Iterable[bytes], length: int | None) -> bytes:
    """Return a serialised vector; see `read_vector`."""
    return b"".join(values if length is not None else (write_unsigned_vint(len(value)) + value for value in values))


def write_unsigned_vint(value: int) -> bytes:
    """Return an integer whose first byte tells by its leading ones how many bytes follow."""
    extra = min(_MAX_EXTRA_BYTES, (max(1, value.bit_length()) - 1) // 7)
    if extra == _MAX_EXTRA_BYTES:
        return b"\xff" + value.to_bytes(8, "big")
    return ((0xFF00 >> extra & 0xFF) << (8 * extra) | value).to_bytes(extra + 1, "big")


def write_vints(values: Iterable[int]) -> bytes:
    """Return signed integers, the sign in the lowest bit, one behind the other."""
    return b"".join(write_unsigned_vint(value << 1 if value >= 0 else (-value << 1) - 1) for value in values)


def read_vints(serialized: bytes) -> list[int]:
    """Return all signed integers that stand there. Raises ValueError."""
    reader = _Reader(serialized)
    values = []
    while not reader.at_end:
        folded = reader.unsigned_vint()
        values.append(folded >> 1 ^ -(folded & 1))
    return values


def _read_values(reader: _Reader, count: int) -> list[Part]:
    if count < 0:
        raise ValueError(f"a count of {count}")
    values = [reader.value() for _ in range(count)]
    reader.finish()
    return values


def _value(value: Part) -> bytes:
    return _NULL if value is None else _INT.pack(len(value)) + value


def _leading_ones(octet: int) -> int:
    return 8 - (octet ^ 0xFF).bit_length()
