"""The workload of the demo: the same for the same seed, with every form of CQL, on tables that the mirror takes whole."""

from __future__ import annotations

import re
from collections import Counter
from itertools import islice

import pytest

from cdc.ddl import read_ddl
from cdc.schema import Table
from dataflows.shop.schema import TABLES, create_keyspace, ddl
from dataflows.shop.statement import Statement
from dataflows.shop.workload import statements

SAMPLE = 4_000
KINDS = {
    "insert",
    "insert with TTL",
    "update",
    "update with TTL",
    "delete cells",
    "delete row",
    "delete range",
    "delete partition",
    "logged batch",
    "unlogged batch",
}


@pytest.fixture(scope="module")
def sample() -> list[Statement]:
    return list(islice(statements(1), SAMPLE))


def tables() -> dict[str, Table]:
    return {table.name: table for table in read_ddl(";\n".join([create_keyspace(), *ddl()])).tables.values()}


def test_the_same_seed_gives_the_same_statements(sample: list[Statement]) -> None:
    assert list(islice(statements(1), SAMPLE)) == sample


def test_another_seed_gives_others(sample: list[Statement]) -> None:
    assert list(islice(statements(2), SAMPLE)) != sample


def test_every_kind_comes_often_enough_to_be_seen_in_a_short_demo(sample: list[Statement]) -> None:
    found = Counter(statement.kind for statement in sample)
    assert set(found) == KINDS
    assert min(found.values()) >= SAMPLE // 100


def test_every_table_is_written(sample: list[Statement]) -> None:
    assert {table for statement in sample for table in statement.tables} == set(TABLES)


def test_parameters_are_as_many_as_the_marks(sample: list[Statement]) -> None:
    wrong = [statement for statement in sample if statement.cql.count("?") != len(statement.parameters)]
    assert wrong == []


def test_texts_are_few_so_that_each_is_prepared_once(sample: list[Statement]) -> None:
    assert len({statement.cql for statement in sample}) < 120


def test_keys_are_bounded() -> None:
    written = (statement for statement in islice(statements(1, keys=5), SAMPLE) if statement.kind == "delete row")
    keys = {statement.parameters for statement in written}
    assert 0 < len(keys) <= 5 + 2 * 5 * 12


def test_another_keyspace_is_named_in_every_statement() -> None:
    for statement in [*ddl("k1"), *(one.cql for one in islice(statements(1, keyspace="k1"), 500))]:
        assert re.search(r"\bk1\.", statement)
        assert "shop." not in statement


def test_every_table_is_captured_and_carried_whole_by_the_log() -> None:
    made = tables()
    assert list(made) == list(TABLES)
    for table in made.values():
        assert table.cdc
        assert not table.static
        assert not any(column.type.is_multicell for column in table.regular)
