from __future__ import annotations

import pytest

from sinks.postgres.naming import MAX_NAME_BYTES, column_names, quote, schema_name, table_name

LONG = "a" * 64


@pytest.mark.parametrize("name", ["a", "Upper", "dot.ted", 'quo"te', "per%cent", "x" * 63, "cdc_x", "pgx"])
def test_a_name_that_postgresql_can_have_is_kept(name: str) -> None:
    assert (schema_name(name), table_name(name), column_names([name])) == (name, name, {name: name})


@pytest.mark.parametrize("name", ["pg_x", "cdc", "information_schema", LONG, "pg_" + LONG, "é" * 32])
def test_a_schema_that_postgresql_cannot_have_is_renamed(name: str) -> None:
    renamed = schema_name(name)
    assert renamed != name
    assert not renamed.startswith("pg_")
    assert len(renamed.encode()) <= MAX_NAME_BYTES
    assert renamed == schema_name(name)


def test_each_column_has_a_name_of_its_own() -> None:
    columns = ["xmin", "ctid", "_cdc_x", "_cdc_ts", f"{LONG}1", f"{LONG}2", "a", "A"]
    names = column_names(columns)
    assert list(names) == columns
    assert len(set(names.values())) == len(columns)
    assert [name for name in names.values() if name.startswith("_cdc_") or name in ("xmin", "ctid")] == []


def test_a_column_that_bears_anothers_new_name_is_renamed_too() -> None:
    taken = column_names(["xmin"])["xmin"]
    names = column_names(["xmin", taken])
    assert len(set(names.values())) == 2


def test_an_identifier_is_quoted_for_a_statement_with_parameters() -> None:
    assert quote('a"b%c') == '"a""b%%c"'
