"""Recordings: events of a real connector, and the rows that Cassandra then held. Compares a mirror with those rows."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, TypeAlias

import msgspec

from cdc.event import Key, Record
from cdc.recorded_values import comparable, expected_text
from cdc.schema import Column, ColumnKind, Schema, Table

Rows: TypeAlias = Mapping[Key, Sequence[str | None]]
"""Regular columns by primary key, as text, in the order of `Table.regular`."""
Row: TypeAlias = tuple[Key, Sequence[str | None]]


class RecordedCell(msgspec.Struct):
    """One value in the recorded notation, with its timestamp (us) and the TTL that was left (seconds)."""

    value: Any
    writetime: Any = None
    ttl: Any = None


class RecordedRow(msgspec.Struct):
    """One row of SELECT: the key's values by name, the other columns."""

    key: dict[str, Any]
    columns: dict[str, RecordedCell]


class RecordedTable(msgspec.Struct):
    """One table; `types` are CQL, `clustering` pairs of name and order."""

    partition_key: list[str]
    clustering: list[tuple[str, str]]
    static: list[str]
    types: dict[str, str]
    rows: list[RecordedRow]


class Expected(msgspec.Struct):
    """What Cassandra held at `read_at_us`: the file `NAME.expected.json`."""

    keyspace: str
    read_at_us: int
    tables: dict[str, RecordedTable]
    types: dict[str, dict[str, str]] = {}


class Gap(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One thing that a recording's events cannot say: a row of the truth, a row too many, or cells of a row that differ.

    `key` is the primary key as recorded; `columns` empty means the row as a whole is missing or is one too many.
    """

    table: str
    key: tuple[Any, ...]
    reason: str
    columns: tuple[str, ...] = ()


class Difference(msgspec.Struct, frozen=True):
    """Where the mirror and Cassandra are not equal. Without a column the row is on one side only: `want` or `got` is None."""

    table: str
    key: Key
    column: str | None
    want: str | None
    got: str | None

    def __str__(self) -> str:
        place = f"{self.table} {self.key!r}" + (f" {self.column}" if self.column else "")
        return f"{place}: Cassandra has {self.want!r}, the mirror {self.got!r}"


class _Line(msgspec.Struct):
    topic: str
    partition: int
    offset: int
    timestamp: int
    key: str | None
    value: str | None


def read_records(lines: bytes) -> list[Record]:
    """Decode `NAME.jsonl`, split on the line feed only: values hold U+2028."""
    decoder = msgspec.json.Decoder(_Line)
    return [_record(decoder.decode(line)) for line in lines.split(b"\n") if line]


def read_expected(document: bytes) -> Expected:
    """Decode `NAME.expected.json`."""
    return msgspec.json.decode(document, type=Expected)


def read_gaps(document: bytes) -> dict[str, list[Gap]]:
    """Decode `known_gaps.json`: by recording, what its events cannot say."""
    return msgspec.json.decode(document, type=dict[str, list[Gap]])


def recorded_rows(table: Table, recorded: RecordedTable) -> dict[Key, list[str | None]]:
    """Return the recorded rows as PostgreSQL would print them; a partition with only static columns is no row."""
    rows = {}
    for row in recorded.rows:
        if any(row.key[column.name] is None for column in table.clustering):
            continue
        key = tuple(expected_text(column.type, row.key[column.name]) or "" for column in table.primary_key)
        rows[key] = [expected_text(column.type, _value(row, column.name)) for column in table.regular]
    return rows


def pairs(table: Table, want: Rows, got: Rows) -> Iterator[tuple[Row | None, Row | None]]:
    """Yield the rows of both sides by their keys, whatever the form of their texts: those of `want` first, in its order."""
    wanted, given = _by_comparable_key(table, want), _by_comparable_key(table, got)
    for place in wanted | given:
        yield wanted.get(place), given.get(place)


def differences(table: Table, want: Rows, got: Rows) -> Iterator[Difference]:
    """Yield each row and cell in which two sides are not equal, whatever the form of their texts."""
    for mine, theirs in pairs(table, want, got):
        if mine is None or theirs is None:
            key, _ = mine or theirs or ((), ())
            yield Difference(table.full_name, key, None, *(("row", None) if mine else (None, "row")))
            continue
        key, values = mine
        for column, left, right in zip(table.regular, values, theirs[1], strict=True):
            if comparable(column.type, left) != comparable(column.type, right):
                yield Difference(table.full_name, key, column.name, left, right)


def without_gaps(schema: Schema, keyspace: str, found: Sequence[Difference], gaps: Sequence[Gap]) -> list[Difference]:
    """Return the differences that no gap explains."""
    return [difference for difference in found if not any(_explains(schema, keyspace, gap, difference) for gap in gaps)]


def _explains(schema: Schema, keyspace: str, gap: Gap, difference: Difference) -> bool:
    table = schema.table(keyspace, gap.table)
    if table is None or difference.table != table.full_name:
        return False
    columns = table.primary_key
    key = tuple(expected_text(column.type, value) for column, value in zip(columns, gap.key, strict=True))
    if not _same_key(table, key, difference.key):
        return False
    return difference.column in gap.columns if gap.columns else difference.column is None


def _same_key(table: Table, left: Sequence[str | None], right: Sequence[str | None]) -> bool:
    return _comparable_key(table, left) == _comparable_key(table, right)


def _by_comparable_key(table: Table, rows: Rows) -> dict[str, Row]:
    return {_comparable_key(table, key): (key, values) for key, values in rows.items()}


def _comparable_key(table: Table, key: Sequence[str | None]) -> str:
    return repr([_comparable_part(column, text) for column, text in zip(table.primary_key, key, strict=True)])


def _comparable_part(column: Column, text: str | None) -> Any:
    """Return a key value; decimals of a clustering column that compare equal are one row, whatever their scale."""
    if column.type.name == "decimal" and column.kind is ColumnKind.CLUSTERING and text is not None and "." in text:
        text = text.rstrip("0").rstrip(".")
    return comparable(column.type, text)


def _value(row: RecordedRow, name: str) -> Any:
    cell = row.columns.get(name)
    return None if cell is None else cell.value


def _record(line: _Line) -> Record:
    key, value = (None if text is None else text.encode() for text in (line.key, line.value))
    return Record(line.topic, line.partition, line.offset, line.timestamp, key, value)
