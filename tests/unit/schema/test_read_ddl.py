"""What the DDL reader makes of CQL scripts."""

from __future__ import annotations

import pytest

from cdc.ddl import read_ddl
from cdc.errors import SchemaError
from cdc.schema import Schema, Table


def table_of(cql: str) -> Table:
    tables = list(read_ddl(cql, default_keyspace="ks").tables.values())
    assert len(tables) == 1
    return tables[0]


def types_of(cql: str) -> dict[str, str]:
    return {column.name: str(column.type) for column in table_of(cql).columns}


def names_of(schema: Schema) -> list[str]:
    return sorted(table.full_name for table in schema.tables.values())


def keys_of(table: Table) -> tuple[list[str], list[str]]:
    return [c.name for c in table.partition_key], [f"{c.name}{' desc' if c.descending else ''}" for c in table.clustering]


@pytest.mark.parametrize(
    ("cql", "want"),
    [
        ("CREATE TABLE t (a int PRIMARY KEY)", (["a"], [])),
        ("CREATE TABLE t (a int, b int, PRIMARY KEY (a, b))", (["a"], ["b"])),
        ("CREATE TABLE t (a int, b int, PRIMARY KEY ((b, a)))", (["b", "a"], [])),
        ("CREATE TABLE t (PRIMARY KEY ((b, a), d, c), a int, b int, c int, d int)", (["b", "a"], ["d", "c"])),
        ("create table T (A INT, B int, primary key (a, B)) with clustering order by (b desc);", (["a"], ["b desc"])),
        (
            "CREATE TABLE t (a int, b int, c int, PRIMARY KEY (a, b, c)) WITH cdc = true AND CLUSTERING ORDER BY (b, c DESC)",
            (["a"], ["b", "c desc"]),
        ),
        ("CREATE COLUMNFAMILY IF NOT EXISTS t (key text PRIMARY KEY) WITH COMPACT STORAGE", (["key"], [])),
        ('CREATE TABLE t ("Id" int, "with space" int, PRIMARY KEY ("with space", "Id"))', (["with space"], ["Id"])),
    ],
)
def test_a_primary_key_is_read_in_its_order(cql: str, want: tuple[list[str], list[str]]) -> None:
    assert keys_of(table_of(cql)) == want


def test_columns_stand_by_kind_and_then_by_the_bytes_of_their_names() -> None:
    table = table_of(
        'CREATE TABLE t (z int, a int, p int, é int static, "Z" int, s int static, k int, PRIMARY KEY (p, k))'.replace(
            "é", '"é"'
        )
    )
    assert [column.name for column in table.columns] == ["p", "k", "s", "é", "Z", "a", "z"]
    assert [column.position for column in table.columns] == [0, 0, 0, 1, 0, 1, 2]


@pytest.mark.parametrize(
    ("written", "want"),
    [
        ("int", "int"),
        ("VARCHAR", "text"),
        ("list<int>", "list<int>"),
        ("frozen<list<set<int>>>", "frozen<list<frozen<set<int>>>>"),
        ("map<text, frozen<map<int, list<uuid>>>>", "map<text, frozen<map<int, frozen<list<uuid>>>>>"),
        ("tuple<int, list<text>>", "tuple<int, frozen<list<text>>>"),
        ("frozen<tuple<int, tuple<text, blob>>>", "tuple<int, tuple<text, blob>>"),
        ("vector<float, 3>", "vector<float, 3>"),
        ("counter", "counter"),
        ("frozen<addr>", "frozen<addr>"),
        ("addr", "addr"),
        ("ks.addr", "addr"),
        ('frozen<"Odd ""type">', 'frozen<"Odd ""type">'),
        ("'org.apache.cassandra.db.marshal.DynamicCompositeType'", "'org.apache.cassandra.db.marshal.DynamicCompositeType'"),
    ],
)
def test_types_are_read_and_frozen_spreads_inwards(written: str, want: str) -> None:
    udts = 'CREATE TYPE addr (street text, tags set<text>); CREATE TYPE "Odd ""type" (a int);'
    assert types_of(f"{udts} CREATE TABLE t (id int PRIMARY KEY, v {written})")["v"] == want


