"""Values of each type in plain events: what is made of them, and which are left to the stages."""

from __future__ import annotations

from typing import Any

import pytest

from cdc.plain_state import row_state
from tests.fixtures.events import as_json, envelope, table_of, written
from tests.unit.plain.judge import Judge
from tests.unit.plain.reading import PlainReading

UUID = "123e4567-e89b-12d3-a456-426614174000"
DAY_MS = 86_400_000
FIRST_DAY, LAST_DAY = -719_162, 2_932_896  # 0001-01-01 and 9999-12-31

# CQL type: JSON of values, and their text; None where the stages are asked
VALUES: dict[str, list[tuple[str, str | None]]] = {
    "tinyint": [("0", "0"), ("-128", "-128"), ("127", "127"), ("128", None), ("-129", None), ("-0", None), ("01", None)],
    "smallint": [("-32768", "-32768"), ("32767", "32767"), ("32768", None), ("-32769", None)],
    "int": [("2147483647", "2147483647"), ("-2147483648", "-2147483648"), ("2147483648", None), ("1.0", None), ("1e3", None)],
    "bigint": [
        ("9223372036854775807", "9223372036854775807"),
        ("-9223372036854775808", "-9223372036854775808"),
        ("9223372036854775808", None),
        ("-9223372036854775809", None),
        ("18446744073709551616", None),
        ("99999999999999999999", None),
        ("-", None),
        ("+1", None),
        ('"1"', None),
        ("", None),
    ],
    "text": [
        ('""', ""),
        ('"plain"', "plain"),
        ('"12345678"', "12345678"),
        ('"' + "long and longer " * 50 + '"', "long and longer " * 50),
        (r'"\" \\ \/ \b \f \n \r \t"', '" \\ / \b \f \n \r \t'),
        (r'"1234567\n1234567\\1234567\t12345678\r"', "1234567\n1234567\\1234567\t12345678\r"),
        (r'"\\N"', "\\N"),
        (r'"\\."', "\\."),
        ('"naïve 日本 \U0001f600"', "naïve 日本 \U0001f600"),
        (r'"\uD83D\uDE00\ud83d\ude00"', "\U0001f600\U0001f600"),
        (r'"\uDBFF\uDFFF\uD800\uDC00"', "\U0010ffff\U00010000"),
        (r'"\u0041\u00e9\u0009\u000a\u000D\u005C\u20AC\uFFFF\u07FF\u0800"', "Aé\t\n\r\\€\uffff\u07ff\u0800"),
        ('"\x7f\u2028"', "\x7f\u2028"),
        (r'"\u0000"', None),
        (r'"\uD83D"', None),
        (r'"\uDE00"', None),
        (r'"\uD83Dx"', None),
        (r'"\uD83D\n"', None),
        (r'"\uD83D\uD83D"', None),
        (r'"\u12G4"', None),
        (r'"\u12"', None),
        (r'"\x41"', None),
        (r'"\"', None),
        ('"\t"', None),
        ('"1234567\n"', None),
        ('"12345678\0"', None),
        ('"open', None),
        ("plain", None),
        ("[]", None),
    ],
    "ascii": [('"abc"', "abc")],
    "boolean": [("true", "t"), ("false", "f"), ("True", None), ("1", None)],
    "uuid": [
        (f'"{UUID}"', UUID),
        (f'"{UUID.upper()}"', None),
        (f'"{UUID[:-1]}"', None),
        (f'"{UUID}0"', None),
        (f'"{UUID.replace("-", "0")}"', None),
        (f'"{UUID[:-1]}g"', None),
    ],
    "timeuuid": [(f'"{UUID}"', UUID)],
    "timestamp": [
        ("0", "1970-01-01 00:00:00.000+00"),
        ("-1", "1969-12-31 23:59:59.999+00"),
        ("951825599999", "2000-02-29 11:59:59.999+00"),
        (str(FIRST_DAY * DAY_MS), "0001-01-01 00:00:00.000+00"),
        (str((LAST_DAY + 1) * DAY_MS - 1), "9999-12-31 23:59:59.999+00"),
        (str(FIRST_DAY * DAY_MS - 1), None),
        (str((LAST_DAY + 1) * DAY_MS), None),
        ("9223372036854775807", None),
        ("-9223372036854775808", None),
    ],
    "date": [
        ("0", "1970-01-01"),
        ("-1", "1969-12-31"),
        ("11016", "2000-02-29"),
        ("-25509", "1900-02-28"),
        ("-25508", "1900-03-01"),
        ("19782", "2024-02-29"),
        (str(FIRST_DAY), "0001-01-01"),
        (str(LAST_DAY), "9999-12-31"),
        (str(FIRST_DAY - 1), None),
        (str(LAST_DAY + 1), None),
    ],
    "time": [
        ("0", "00:00:00.000000"),
        ("86399999999000", "23:59:59.999999"),
        ("28800000001000", "08:00:00.000001"),
        ("1", None),
        ("-1000", None),
        ("86400000000000", None),
    ],
    "decimal": [
        ('"0"', "0"),
        ('"-0"', "-0"),
        ('"1.50"', "1.50"),
        ('"-0.000"', "-0.000"),
        ('"' + "9" * 400 + '.5"', "9" * 400 + ".5"),
        ('"' + "9" * 16_001 + '"', None),
        ('"1."', None),
        ('".5"', None),
        ('"01"', None),
        ('"1E2"', None),
        ('"NaN"', None),
        ('""', None),
        ('"-"', None),
        ("1", None),
    ],
    "varint": [
        ('"0"', "0"),
        ('"-170141183460469231731687303715884105729"', "-170141183460469231731687303715884105729"),
        ('"1.0"', None),
        ('"-0"', None),
        ('"007"', None),
    ],
    "double": [
        ("2.5", "2.5"),
        ("-0.0", "-0.0"),
        ("12", None),
        ("-0", None),
        ("1e5", None),
        ("1.2345678901234567E19", "1.2345678901234567E19"),
        ("1.0E-5", "1.0E-5"),
        ("1.0e+250", "1.0e+250"),
        ("1.0e251", None),
        ("1.7976931348623157E308", None),
        ("4.9E-324", None),
        ("1.0E9999999999", None),
        ("1.0E", None),
        ("1.0E+", None),
        ("0.123456789012345678901", None),
        (".5", None),
        ("1.", None),
        ("00.5", None),
        ('"NaN"', None),
        ('"Infinity"', None),
    ],
    "float": [
        ("1.5", "1.5"),
        ("1.0E-20", "1.0E-20"),
        ("0.1", "0.1"),
        ("1.0E21", None),
        ("3.4028235E38", None),
        ("1.4E-45", None),
    ],
    "inet": [
        ('"/10.0.0.1"', "10.0.0.1"),
        ('"/255.255.255.255"', "255.255.255.255"),
        ('"/0.0.0.0"', "0.0.0.0"),
        ('"/256.0.0.1"', None),
        ('"/1.2.3"', None),
        ('"/1.2.3.4.5"', None),
        ('"/01.2.3.4"', None),
        ('"/1.2.3.0004"', None),
        ('"/1..3.4"', None),
        ('"1.2.3.4"', None),
        ('"/2001:db8:0:0:0:0:0:1"', None),
    ],
    "blob": [
        ('""', "\\x"),
        ('"AQID"', "\\x010203"),
        ('"3q2+7w=="', "\\xdeadbeef"),
        ('"AP8="', "\\x00ff"),
        ('"//+/"', "\\xffffbf"),
        ('"AP9="', None),
        ('"AB=="', None),
        ('"AP8"', None),
        ('"AP8=AP8="', None),
        ('"A==="', None),
        ('"===="', None),
        ('"AP=8"', None),
        ('"AP8_"', None),
    ],
}
CASES = [(cql, json, want) for cql, cases in VALUES.items() for json, want in cases]
NO_KEYS = {  # not one-to-one, or not surely what Python makes of them
    "decimal": ['"-0"', '"1.50"', '"-0.000"', '"' + "9" * 400 + '.50"'],
    "double": ["-0.0", "12", "1.2345678901234567E19", "1.0E-5", "1.0e+250", "0.00001", "1.50", "123456789012345.5", "0.00"],
    "float": ["1.0E-20", "1234.567", "0.0000"],
}
KEYS = {"double": ["0.0", "-1.5", "0.0001", "12345678901234.5", "-99999999999999.0"], "float": ["0.0", "0.1", "12345.6"]}


