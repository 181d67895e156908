"""The short way from events to rows: C makes the text that is staged, but only of events that say nothing but values.

For each table a program says what the connector writes, byte for byte (`cdc/native/rows.c`). An event that differs in anything,
be it a tombstone or a space, is left to `cdc.envelope` and `cdc.interpret`, and so is all that is wrong.
"""

from __future__ import annotations

import ctypes
import json
from array import array
from collections import defaultdict
from collections.abc import Iterator
from enum import IntEnum
from functools import lru_cache
from typing import Any, Final, NamedTuple

from cdc.envelope import RANGE_END, RANGE_START, payload_of
from cdc.native import bytes_to_fill, library
from cdc.runs import PLACE, PlainRun, RecordRun
from cdc.schema import Column, Table

MAX_FORMS: Final = 4096  # sets of touched columns that are remembered: any tuple is made again, but costs time
_WITH_SCHEMA: Final = b'{"schema"'
_PAYLOAD: Final = b'"payload":'
_NOT_PLAIN: Final = b"\0"


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
        self._table = table
        self._program = _program(table) if _has_plain_events(table) else None
        self._words = max(1, -(-len(table.regular) // 64))
        self._forms = _Forms()
        self._prefix = b""

    def __call__(self, run: RecordRun) -> tuple[list[PlainRun], RecordRun | None]:
        """Return the rows of the plain events, and the other records, if any. Idempotent, never raises for what events hold."""
        if self._program is None:
            return [], run
        text = self._text(run)
        others = [at for at, form in enumerate(text.forms) if not form] if 0 in text.forms else []
        if len(others) == len(run):
            return [], run
        plain = run.some([at for at, form in enumerate(text.forms) if form]) if others else run
        return self._by_form(plain, text), run.some(others) if others else None

    def _text(self, run: RecordRun) -> _Text:
        count, prefix = len(run), self._prefix_of(run)
        forms, stamps, touched = _zeros("B", count), _zeros("q", count), _zeros("Q", count * self._words)
        text = bytes_to_fill(3 * run.size + 16)
        used = _kernel().cassmirror_plain_rows(
            self._program,
            prefix,
            len(prefix),
            count,
            run.octets,
            _address(run.places),
            text,
            len(text),
            _address(forms),
            _address(stamps),
            _address(touched),
            self._words,
        )
        return _Text(text[:used].split(b"\n"), forms.tobytes(), stamps, touched)

    def _by_form(self, records: RecordRun, text: _Text) -> list[PlainRun]:
        """Return the rows, those that write the same columns side by side."""
        count, words = len(records), text.touched[: len(records) * self._words].tolist()
        forms: list[Any] = words if self._words == 1 else [*zip(*[iter(words)] * self._words, strict=True)]
        keys, lines, markers = text.lines[1::2], text.lines[0:-1:2], text.forms.translate(None, _NOT_PLAIN)
        first = self._positions(forms[0])
        run = PlainRun(self._table, first, records, keys, lines, text.stamps[:count], markers)
        if forms.count(forms[0]) == count:
            return [run]
        places: dict[Any, list[int]] = defaultdict(list)
        for at, form in enumerate(forms):
            places[form].append(at)
        return [run.some(chosen, self._positions(form)) for form, chosen in places.items()]

    def _positions(self, form: Any) -> tuple[int, ...]:
        if len(self._forms) > MAX_FORMS:
            self._forms = _Forms()
        return self._forms[form]

    def _prefix_of(self, run: RecordRun) -> bytes:
        """Return what stands before the payload in events that bring their schema, as the first one of a run has it."""
        values = zip(run.places[4::PLACE], run.places[5::PLACE], strict=True)
        begin, size = next(((at, size) for at, size in values if size > 0), (0, 0))
        if run.octets.startswith(_WITH_SCHEMA, begin) and not (self._prefix and run.octets.startswith(self._prefix, begin)):
            first = run.octets[begin : begin + size]
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


@lru_cache(maxsize=1)
def _kernel() -> ctypes.CDLL:
    kernel = library("cdc.native.kernel")
    number, address, octets = ctypes.c_int64, ctypes.c_void_p, ctypes.c_char_p
    program, records, text, arrays = (address, octets, number), (number, octets, address), (octets, number), (address,) * 3
    kernel.cassmirror_plain_rows.restype = number
    kernel.cassmirror_plain_rows.argtypes = [*program, *records, *text, *arrays, number]
    return kernel
