"""The connector's JSON to PostgreSQL's text."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from cdc.errors import BadRecord, InvalidValue, UnrepresentableValue, UnsupportedType, ValueOutOfRange
from cdc.types.base import NulPolicy
from cdc.types.registry import codec_for
from tests.unit.types.notation import cql

UUID = "123e4567-e89b-12d3-a456-426614174000"


def decoded(notation: str, wire: str) -> Any:
    return msgspec.json.decode(wire.encode(), type=codec_for(cql(notation)).wire)


@pytest.mark.parametrize(
    ("notation", "wire", "want"),
    [
        ("text", '"a\\u00e9\\uD83D\\uDE00"', "aé\U0001f600"),
        ("ascii", '""', ""),
        ("boolean", "true", "t"),
        ("tinyint", "-128", "-128"),
        ("bigint", "9223372036854775807", "9223372036854775807"),
        ("varint", '"-123456789012345678901234567890"', "-123456789012345678901234567890"),
        ("decimal", '"-0.000000000000000000000000000001"', "-0.000000000000000000000000000001"),
        ("decimal", '"1.50"', "1.50"),
        ("float", "1.1", "1.1"),
        ("float", '"NaN"', "NaN"),
        ("float", "3.4028235E38", "3.4028235e+38"),
        ("float", "1.4E-45", "1.4e-45"),
        ("double", '"-Infinity"', "-Infinity"),
        ("double", "-0.0", "-0.0"),
        ("double", "2", "2.0"),
        ("blob", '"AP8="', "\\x00ff"),
        ("uuid", f'"{UUID}"', UUID),
        ("inet", '"/10.0.0.1"', "10.0.0.1"),
        ("inet", '"host.example/10.0.0.1"', "10.0.0.1"),
        ("inet", '"/2001:db8:0:0:0:0:0:1"', "2001:db8::1"),
        ("date", "0", "1970-01-01"),
        ("date", "-719529", "0002-12-31 BC"),
        ("date", "2932897", "10000-01-01"),
        ("date", "-2440588", "4714-11-24 BC"),
        ("date", "2145042905", "5874897-12-31"),
        ("time", "29574123456789", "08:12:54.123456"),
        ("time", "86399999999999", "23:59:59.999999"),
        ("timestamp", "1577934245678", "2020-01-02 03:04:05.678+00"),
        ("timestamp", "-1", "1969-12-31 23:59:59.999+00"),
        ("timestamp", "-62135596800000", "0001-01-01 00:00:00.000+00"),
        ("timestamp", "-62135596800001", "0001-12-31 23:59:59.999+00 BC"),
        ("timestamp", "9224318015999999", "294276-12-31 23:59:59.999+00"),
        ("duration", "5356985000000000", "PT1488H3M5.000000S"),
        ("duration", "-500000001", "PT-0H-0M-0.500000S"),
        ("list<int>", "[3,null,1]", "{3,1}"),
        ("frozen<list<int>>", "[3,null,1]", "{3,NULL,1}"),
        ("frozen<list<text>>", '["a \\"b\\"","\\\\","NULL"]', '{"a \\"b\\"","\\\\","NULL"}'),
        ("frozen<list<inet>>", '["/10.0.0.1","/0:0:0:0:0:0:0:1"]', "{10.0.0.1,::1}"),
        ("set<timestamp>", "[0]", '{"1970-01-01 00:00:00.000+00"}'),
        ("list<blob>", '["AQ=="]', '{"\\\\x01"}'),
        ("frozen<list<frozen<list<int>>>>", "[[1,2],[],[3]]", "[[1,2],[],[3]]"),
        ("frozen<map<text, int>>", '{"a":2,"k\\"":1}', '{"a":2,"k\\"":1}'),
        ("map<text, int>", '{"a":null,"k":1}', '{"k":1}'),
        ("frozen<map<int, text>>", '[[-2,"minus two"]]', '{"-2":"minus two"}'),
        ("frozen<map<timestamp, text>>", '[[0,"epoch"]]', '{"1970-01-01 00:00:00.000Z":"epoch"}'),
        ("frozen<map<boolean, double>>", '[[true,"NaN"],[false,-0.0]]', '{"true":"NaN","false":"-0.0"}'),
        ("frozen<map<uuid, decimal>>", f'{{"{UUID}":"1.50"}}', f'{{"{UUID}":1.50}}'),
        ("frozen<map<frozen<list<int>>, int>>", "[[[1,2],3]]", '{"[1,2]":3}'),
        ("frozen<map<int, int>>", "{}", "{}"),
        ("tuple<int, text, time>", '{"field1":null,"field2":"x","field3":1}', '[null,"x","00:00:00.000000001"]'),
        (
            "frozen<addr>",
            '{"street":"Main","zip":null,"tags":["x"]}',
            '{"street":"Main","zip":null,"tags":["x"]}',
        ),
        ("frozen<list<frozen<tuple<date, varint>>>>", '[{"field1":-719529,"field2":"5"}]', '[["-0001-12-31",5]]'),
        ("frozen<list<frozen<tuple<duration>>>>", '[{"field1":-90061000000001}]', '[["-25h1m1s1ns"]]'),
        ("vector<float, 2>", "[1.0,2.5]", "{1.0,2.5}"),
    ],
)
def test_a_wire_value_becomes_the_text_that_postgres_takes(notation: str, wire: str, want: str) -> None:
    got = codec_for(cql(notation)).from_event(decoded(notation, wire))

    assert got == want


@pytest.mark.parametrize(
    ("notation", "wire"),
    [
        ("text", "5"),
        ("tinyint", "128"),
        ("smallint", "-32769"),
        ("int", "2147483648"),
        ("int", '"5"'),
        ("int", "true"),
        ("int", "1.5"),
        ("bigint", "9223372036854775808"),
        ("bigint", "1" + "0" * 5_000),
        ("counter", "-9223372036854775809"),
        ("varint", "5"),
        ("decimal", "1.5"),
        ("double", "1e400"),
        ("double", '"nan"'),
        ("boolean", "1"),
        ("blob", '"not base64!"'),
        ("date", "2147483648"),
        ("time", "-1"),
        ("time", "86400000000000"),
        ("timestamp", "9223372036854775808"),
        ("duration", "1e30"),
        ("list<int>", '{"a":1}'),
        ("frozen<map<text, int>>", '{"a":"x"}'),
        ("frozen<map<int, int>>", "[[1]]"),
        ("tuple<int>", '{"field1":1,"field2":2}'),
        ("frozen<addr>", '{"street":1}'),
        ("text", '"\\ud800"'),
    ],
)
def test_a_wire_value_of_the_wrong_type_or_size_does_not_decode(notation: str, wire: str) -> None:
    with pytest.raises(msgspec.MsgspecError):
        decoded(notation, wire)


@pytest.mark.parametrize(
    ("notation", "wire", "error"),
    [
        ("text", '"a\\u0000"', UnrepresentableValue),
        ("frozen<list<text>>", '["\\u0000"]', UnrepresentableValue),
        ("frozen<map<text, int>>", '{"\\u0000":1}', UnrepresentableValue),
        ("frozen<addr>", '{"street":"\\u0000"}', UnrepresentableValue),
        ("float", "1e39", ValueOutOfRange),
        ("float", "1e-46", ValueOutOfRange),
        ("date", "2145042906", ValueOutOfRange),
        ("date", "-2440589", ValueOutOfRange),
        ("timestamp", "9224318016000000", ValueOutOfRange),
        ("timestamp", "-210866803200001", ValueOutOfRange),
        ("varint", '"' + "9" * 131_073 + '"', ValueOutOfRange),
        ("decimal", '"0.' + "1" * 16_384 + '"', ValueOutOfRange),
        ("varint", '"1.5"', InvalidValue),
        ("varint", '"٣"', InvalidValue),
        ("decimal", '"NaN"', InvalidValue),
        ("decimal", '"1E+3"', InvalidValue),
        ("decimal", '""', InvalidValue),
        ("uuid", '"123e4567"', InvalidValue),
        ("uuid", '"123E4567-e89b-12d3-a456-426614174000"', InvalidValue),
        ("inet", '"/10.0.0"', InvalidValue),
        ("inet", '"/10.0.0.1\\n"', InvalidValue),
        ("frozen<map<int, int>>", '{"1":1}', InvalidValue),
        ("frozen<list<blob>>", '["AQ=="]', InvalidValue),
    ],
)
def test_a_value_that_postgres_cannot_hold_is_bad_data(notation: str, wire: str, error: type[BadRecord]) -> None:
    codec = codec_for(cql(notation))

    with pytest.raises(error) as raised:
        codec.from_event(decoded(notation, wire))

    assert type(raised.value) is error


@pytest.mark.parametrize(("policy", "want"), [(NulPolicy.STRIP, '{"ab"}'), (NulPolicy.REPLACE, '{"a\ufffdb"}')])
def test_the_policy_says_what_becomes_of_u0000_in_values(policy: NulPolicy, want: str) -> None:
    codec = codec_for(cql("list<text>"), policy)

    got = codec.from_event(["a\0b"])

    assert got == want


def test_no_policy_strips_the_key_of_a_map() -> None:
    codec = codec_for(cql("frozen<map<text, int>>"), NulPolicy.STRIP)

    with pytest.raises(UnrepresentableValue):
        codec.from_event({"a\0": 1, "a": 2})


def test_times_with_nanoseconds_are_told_as_losing_precision() -> None:
    scalar, array = codec_for(cql("time")).loses_precision, codec_for(cql("list<time>")).loses_precision

    got = [loses and (loses([1_000, 1]) if loses is array else loses(1), loses([1_000]) if loses is array else loses(0))
           for loses in (scalar, array)]  # fmt: skip

    assert got == [(True, False), (True, False)]


def test_types_that_keep_every_digit_have_no_test_for_loss() -> None:
    got = [codec_for(cql(notation)).loses_precision for notation in ("text", "decimal", "frozen<map<text, time>>")]

    assert got == [None, None, None]


@pytest.mark.parametrize("notation", ["custom", "frozen<list<custom>>"])
def test_an_unknown_type_is_not_supported(notation: str) -> None:
    with pytest.raises(UnsupportedType, match="custom"):
        codec_for(cql(notation))


@pytest.mark.parametrize(
    ("notation", "want"),
    [
        ("text", "text"),
        ("counter", "bigint"),
        ("timestamp", "timestamp with time zone"),
        ("list<double>", "double precision[]"),
        ("set<frozen<list<int>>>", "jsonb"),
        ("map<text, int>", "jsonb"),
        ("tuple<int>", "jsonb"),
        ("frozen<addr>", "jsonb"),
        ("vector<float, 3>", "real[]"),
        ("duration", "interval"),
    ],
)
def test_each_type_has_its_postgres_type(notation: str, want: str) -> None:
    assert codec_for(cql(notation)).postgres == want


def test_a_type_has_one_codec() -> None:
    assert codec_for(cql("list<int>")) is codec_for(cql("list<int>"))