def event_of(table: Any, json: str) -> bytes:
    """Return an event whose key and value are this JSON."""
    after = {column.name: written("#") for column in table.columns}
    return as_json(envelope(table, "i", after)).replace(b'"#"', json.encode("utf-8", "surrogatepass"))


@pytest.mark.parametrize(("cql", "json", "want"), CASES)
def test_a_value_is_what_the_stages_make_of_it_or_left_to_them(cql: str, json: str, want: str | None) -> None:
    table = table_of(f"CREATE TABLE k.t (a text PRIMARY KEY, v {cql})")
    payload = event_of(table, json).replace(b'"a":{"value":' + json.encode(), b'"a":{"value":"k"')
    (row,) = PlainReading(table)([payload])
    assert (None if row is None else row_state(table, row).values) == (None if want is None else [want])
    if row is not None:
        Judge(table).confirm(payload, row)


@pytest.mark.parametrize(("cql", "json", "want"), CASES)
def test_a_key_is_what_the_stages_make_of_it_or_left_to_them(cql: str, json: str, want: str | None) -> None:
    if cql == "blob":
        table = table_of("CREATE TABLE k.t (a text, c blob, PRIMARY KEY (a, c))")
        payload = event_of(table, json).replace(b'"a":{"value":' + json.encode(), b'"a":{"value":"k"')
    else:
        table = table_of(f"CREATE TABLE k.t (a {cql}, c {cql}, PRIMARY KEY (a, c))")
        payload = event_of(table, json)
    (row,) = PlainReading(table)([payload])
    is_taken = want is not None and json not in NO_KEYS.get(cql, [])
    assert (row is not None) == is_taken
    if row is not None:
        Judge(table).confirm(payload, row)


