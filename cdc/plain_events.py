"""The short way from events to rows: C makes the text that is staged, but only of events that say nothing but values.

For each table a program says what the connector writes, byte for byte (`cdc/native/rows.c`). An event that differs in anything,
be it a tombstone or a space, is left to `cdc.envelope` and `cdc.interpret`, and so is all that is wrong.
"""

from __future__ import annotations

import ctypes
import json
from array import array
from collections.abc import Callable, Iterator, Sequence
from enum import IntEnum
from functools import lru_cache
from typing import Any, Final, NamedTuple

from cdc.envelope import RANGE_END, RANGE_START, payload_of
from cdc.event import PlainRow
from cdc.native import library
from cdc.schema import Column, Table

MAX_FORMS: Final = 4096  # sets of touched columns that are remembered: any tuple is made again, but costs time
AT_ONCE: Final = 500  # events: their text stays in the processor's cache until it is cut into lines
_WITH_SCHEMA: Final = b'{"schema"'
_PAYLOAD: Final = b'"payload":'
_NOT_PLAIN: Final = b"\0"
_WITH_MARKER: Final = 2


class _Code(IntEnum):
    """What stands behind an op's text; as in `rows.c`."""

    END = 0
    LITERAL = 1
    OPTIONAL = 2
    INTEGER = 3
    STRING = 4
    OPERATION = 5
    WRITE_TS = 6
    KEY = 7
    CELL = 8


class _Op(ctypes.Structure):
    _fields_ = (
        ("text", ctypes.c_char_p),
        ("length", ctypes.c_int32),
        ("code", ctypes.c_int32),
        ("kind", ctypes.c_int32),
        ("position", ctypes.c_int32),
    )


_Step = tuple[_Code, str, int, int]
_ENVELOPE: Final = (
    (_Code.INTEGER, '{"ts_ms":'),
    (_Code.OPERATION, ',"op":'),
    (_Code.STRING, ',"source":{"version":'),
    (_Code.STRING, ',"connector":'),
    (_Code.STRING, ',"name":'),
    (_Code.INTEGER, ',"ts_ms":'),
    (_Code.STRING, ',"snapshot":"false","db":'),
    (_Code.WRITE_TS, ',"sequence":null,"ts_us":'),
    (_Code.INTEGER, ',"ts_ns":'),
    (_Code.STRING, ',"cluster":'),
    (_Code.STRING, ',"file":'),
    (_Code.INTEGER, ',"pos":'),
)


class _Text(NamedTuple):
    """What C has written: the lines of rows and of their keys in turn, and arrays as `cassmirror_plain_rows` describes them."""

    lines: list[bytes]
    forms: bytes
    stamps: array[int]
    touched: array[int]


