"""A schema printed as `DESCRIBE` would is read back equal."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from cdc.cql.describe import describe
from cdc.ddl import read_ddl
from cdc.schema import NATIVE_TYPES, Column, ColumnKind, CqlType, Schema, Table

_NAMES = st.one_of(
    st.from_regex(r"[a-z][a-z0-9_]{0,8}", fullmatch=True),
    st.sampled_from(
        ["select", "primary", "Camel", "with space", 'q"uote', "key", "static", "a;b", "--", "$$", "'", "naïve", "date"]
    ),
    st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=6),
)
_NATIVE = st.sampled_from(sorted(NATIVE_TYPES - {"varchar", "counter"})).map(CqlType)


def _freeze(kind: CqlType) -> CqlType:
    frozen = kind.name in ("list", "set", "map", "tuple", "udt")
    return replace(kind, frozen=frozen, arguments=tuple(map(_freeze, kind.arguments)))


def _nested(inner: st.SearchStrategy[CqlType]) -> st.SearchStrategy[CqlType]:
    frozen = inner.map(_freeze)
    return st.one_of(
        frozen.map(lambda kind: CqlType("list", (kind,))),
        frozen.map(lambda kind: CqlType("set", (kind,))),
        st.tuples(frozen, frozen).map(lambda pair: CqlType("map", pair)),
        st.lists(frozen, min_size=1, max_size=3).map(lambda kinds: CqlType("tuple", tuple(kinds), frozen=True)),
        st.tuples(frozen, st.integers(1, 9)).map(lambda pair: CqlType("vector", (pair[0],), dimension=pair[1])),
        inner.map(_freeze),
    )


@st.composite
def _schemas(draw: st.DrawFn) -> Schema:
    names = draw(st.lists(_NAMES, min_size=4, max_size=9, unique=True))
    udt_name, keyspace, table_name, *column_names = names
    plain = st.recursive(_NATIVE, _nested, max_leaves=4)
    fields = draw(st.lists(plain, min_size=1, max_size=3))
    udt = CqlType("udt", tuple(fields), udt_name=udt_name, field_names=tuple(names[: len(fields)]))
    kinds = st.recursive(st.one_of(_NATIVE, st.just(udt)), _nested, max_leaves=4)
    partition = draw(st.integers(1, len(column_names)))
    clustering = draw(st.integers(0, len(column_names) - partition))
    key, others = column_names[: partition + clustering], sorted(column_names[partition + clustering :], key=str.encode)
    columns = [
        Column(
            name,
            _freeze(draw(kinds)),
            ColumnKind.CLUSTERING if position >= partition else ColumnKind.PARTITION_KEY,
            position - partition if position >= partition else position,
            descending=position >= partition and draw(st.booleans()),
        )
        for position, name in enumerate(key)
    ]
    static = [name for name in others if clustering and draw(st.booleans())]
    for kind, group in ((ColumnKind.STATIC, static), (ColumnKind.REGULAR, [name for name in others if name not in static])):
        columns += [Column(name, draw(kinds), kind, position) for position, name in enumerate(group)]
    options = (draw(st.integers(0, 10**6)), draw(st.integers(0, 10**6)), draw(st.booleans()))
    return Schema({(keyspace, table_name): Table(keyspace, table_name, tuple(columns), *options)})


@given(_schemas())
def test_what_is_printed_is_read_back_equal(schema: Schema) -> None:
    assert read_ddl(describe(schema)) == schema


def test_a_type_named_as_a_keyword_is_quoted() -> None:
    schema = read_ddl('CREATE TYPE k."static" (a int); CREATE TABLE k.t (a int PRIMARY KEY, b frozen<"static">, c "static");')
    assert read_ddl(describe(schema)) == schema


def test_dropped_columns_are_named_in_a_comment() -> None:
    schema = read_ddl("CREATE TABLE k.t (a int PRIMARY KEY, b int); ALTER TABLE k.t DROP b;")
    got = describe(schema)
    assert got == (
        "-- dropped columns: b\n"
        "CREATE TABLE k.t (\n    a int,\n    PRIMARY KEY ((a))\n) WITH cdc = true\n"
        "    AND default_time_to_live = 0\n    AND gc_grace_seconds = 864000;\n"
    )
