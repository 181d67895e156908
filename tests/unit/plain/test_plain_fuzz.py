"""Any event of any table: C makes of it what the stages make of it, or leaves it to them."""

from __future__ import annotations

import json
from functools import lru_cache
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from cdc.schema import Column, ColumnKind, CqlType, Table
from tests.fixtures.events import TS, as_json, envelope, table_of, written
from tests.unit.plain.judge import Judge
from tests.unit.plain.reading import PlainReading
from tests.unit.types import strategies

patient = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])

NAMES = [
    "a",
    "b",
    "camelCase",
    "with space",
    'q"uote',
    "back\\slash",
    "é日本",
    "tab\t",
    "😀",
    "select",
    "_range",
    "value",
    "zz",
]
KEYS = sorted(strategies.SCALARS.keys() - {"counter", "duration"})
COLUMNS = sorted(strategies.SCALARS.keys() - {"counter"})
UDT = CqlType("udt", (CqlType("int"),), udt_name="u", field_names=("x",))


def number(digits: int) -> st.SearchStrategy[float]:
    """Numbers of that many digits, and a zero behind the point of whole ones."""
    return st.builds(lambda whole, scale: whole / 10**scale, st.integers(1, 10**digits - 1), st.integers(0, 3))


# values that plain events have
ORDINARY: dict[str, st.SearchStrategy[Any]] = strategies.SCALARS | {
    "float": number(5),
    "double": number(14),
    "decimal": st.integers(-(10**30), 10**30).map(str) | st.integers(1, 9).map("12.{}".format),
    "inet": st.tuples(*[st.integers(0, 255)] * 4).map(lambda octets: "/{}.{}.{}.{}".format(*octets)),
    "date": st.integers(-719_162, 2_932_896),
    "time": st.integers(0, 86_399_999_999).map(lambda us: us * 1000),
    "timestamp": st.integers(-719_162 * 86_400_000, 2_932_897 * 86_400_000 - 1),
}


@st.composite
def tables(draw: st.DrawFn, types: st.SearchStrategy[CqlType], names: list[str]) -> Table:
    """Tables of any shape."""
    rest = iter(draw(st.permutations(names)))
    keys = st.sampled_from(KEYS).map(CqlType)
    columns = [Column(next(rest), draw(keys), ColumnKind.PARTITION_KEY, place) for place in range(draw(st.integers(1, 2)))]
    columns += [Column(next(rest), draw(keys), ColumnKind.CLUSTERING, place) for place in range(draw(st.integers(0, 2)))]
    if columns[-1].kind is ColumnKind.CLUSTERING and draw(st.booleans()):
        columns.append(Column(next(rest), draw(types), ColumnKind.STATIC))
    regular = sorted(next(rest) for _ in range(draw(st.integers(0, 5))))
    columns += [Column(name, draw(types), ColumnKind.REGULAR) for name in regular]
    return Table("k s", 't"', tuple(columns), dropped_columns=frozenset({next(rest)}) if draw(st.booleans()) else frozenset())


def containers() -> st.SearchStrategy[CqlType]:
    return strategies.container_types() | st.just(CqlType("list", (CqlType("int"),))) | st.just(UDT)


def cells(column: Column) -> st.SearchStrategy[Any]:
    values = strategies.wire_values(column.type)
    return st.one_of(
        values.map(written), values.map(written), st.none(), st.just(written(None)), values.map(lambda v: written(v, TS))
    )


@st.composite
def events(draw: st.DrawFn, table: Table, after: dict[str, Any], stamps: st.SearchStrategy[int]) -> bytes:
    """Events with the escapes of one writer or another."""
    order = [*table.primary_key, *table.regular, *table.static]
    ordered = {column.name: after[column.name] for column in order}
    document = envelope(table, draw(st.sampled_from("iuc")), ordered, ts_us=draw(stamps))
    if draw(st.booleans()):
        return as_json(document)
    names = json.dumps(document, separators=(",", ":"))
    for column in order:  # the connector escapes no more in names than it has to
        names = names.replace(json.dumps(column.name) + ":", json.dumps(column.name, ensure_ascii=False) + ":")
    return names.encode()


@patient
@given(st.data())
def test_any_event_of_any_table(data: st.DataObject) -> None:
    table = data.draw(tables(st.sampled_from(COLUMNS).map(CqlType) | containers(), NAMES))
    after = {column.name: data.draw(cells(column)) for column in table.columns}
    payload = data.draw(events(table, after, st.integers(-(2**64), 2**64)))
    (row,) = PlainReading(table)([payload])
    if row is not None:
        Judge(table).confirm(payload, row)


