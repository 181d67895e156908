"""Column names are any strings."""

from __future__ import annotations

import pytest

from cdc.errors import UnknownColumn
from cdc.event import ABSENT, RowState
from cdc.reader import TableReader
from cdc.types.registry import codec_for
from tests.fixtures.events import TS, as_json, envelope, table_of, written

NAMES = [
    "def",
    "class",
    "None",
    "self",
    "op",
    "after",
    "value",
    "__init__",
    "__struct_fields__",
    "c0",
    "c1",
    "range_start",
    "with space",
    "dot.ted",
    'q"uote',
    'q"',
    "back\\slash",
    "camelCase",
    "ünïcödé 日本 😀",
    "tab\there",
    "1",
    "?",
    "'",
    "%s{}",
]


@pytest.mark.parametrize("plain", [True, False])
def test_every_name_is_read_as_it_is(*, plain: bool) -> None:
    names = [name for name in NAMES if not plain or not set(name) & set('"\\\t')]
    columns = ", ".join(f"{_quoted(name)} int" for name in names)
    table = table_of(f'CREATE TABLE k.t ("Id" int PRIMARY KEY, {columns})')
    reader = TableReader(table, codec_for)
    numbers = {name: number for number, name in enumerate(names)}
    after = {"Id": written(99)} | {name: written(number) for name, number in numbers.items()}
    got = reader.rules["i"](reader.decode(as_json(envelope(table, "i", after))))
    assert got == RowState(("99",), TS, [str(numbers[column.name]) for column in table.regular], TS, is_whole=True)


@pytest.mark.parametrize("odd", ["fine", 'q"uote'])
@pytest.mark.parametrize("unknown", ["c1", "range_start", "?", 'un"known'])
def test_an_unknown_column_is_named_whatever_it_is_called(odd: str, unknown: str) -> None:
    table = table_of(f"CREATE TABLE k.t (a int PRIMARY KEY, {_quoted(odd)} int)")
    reader = TableReader(table, codec_for)
    after = {"a": written(1), odd: written(2), unknown: written(3)}
    with pytest.raises(UnknownColumn) as caught:
        reader.decode(as_json(envelope(table, "i", after)))
    assert repr(unknown) in caught.value.message


def test_a_column_named_like_the_range_fields_does_not_break_the_others() -> None:
    table = table_of('CREATE TABLE k.t (a int PRIMARY KEY, "_range_start" int, v int)')
    reader = TableReader(table, codec_for)
    got = reader.rules["i"](reader.decode(as_json(envelope(table, "i", {"a": written(1), "v": written(2)}))))
    assert got == RowState(("1",), TS, [ABSENT, "2"], TS)


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'