def test_a_udt_holds_its_fields_as_they_are_at_the_end() -> None:
    table = table_of(
        "CREATE TYPE inner_t (x int); CREATE TYPE outer_t (a text, i frozen<inner_t>);"
        "CREATE TABLE t (id int PRIMARY KEY, v frozen<outer_t>);"
        "ALTER TYPE inner_t ADD y list<int>; ALTER TYPE outer_t RENAME a TO b AND i TO j;"
    )
    udt = table.regular[0].type
    assert udt.field_names == ("b", "j")
    assert udt.arguments[1].field_names == ("x", "y")
    assert [str(argument) for argument in udt.arguments[1].arguments] == ["int", "frozen<list<int>>"]


@pytest.mark.parametrize(
    ("statements", "columns", "dropped"),
    [
        ("ALTER TABLE t ADD c text", "abc", ""),
        ("ALTER TABLE t ADD c text, d frozen<list<int>>", "abcd", ""),
        ("ALTER TABLE t ADD (c text, d int static)", "adbc", ""),
        ("ALTER TABLE t ADD IF NOT EXISTS b text", "ab", ""),
        ("ALTER TABLE t DROP b", "a", "b"),
        ("ALTER TABLE t ADD c int; ALTER TABLE t DROP (b, c) USING TIMESTAMP 1700000000000000", "a", "bc"),
        ("ALTER TABLE t DROP IF EXISTS z", "ab", ""),
        ("ALTER TABLE t DROP b; ALTER TABLE t ADD b int", "ab", ""),
        ("ALTER TABLE t RENAME a TO k", "kb", "a"),
        ("ALTER TABLE t WITH gc_grace_seconds = 0", "ab", ""),
        ("ALTER TABLE IF EXISTS other ADD c int", "ab", ""),
        ("ALTER TABLE t ALTER b MASKED WITH DEFAULT; ALTER TABLE t ALTER b TYPE blob", "ab", ""),
        ("ALTER TABLE t DROP COMPACT STORAGE", "ab", ""),
        ("DROP TABLE t; CREATE TABLE t (a int PRIMARY KEY, z int)", "az", "b"),
        ("CREATE TABLE t (a int PRIMARY KEY, z int)", "az", "b"),
        ("CREATE TABLE IF NOT EXISTS t (a int PRIMARY KEY, z int)", "ab", ""),
    ],
)
def test_changes_apply_in_order_and_names_once_had_are_dropped_columns(statements: str, columns: str, dropped: str) -> None:
    table = table_of(f"CREATE TABLE t (a int PRIMARY KEY, b text); {statements};")
    assert [column.name for column in table.columns] == list(columns)
    assert table.dropped_columns == frozenset(dropped)


def test_a_renamed_clustering_column_keeps_its_order() -> None:
    table = table_of(
        "CREATE TABLE t (a int, b int, PRIMARY KEY (a, b)) WITH CLUSTERING ORDER BY (b DESC); ALTER TABLE t RENAME b TO c"
    )
    assert keys_of(table) == (["a"], ["c desc"])


def test_options_are_read_and_others_left_alone() -> None:
    table = table_of(
        """CREATE TABLE t (a int PRIMARY KEY) WITH ID = 5a1c395e-b41f-11e5-9f22-ba0be0483c18
        AND additional_write_policy = '99p' AND caching = {'keys': 'ALL', 'rows_per_partition': 'NONE'} AND cdc = false
        AND comment = 'it''s; "quoted" -- and /* more */' AND crc_check_chance = 1.0 AND default_time_to_live = 86400
        AND extensions = {} AND bloom_filter_fp_chance = 1.0E-2 AND gc_grace_seconds = 3600 AND memtable = 'default';"""
    )
    assert (table.cdc, table.default_time_to_live, table.gc_grace_seconds) == (False, 86_400, 3_600)


def test_options_that_are_not_said_have_cassandras_defaults() -> None:
    table = table_of("CREATE TABLE t (a int PRIMARY KEY)")
    assert (table.cdc, table.default_time_to_live, table.gc_grace_seconds) == (True, 0, 864_000)