@patient
@given(st.data())
def test_every_plain_event_is_taken(data: st.DataObject) -> None:
    table = data.draw(tables(st.sampled_from(COLUMNS).map(CqlType), [name for name in NAMES if name != "tab\t"]))
    after: dict[str, Any] = {column.name: written(data.draw(ORDINARY[column.type.name])) for column in table.primary_key}
    for column in (*table.regular, *table.static):
        is_read = column.kind is ColumnKind.REGULAR and column.type.name != "duration"
        after[column.name] = data.draw(st.none() | ORDINARY[column.type.name].map(written)) if is_read else None
    payload = data.draw(events(table, after, st.integers(-(2**63), 2**63 - 1)))
    (row,) = PlainReading(table)([payload])
    says_something = b'"op":"u"' not in payload or any(after[column.name] for column in table.regular)
    assert (row is not None) == (says_something and not _has_blob_in_composite_key(table))
    if row is not None:
        Judge(table).confirm(payload, row)


def _has_blob_in_composite_key(table: Table) -> bool:
    return len(table.partition_key) > 1 and any(column.type.name == "blob" for column in table.partition_key)


EVERY_KIND = table_of(f"""CREATE TABLE k.t (p text, c double, s int static, {", ".join(f"v_{name} {name}" for name in COLUMNS)},
    PRIMARY KEY (p, c))""")
PLAIN = {
    "p": "ä\tb",
    "c": 1.5,
    "v_ascii": "ascii",
    "v_blob": "AQI=",
    "v_boolean": True,
    "v_decimal": "-1.50",
    "v_double": 2.5,
    "v_float": 1e10,
    "v_inet": "/10.0.0.1",
    "v_text": 'q"\n\\日本 and more',
    "v_time": 1000,
    "v_timeuuid": "f3a1c0de-0000-11ee-8000-000000000000",
    "v_uuid": "123e4567-e89b-12d3-a456-426614174000",
    "v_varint": "12345678901234567890",
}
AFTER = {
    column.name: None if column.name in ("s", "v_duration") else written(PLAIN.get(column.name, 1))
    for column in (*EVERY_KIND.primary_key, *EVERY_KIND.regular, *EVERY_KIND.static)
}
BARE = as_json(envelope(EVERY_KIND, "u", AFTER))
START = BARE.index(b'"after"')
PAYLOADS = [BARE, b'{"schema":{"type":"struct"},"payload":' + BARE + b"}"]
READER, JUDGE = PlainReading(EVERY_KIND), Judge(EVERY_KIND)
PIECES = st.binary(max_size=3) | st.sampled_from(
    [
        b"null",
        b"0",
        b"-",
        b"1",
        b".",
        b"e9",
        b'"',
        b"\\",
        b"\\n",
        b"\\u0041",
        b"\\ud83d",
        b"\xc3\xa9",
        b"{",
        b"}",
        b",",
        b"=",
        b"T",
        b" ",
    ]
)


def test_the_event_to_start_from_is_plain() -> None:
    for payload in PAYLOADS:
        (row,) = READER([payload])
        assert row is not None
        JUDGE.confirm(payload, row)


@settings(patient, max_examples=500)
@given(
    st.sampled_from(PAYLOADS),
    st.lists(st.tuples(st.integers(0, len(PAYLOADS[1])), st.integers(0, 3), PIECES), min_size=1, max_size=3),
)
def test_changed_bytes(payload: bytes, changes: list[tuple[int, int, bytes]]) -> None:
    for at, length, piece in changes:
        payload = payload[:at] + piece + payload[at + length :]
    for row in READER([payload]):
        if row is not None:
            JUDGE.confirm(payload, row)


@lru_cache
def one_column(cql: str) -> tuple[PlainReading, Judge, bytes]:
    """Return the readers of a table with one column of a type, and an event of it without the value."""
    table = table_of(f"CREATE TABLE k.t (a int PRIMARY KEY, v {cql})")
    return PlainReading(table), Judge(table), as_json(envelope(table, "i", {"a": written(1), "v": written("#")}))


NUMBERS = st.text("0123456789-+.eE", max_size=24)
STRINGS = st.text('01aAfFnu\\/.-+="é😀', max_size=24) | st.builds("/{}.{}.{}.{}".format, *[st.integers(-1, 300)] * 4)


@settings(patient, max_examples=500)
@given(st.sampled_from(COLUMNS), NUMBERS | (NUMBERS | STRINGS).map('"{}"'.format))
def test_any_notation_of_a_value(cql: str, notation: str) -> None:
    plain, judge, event = one_column(cql)
    payload = event.replace(b'"#"', notation.encode())
    for row in plain([payload]):
        if row is not None:
            judge.confirm(payload, row)


@patient
@given(st.binary())
def test_any_bytes(payload: bytes) -> None:
    assert READER([payload, BARE[:START] + payload]) == [None, None]
