"""Whatever a file holds: it is read, or a `SchemaError` tells why not."""

from __future__ import annotations

import contextlib

from hypothesis import given
from hypothesis import strategies as st

from cdc.cql.split import split_statements
from cdc.ddl import read_ddl
from cdc.errors import SchemaError

_WORDS = st.sampled_from(
    "CREATE TABLE TYPE ALTER DROP ADD RENAME TO WITH AND PRIMARY KEY ( ) , ; . < > = { } : int text list frozen udt t k a b c "
    "static IF NOT EXISTS USE 'x' \"Q\" $$ -- /* */ // 1 CLUSTERING ORDER BY DESC gc_grace_seconds INSERT INTO".split()
)
_STRINGS = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)


@given(st.one_of(st.text(max_size=60), st.lists(_WORDS, max_size=30).map(" ".join)))
def test_nothing_but_a_schema_error_is_raised(text: str) -> None:
    with contextlib.suppress(SchemaError):
        read_ddl(text, default_keyspace="ks")


@given(st.lists(_STRINGS, min_size=1, max_size=5))
def test_whatever_a_string_holds_does_not_end_its_statement(strings: list[str]) -> None:
    quoted = ["'" + string.replace("'", "''") + "'" for string in strings]
    text = "".join(f"INSERT INTO t (a) VALUES ({string});\n" for string in quoted)
    got = [text[statement.start : statement.end] for statement in split_statements(text)]
    assert got == [f"INSERT INTO t (a) VALUES ({string})" for string in quoted]


@given(_STRINGS.map(lambda string: string.replace("$", "")), st.sampled_from(["--", "//"]))
def test_whatever_a_comment_or_dollar_string_holds_is_skipped(string: str, comment: str) -> None:
    line = string.replace("\n", "").replace("\r", "")
    text = f"{comment}{line}\nSELECT $${string}$$;{comment}{line}\n/*{string.replace('*/', '')}*/SELECT 2"
    got = [text[statement.start : statement.end] for statement in split_statements(text)]
    assert got == [f"SELECT $${string}$$", "SELECT 2"]