@pytest.mark.parametrize(
    ("cql", "want"),
    [
        ("USE a; CREATE TABLE t (k int PRIMARY KEY); USE b; CREATE TABLE t (k int PRIMARY KEY)", ["a.t", "b.t"]),
        ("CREATE TABLE t (k int PRIMARY KEY)", ["ks.t"]),
        ('CREATE TABLE "A"."T" (k int PRIMARY KEY); CREATE TABLE a.t (k int PRIMARY KEY)', ["A.T", "a.t"]),
        ("CREATE TABLE a.t (k int PRIMARY KEY); DROP TABLE a.t", []),
        ("CREATE TABLE a.t (k int PRIMARY KEY); DROP KEYSPACE a; CREATE TABLE b.t (k int PRIMARY KEY)", ["b.t"]),
        ("DROP TABLE IF EXISTS a.t; DROP TYPE IF EXISTS a.u; DROP KEYSPACE IF EXISTS a", []),
        ("", []),
        (";;\n-- nothing\n", []),
    ],
)
def test_tables_belong_to_the_keyspace_named_or_in_use(cql: str, want: list[str]) -> None:
    assert names_of(read_ddl(cql, default_keyspace="ks")) == want


@pytest.mark.parametrize(
    "other",
    [
        "CREATE KEYSPACE IF NOT EXISTS k WITH replication = {'class': 'SimpleStrategy', 'dc1': '3'} AND durable_writes = true",
        "INSERT INTO t (a, b) VALUES (1, 'semicolon; quote '' newline\n control \x00\x07 and CREATE TABLE x')",
        "INSERT INTO t (a, b) VALUES (1, $$ dollar ; ' string $$)",
        'SELECT "od;d" FROM t',
        "BEGIN BATCH INSERT INTO t (a) VALUES (1); UPDATE t SET b = 'x' WHERE a = 1; APPLY BATCH",
        "CREATE CUSTOM INDEX i ON t (b) USING 'StorageAttachedIndex' WITH OPTIONS = {'x': ';'}",
        "CREATE INDEX ON t (b)",
        "CREATE MATERIALIZED VIEW mv AS SELECT * FROM t WHERE b IS NOT NULL AND a IS NOT NULL PRIMARY KEY (b, a)",
        "CREATE OR REPLACE FUNCTION f(x int) CALLED ON NULL INPUT RETURNS int LANGUAGE java AS $$ return x; $$",
        "CREATE AGGREGATE g(int) SFUNC f STYPE int",
        "GRANT SELECT ON ALL KEYSPACES TO someone",
        "CREATE ROLE r WITH PASSWORD = 'a;b' AND LOGIN = true",
        "ALTER KEYSPACE k WITH durable_writes = false",
        "DROP INDEX IF EXISTS i",
        "TRUNCATE t",
        "/* Warning: Table omitted.\nCREATE TABLE legacy (a int PRIMARY KEY); */",
        "// CREATE TABLE x (a int PRIMARY KEY);\n",
        "CONSISTENCY QUORUM\n",
        "DESCRIBE KEYSPACES\n",
    ],
)
def test_every_other_statement_is_skipped_whole(other: str) -> None:
    cql = f"CREATE TABLE t (a int PRIMARY KEY, b text);\n{other};\nCREATE TABLE u (a int PRIMARY KEY);"
    assert names_of(read_ddl(cql, default_keyspace="ks")) == ["ks.t", "ks.u"]


@pytest.mark.parametrize(
    "name", ["key", "type", "static", "frozen", "ttl", "compact", "exists", "cdc", "masked", "desc_", "list", "date"]
)
def test_words_that_are_not_reserved_can_name_columns(name: str) -> None:
    assert types_of(f"CREATE TABLE t ({name} int PRIMARY KEY, v text)") == {name: "int", "v": "text"}


@pytest.mark.parametrize("name", ["with space", 'q"uote', "select", "dot.ted", "Camel", "ключ", "semi;colon", "--", "primary"])
def test_quoted_names_are_kept_as_they_are(name: str) -> None:
    quoted = name.replace('"', '""')
    assert types_of(f'CREATE TABLE t (id int PRIMARY KEY, "{quoted}" text)') == {"id": "int", name: "text"}


def test_comments_may_stand_anywhere() -> None:
    cql = "CREATE /* a */ TABLE -- b\n t ( // c\n a int -- d;\r\n PRIMARY KEY /* ; */ ) -- e"
    assert types_of(cql) == {"a": "int"}


