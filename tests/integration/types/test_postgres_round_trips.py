"""PostgreSQL as the oracle: every text is taken, and what it prints serialises to the same Cassandra bytes."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import msgspec
import psycopg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from psycopg import sql

import tests.unit.types
from cdc.errors import UnrepresentableKey
from cdc.schema import CqlType
from cdc.types.base import TypeCodec
from cdc.types.registry import codec_for
from sinks.postgres.connection import connect
from tests.fixtures.servers import AnyPostgres
from tests.unit.types.notation import cql
from tests.unit.types.strategies import container_types, scalar_types, typed_values, wire_values

VECTORS = json.loads((Path(tests.unit.types.__file__).parent / "native_vectors.json").read_text("ascii"))


@pytest.fixture(scope="module")
def postgres(postgres_server: AnyPostgres) -> Iterator[psycopg.Connection]:
    """A connection for statements that leave nothing behind."""
    with connect(postgres_server.dsn) as connection:
        yield connection


def printed(connection: psycopg.Connection, type_name: str, text: str) -> str:
    """Return what PostgreSQL prints of a text that it read as a type."""
    query = sql.SQL("SELECT (%s::text::{})::text").format(sql.SQL(type_name))
    row = connection.execute(query, (text,)).fetchone()
    assert row is not None
    return str(row[0])


def key_texts(codec: TypeCodec, wires: list[Any]) -> Iterator[str]:
    """Return the texts of what can be a key."""
    for wire in wires:
        with suppress(UnrepresentableKey):
            yield codec.key_from_event(msgspec.json.decode(msgspec.json.encode(wire), type=codec.wire))


def test_what_postgres_prints_serialises_as_what_was_sent(postgres: psycopg.Connection) -> None:
    @settings(deadline=None, max_examples=400, suppress_health_check=[HealthCheck.too_slow])
    @given(typed_values(scalar_types() | container_types()))
    def round_trip(typed: tuple[CqlType, Any]) -> None:
        kind, value = typed
        codec = codec_for(kind)
        text = codec.from_event(msgspec.json.decode(msgspec.json.encode(value), type=codec.wire))
        back = printed(postgres, codec.postgres, text)
        assert codec.serialize(back) == codec.serialize(text), (text, back)

    round_trip()


@pytest.mark.parametrize("vector", VECTORS, ids=lambda vector: f"{vector['cql']}-{vector['text'][:20]}")
def test_postgres_keeps_every_bit_of_the_drivers_values(postgres: psycopg.Connection, vector: dict[str, str]) -> None:
    codec = codec_for(cql(vector["cql"]))
    text = codec.to_text(bytes.fromhex(vector["hex"]))

    got = codec.serialize(printed(postgres, codec.postgres, text))

    assert got.hex() == vector["hex"]


@pytest.mark.parametrize(
    ("notation", "wire"),
    [
        ("date", -2_440_588),
        ("date", 2_145_042_905),
        ("timestamp", -210_866_803_200_000),
        ("timestamp", 9_224_318_015_999_999),
        ("duration", -(1 << 63)),
        ("duration", (1 << 63) - 1),
        ("varint", "9" * 131_072),
        ("decimal", "-0." + "1" * 16_383),
        ("frozen<list<varint>>", ["9" * 131_072]),
        ("tuple<varint>", {"field1": "9" * 131_072}),
        ("tuple<double>", {"field1": 5e-324}),
        ("float", 1.4e-45),
        ("float", 3.4028235e38),
        ("double", 1.7976931348623157e308),
    ],
)
def test_postgres_takes_the_ends_of_each_range(postgres: psycopg.Connection, notation: str, wire: Any) -> None:
    codec = codec_for(cql(notation))
    text = codec.from_event(msgspec.json.decode(msgspec.json.encode(wire), type=codec.wire))

    got = codec.serialize(printed(postgres, codec.postgres, text))

    assert got == codec.serialize(text)


@pytest.mark.parametrize(
    ("type_name", "text"),
    [
        ("date", "4714-11-23 BC"),
        ("date", "5874898-01-01"),
        ("timestamp with time zone", "4714-11-23 23:59:59.999+00 BC"),
        ("timestamp with time zone", "294277-01-01 00:00:00+00"),
        ("numeric", "9" * 131_073),
        ("real", "1e-46"),
        ("real", "3.5e38"),
    ],
)
def test_postgres_refuses_what_lies_just_beyond_as_the_codecs_do(
    postgres: psycopg.Connection, type_name: str, text: str
) -> None:
    with pytest.raises(psycopg.DataError):
        printed(postgres, type_name, text)


@pytest.mark.parametrize(
    "notation", ["int", "varint", "decimal", "double", "float", "text", "blob", "date", "time", "timestamp"]
)
def test_postgres_orders_as_cassandra_where_the_codec_says_so(postgres: psycopg.Connection, notation: str) -> None:
    kind = cql(notation)
    codec = codec_for(kind)
    collation = ' COLLATE "C"' if codec.postgres == "text" else ""
    value = f"CAST(text AS {codec.postgres})"
    query = f"SELECT {value}::text AS printed FROM unnest(%s::text[]) AS text ORDER BY {value}{collation}"

    @settings(deadline=None, max_examples=30, suppress_health_check=[HealthCheck.too_slow])
    @given(st.lists(wire_values(kind), max_size=8))
    def in_order(wires: list[Any]) -> None:
        texts = list(key_texts(codec, wires))
        rows = postgres.execute(query, (texts,)).fetchall()
        keys = [codec.sort_key(codec.serialize(row[0])) for row in rows]
        assert keys == sorted(keys)

    in_order()