class PlainEvents:
    """Reads the plain events of one table. Threads may share it."""

    def __init__(self, table: Table) -> None:
        self._program = _program(table) if _has_plain_events(table) else None
        self._words = max(1, -(-len(table.regular) // 64))
        self._forms = _Forms()
        self._prefix = b""

    def __call__(self, payloads: Sequence[bytes | None]) -> list[PlainRow | None]:
        """Return the row of each event, None where it is not plain. Idempotent, never raises for what a payload holds."""
        if self._program is None:
            return [None] * len(payloads)
        rows: list[PlainRow | None] = []
        for begin in range(0, len(payloads), AT_ONCE):
            rows += self._rows(self._text([payload or b"" for payload in payloads[begin : begin + AT_ONCE]]))
        return rows

    def _text(self, payloads: list[bytes]) -> _Text:
        count, prefix, lengths = len(payloads), self._prefix_of(payloads), array("q", map(len, payloads))
        forms, stamps, touched = _zeros("B", count), _zeros("q", count), _zeros("Q", count * self._words)
        text = _bytes_to_fill()(None, 3 * sum(lengths) + 16)
        used = _kernel().cassmirror_plain_rows(
            self._program,
            prefix,
            len(prefix),
            count,
            _pointers(payloads),
            _address(lengths),
            text,
            len(text),
            _address(forms),
            _address(stamps),
            _address(touched),
            self._words,
        )
        return _Text(text[:used].split(b"\n"), forms.tobytes(), stamps, touched)

    def _rows(self, text: _Text) -> list[PlainRow | None]:
        forms = text.forms.translate(None, _NOT_PLAIN)
        stamps = text.stamps[: len(forms)].tolist()
        markers = [ts if form == _WITH_MARKER else None for ts, form in zip(stamps, forms, strict=True)]
        touched = self._positions(text.touched[: len(forms) * self._words].tolist())
        rows = map(PlainRow, text.lines[1::2], text.lines[0::2], touched, stamps, markers)
        if len(forms) == len(text.forms):
            return [*rows]
        return [next(rows) if form else None for form in text.forms]

    def _positions(self, words: list[int]) -> Iterator[tuple[int, ...]]:
        forms = self._forms
        if len(forms) > MAX_FORMS:
            forms = self._forms = _Forms()
        keys = words if self._words == 1 else zip(*[iter(words)] * self._words, strict=True)
        return map(forms.__getitem__, keys)

    def _prefix_of(self, values: Sequence[bytes]) -> bytes:
        """Return what stands before the payload in events that bring their schema, as the first one of a poll has it."""
        first = next(filter(None, values), b"")
        if first.startswith(_WITH_SCHEMA) and not (self._prefix and first.startswith(self._prefix)):
            prefix = first[: first.find(_PAYLOAD + b'{"ts_ms":') + len(_PAYLOAD)]
            self._prefix = prefix if payload_of(prefix + b"null}") == b"null" else b""
        return self._prefix


class _Forms(dict[Any, tuple[int, ...]]):
    """The positions of touched columns by their bits, which are a word or a tuple of words."""

    def __missing__(self, form: int | tuple[int, ...]) -> tuple[int, ...]:
        words = (form,) if isinstance(form, int) else form
        positions = tuple(64 * place + bit for place, word in enumerate(words) for bit in range(64) if word >> bit & 1)
        return self.setdefault(form, positions)


def _has_plain_events(table: Table) -> bool:
    """Return whether keys can be read; blobs of a composite partition key stand elsewhere (`cdc.key_columns`)."""
    if any(column.name in (RANGE_START, RANGE_END) for column in table.columns):
        return False
    has_blob = any(column.type.name == "blob" for column in table.partition_key)
    return all(_kind(column) >= 0 for column in table.primary_key) and not (has_blob and len(table.partition_key) > 1)


def _program(table: Table) -> ctypes.Array[_Op]:
    """Return the ops of a table's events."""
    steps = [(text.encode(), code, kind, position) for code, text, kind, position in _steps(table)]
    return (_Op * len(steps))(*[_Op(text, len(text), code, kind, position) for text, code, kind, position in steps])


def _steps(table: Table) -> Iterator[_Step]:
    yield from ((code, text, 0, 0) for code, text in _ENVELOPE)
    source = f',"keyspace":{_quoted(table.keyspace)},"table":{_quoted(table.name)}}},"after":{{'
    for place, column in enumerate(table.primary_key):
        yield _Code.KEY, f"{',' if place else source}{_quoted(column.name)}:", _kind(column), 0
    yield from _cells(table)
    for column in table.static:
        yield _Code.LITERAL, f",{_quoted(column.name)}:null", 0, 0
    yield _Code.END, f',"{RANGE_START}":null,"{RANGE_END}":null}}}}', 0, 0


def _cells(table: Table) -> Iterator[_Step]:
    """Yield the regular columns, among which those stand that were dropped, for as long as events have them."""
    places = {column.name: place for place, column in enumerate(table.regular)}
    dropped = table.dropped_columns - {column.name for column in table.columns}
    for name in sorted(places.keys() | dropped):
        text = f",{_quoted(name)}:"
        if name in dropped:
            yield _Code.OPTIONAL, text + "null", 0, 0
        elif (kind := _kind(table.regular[places[name]])) < 0:
            yield _Code.LITERAL, text + "null", 0, 0
        else:
            yield _Code.CELL, text, kind, places[name]


def _quoted(name: str) -> str:
    return json.dumps(name, ensure_ascii=False)


def _kind(column: Column) -> int:
    """Return how the column's values are read, -1 where they are not."""
    kind: int = _kernel().cassmirror_value_kind(column.type.name.encode())
    return kind


def _zeros(typecode: str, length: int) -> array[int]:
    return array(typecode, bytes(array(typecode).itemsize * length))


def _address(numbers: array[int]) -> int:
    return numbers.buffer_info()[0]


def _pointers(payloads: list[bytes]) -> ctypes.Array[ctypes.c_char_p]:
    pointers = _pointer_array(len(payloads).bit_length())()
    pointers[: len(payloads)] = payloads  # type: ignore[assignment]  # as ctypes takes them
    return pointers


@lru_cache(maxsize=64)
def _pointer_array(bits: int) -> type[ctypes.Array[ctypes.c_char_p]]:
    """Return the type of arrays for lengths of so many bits: to make a type takes as long as 20 events."""
    return ctypes.c_char_p * (1 << bits)


@lru_cache(maxsize=1)
def _bytes_to_fill() -> Callable[[None, int], bytes]:
    """Return what makes bytes that hold anything yet: where nothing is written, no memory is touched."""
    prototype = ctypes.PYFUNCTYPE(ctypes.py_object, ctypes.c_char_p, ctypes.c_ssize_t)
    return prototype(("PyBytes_FromStringAndSize", ctypes.pythonapi))


@lru_cache(maxsize=1)
def _kernel() -> ctypes.CDLL:
    kernel = library("cdc.native.kernel")
    number, address, octets = ctypes.c_int64, ctypes.c_void_p, ctypes.c_char_p
    program, payloads, text, arrays = (address, octets, number), (number, address, address), (octets, number), (address,) * 3
    kernel.cassmirror_plain_rows.restype = number
    kernel.cassmirror_plain_rows.argtypes = [*program, *payloads, *text, *arrays, number]
    return kernel
