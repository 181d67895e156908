"""Tables made and altered while all is running: what is written once the connector knows of them arrives."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from cdc.ddl import read_ddl
from cdc.schema import Table
from tests.end_to_end.live_mirror import LiveMirror
from tests.end_to_end.scenario import create_keyspace
from tests.end_to_end.workload import shown

pytestmark = [pytest.mark.real, pytest.mark.timeout(600)]

KEYSPACE = "e2e_changes"


@pytest.fixture(scope="module")
def changing(mirror: LiveMirror) -> Iterator[LiveMirror]:
    """The mirror with a keyspace that the connector knows, as yet without tables."""
    mirror.live.session.execute(create_keyspace(KEYSPACE))
    mirror.live.connector.wait_for_keyspace(KEYSPACE)
    yield mirror
    mirror.live.session.execute(f"DROP KEYSPACE {KEYSPACE}")


def table_of(*statements: str) -> list[Table]:
    return list(read_ddl(";\n".join(statements)).tables.values())


def run(mirror: LiveMirror, *statements: str) -> None:
    for statement in statements:
        mirror.live.session.execute(statement)
    mirror.catch_up()


def test_a_table_is_made_while_all_is_running(changing: LiveMirror) -> None:
    made = f"CREATE TABLE {KEYSPACE}.made (p int, c int, v text, PRIMARY KEY (p, c)) WITH cdc = true"
    changing.live.define(KEYSPACE, made)
    insert = f"INSERT INTO {KEYSPACE}.made (p, c, v) VALUES "
    run(
        changing,
        f"{insert} (1, 1, 'first')",
        f"{insert} (1, 2, 'second')",
        f"DELETE FROM {KEYSPACE}.made WHERE p = 1 AND c = 1",
    )
    assert shown(changing.differences(table_of(made))) == []


def test_columns_are_added_while_all_is_running(changing: LiveMirror) -> None:
    table = f"{KEYSPACE}.grown"
    made = f"CREATE TABLE {table} (id int PRIMARY KEY, b text) WITH cdc = true"
    changing.live.define(KEYSPACE, made)
    run(changing, f"INSERT INTO {table} (id, b) VALUES (1, 'before')", f"INSERT INTO {table} (id, b) VALUES (2, 'before')")
    added = (f"ALTER TABLE {table} ADD a decimal", f"ALTER TABLE {table} ADD c frozen<list<text>>")
    changing.live.define(KEYSPACE, *added)
    run(
        changing,
        f"INSERT INTO {table} (id, a, b, c) VALUES (3, 1.50, 'after', ['x'])",
        f"UPDATE {table} SET a = 2.5 WHERE id = 1",
        f"UPDATE {table} SET b = 'later' WHERE id = 2",
    )
    assert shown(changing.differences(table_of(made, *added))) == []
    assert changing.letters(KEYSPACE) == {}