@pytest.mark.parametrize(("cql", "json", "is_key"), [
    *((cql, json, False) for cql, cases in NO_KEYS.items() for json in cases),
    *((cql, json, True) for cql, cases in KEYS.items() for json in cases),
])  # fmt: skip
def test_numbers_are_keys_only_where_their_text_is_the_only_one(cql: str, json: str, is_key: bool) -> None:
    table = table_of(f"CREATE TABLE k.t (a {cql} PRIMARY KEY)")
    payload = event_of(table, json)
    (row,) = PlainReading(table)([payload])
    assert (row is not None) == is_key
    if row is not None:
        assert row.key.decode() == Judge(table).text_of_key(payload) == json


@pytest.mark.parametrize(
    "octets",
    ["80", "c0af", "c1bf", "c3", "e08080", "e09fbf", "eda080", "edbfbf", "e282", "f08fbfbf", "f4908080", "f5808080", "ff"],
)
@pytest.mark.parametrize("before", [b"", b"1234567", b"12345678"])
def test_what_is_not_utf8_is_left_to_the_stages(octets: str, before: bytes) -> None:
    table = table_of("CREATE TABLE k.t (a text PRIMARY KEY, v text)")
    good = as_json(envelope(table, "i", {"a": written("k"), "v": written("#")}))
    bad, fine = good.replace(b"#", before + bytes.fromhex(octets)), good.replace(b"#", before)
    broken_source = good.replace(b"Test Cluster", before + bytes.fromhex(octets))
    got = PlainReading(table)([bad, fine, broken_source])
    assert [row is not None for row in got] == [False, True, False]


@pytest.mark.parametrize(
    "cql", ["duration", "list<int>", "frozen<list<int>>", "set<text>", "map<int, text>", "tuple<int, text>"]
)
def test_types_that_are_not_read_may_only_be_untouched(cql: str) -> None:
    table = table_of(f"CREATE TABLE k.t (a int PRIMARY KEY, b int, c {cql}, d int)")
    after = {"a": written(1), "b": written(2), "c": None, "d": written(3)}
    untouched, touched = (as_json(envelope(table, "i", after | {"c": cell})) for cell in (None, written([])))
    rows = PlainReading(table)([untouched, touched])
    assert [row is not None for row in rows] == [True, False]