def test_a_masked_column_is_read() -> None:
    cql = "CREATE TABLE t (a int PRIMARY KEY, b text MASKED WITH system.mask_inner(1, null), c text MASKED WITH DEFAULT)"
    assert types_of(cql) == {"a": "int", "b": "text", "c": "text"}


@pytest.mark.parametrize(
    ("cql", "message"),
    [
        ("CREATE TABLE t (a int PRIMARY KEY, b nothing)", "unknown type nothing in keyspace ks, line 1, column 38"),
        ("CREATE TABLE t (a int PRIMARY KEY, b other.ty)", "unknown type ty in keyspace ks, line 1, column 44"),
        ("CREATE TABLE t (a int, b int)", "table t has no PRIMARY KEY, line 1, column 14"),
        ("CREATE TABLE t (a int PRIMARY KEY, b int, PRIMARY KEY (a, b))", "table t has more than one PRIMARY KEY"),
        (
            "CREATE TABLE t (a int, PRIMARY KEY (z))",
            "key column z is not a column of the table or is static, line 1, column 37",
        ),
        ("CREATE TABLE t (a int static, PRIMARY KEY (a))", "key column a is not a column of the table or is static"),
        ("CREATE TABLE t (a int PRIMARY KEY, A text)", "a is defined twice, line 1, column 36"),
        ("\n\nCREATE TABLE t (a int PRIMARY KEY b)", "cannot read b, line 3, column 35"),
        ("CREATE TABLE t (a int", "the statement ends too early, line 1, column 22"),
        ("CREATE TABEL t (a int PRIMARY KEY)", "no CQL statement begins with CREATE TABEL, line 1, column 1"),
        ("hello", "no CQL statement begins with HELLO"),
        ("ALTER TABLE t ADD a int", "unknown table ks.t, line 1, column 13"),
        ("DROP TYPE ty", "unknown type ks.ty"),
        ("CREATE TABLE t (a int PRIMARY KEY); ALTER TABLE t ADD a int", "a is there already, line 1, column 55"),
        ("CREATE TABLE t (a int PRIMARY KEY); ALTER TABLE t DROP b", "b is not there"),
        ("CREATE TABLE t (a int PRIMARY KEY); ALTER TABLE t DROP a", "a is a key column and cannot be dropped"),
        ("CREATE TABLE t (a int PRIMARY KEY, b int); ALTER TABLE t RENAME a TO b", "b is there already"),
        ("CREATE TABLE t (a int PRIMARY KEY, b list<int, int>)", "list takes 1 type arguments, line 1, column 38"),
        ("CREATE TABLE t (a int PRIMARY KEY, b int<text>)", "int takes no type arguments"),
        ("CREATE TABLE t (a int PRIMARY KEY, b tuple)", "tuple takes some type arguments"),
        ("CREATE TABLE t (a int PRIMARY KEY, b vector<float>)", "a vector is written vector<type, dimension>"),
        (
            "CREATE TABLE t (a int PRIMARY KEY) WITH gc_grace_seconds = 'soon'",
            "'soon' is not a number of seconds, line 1, column 60",
        ),
        (f"CREATE TABLE t (a int PRIMARY KEY, b {'frozen<' * 3000}int{'>' * 3000})", "a type is nested too deep"),
        ("CREATE TYPE ty (a frozen<ty>); CREATE TABLE t (a int PRIMARY KEY, b frozen<ty>)", "type"),
        ("INSERT INTO t (a) VALUES ('never closed); CREATE TABLE", "' is never closed, line 1, column 27"),
        ("CREATE TABLE t (a int PRIMARY KEY); /* never closed", "/* is never closed"),
    ],
)
def test_a_problem_is_told_with_its_place_and_statement(cql: str, message: str) -> None:
    with pytest.raises(SchemaError) as caught:
        read_ddl(cql, default_keyspace="ks")
    assert caught.value.message.startswith(message)
    assert ", in: " in caught.value.message
    assert caught.value.hint


def test_a_table_without_any_keyspace_is_a_problem() -> None:
    with pytest.raises(SchemaError, match="t has no keyspace, line 1, column 14, in: CREATE TABLE t"):
        read_ddl("CREATE TABLE t (a int PRIMARY KEY)")
