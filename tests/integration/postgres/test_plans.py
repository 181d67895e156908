"""No statement of the merge ever scans a big table, analysed or not: each starts at the stage, which has no statistics."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any

import psycopg
import pytest

from cdc.event import Bound
from sinks.postgres import statements, sweep, tombstones
from sinks.postgres.connection import connect
from sinks.postgres.layout import Layout
from tests.integration.postgres.sink_tables import SinkTables, bound, range_deletion

ROWS = 100_000
DDL = """
    CREATE TABLE plans.big (p int, c text, a text, b int, PRIMARY KEY (p, c));
    CREATE TABLE plans.times (p int, t timeuuid, a text, PRIMARY KEY (p, t));
    CREATE TABLE plans.ids (p int, t uuid, a text, PRIMARY KEY (p, t));
    CREATE TABLE plans.pairs (p int, c int, d int, a text, PRIMARY KEY (p, c, d));
    CREATE TABLE plans.pairs_desc (p int, c int, d int, a text, PRIMARY KEY (p, c, d)) WITH CLUSTERING ORDER BY (c ASC, d DESC);
    CREATE TABLE plans.timed (p int, c timeuuid, d int, a text, PRIMARY KEY (p, c, d));
    CREATE TABLE plans.timed_desc (p int, c timeuuid, d int, a text, PRIMARY KEY (p, c, d))
        WITH CLUSTERING ORDER BY (c DESC, d DESC);
    CREATE TABLE plans.hosts (p int, t inet, a text, PRIMARY KEY (p, t));
"""
STAGED: dict[str, Callable[[Layout], str]] = {
    "update simple": lambda layout: statements.update(layout, (0, 1)),
    "update general": lambda layout: statements.update(layout, None),
    "bury_covered": statements.bury_covered,
    "set_apart simple": lambda layout: statements.set_apart(layout, (0, 1)),
    "set_apart deletion": lambda layout: statements.set_apart(layout, statements.DELETION),
    "set_apart general": lambda layout: statements.set_apart(layout, None),
    "lock_staged": statements.lock_staged,
    "upsert simple": lambda layout: statements.upsert(layout, (0, 1)),
    "upsert deletion": lambda layout: statements.upsert(layout, statements.DELETION),
    "upsert general": lambda layout: statements.upsert(layout, None),
    "select_ties": statements.select_ties,
    "fold_graveyard": statements.fold_graveyard,
    "bury_invisible": statements.bury_invisible,
    "bury_invisible of groups": lambda layout: statements.bury_invisible(layout, some_groups=True),
    "erase_expired": statements.erase_expired,
    "erase_expired of groups": lambda layout: statements.erase_expired(layout, some_groups=True),
    "delete_covered": statements.delete_covered,
    "strip_covered": statements.strip_covered,
    "stage_due": statements.stage_due,
}
PARAMETERS = {"group": 0, "groups": [0], "rest": -1, "folded": -9, "relation": "plans.big", "now": 1, "rows": 5_000}


@pytest.fixture(scope="module")
def big(module_dsn: str) -> Iterator[SinkTables]:
    """A table and a graveyard of 100,000 rows each, not analysed."""
    tables = SinkTables(module_dsn, DDL)
    layout = tables.layout("big")
    series = f"FROM generate_series(1, {ROWS}) AS i"
    tables.run(f"ALTER TABLE {layout.relation} SET (autovacuum_enabled = false)")
    tables.run(f"ALTER TABLE {layout.graveyard} SET (autovacuum_enabled = false)")
    tables.run(
        f"INSERT INTO {layout.relation} (p, c, a, b, _cdc_ts, _cdc_sweep_at)"
        f" SELECT i % 50, 'c' || i, 'a', i, 1, CASE WHEN i % 2 = 0 THEN i END {series}"
    )
    tables.run(
        f"INSERT INTO {layout.graveyard} (p, c, _cdc_ts, _cdc_cells, stored_at)"
        f" SELECT i % 50, 'd' || i, 1, '{{1,NULL,NULL}}', to_timestamp(i) {series}"
    )
    yield tables
    tables.close()


@pytest.fixture(params=["not analysed", "analysed", "vacuumed when empty"])
def session(request: pytest.FixtureRequest, big: SinkTables) -> Iterator[psycopg.Connection]:
    """A connection as the writer has it, in a transaction that is rolled back."""
    with connect(big.dsn) as connection, connection.transaction(force_rollback=True):
        for relation in (big.layout("big").relation, big.layout("big").graveyard):
            if request.param == "analysed":
                connection.execute(f"ANALYZE {relation}".encode())
            elif request.param == "vacuumed when empty":
                # As after a vacuum that found no committed row in the table's pages.
                pages = "relpages = pg_relation_size(oid) / 8192, reltuples = 0"
                connection.execute(f"UPDATE pg_class SET {pages} WHERE oid = '{relation}'::regclass".encode())
        yield connection


def explain(connection: psycopg.Connection, statement: str, parameters: Any, *, analyze: bool = False) -> list[dict[str, Any]]:
    """Return the nodes of a statement's plan."""
    options = "ANALYZE, BUFFERS, FORMAT JSON" if analyze else "FORMAT JSON"
    row = connection.execute(f"EXPLAIN ({options}) {statement}".encode(), parameters).fetchone()
    assert row is not None
    (document,) = row[0] if isinstance(row[0], list) else json.loads(row[0])
    return list(nodes(document["Plan"]))


def nodes(plan: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield plan
    for child in plan.get("Plans", ()):
        yield from nodes(child)


def scans(plan: list[dict[str, Any]], layout: Layout) -> list[tuple[str, str, bool]]:
    """Return how a plan reads the table and its graveyard: relation, kind of node, whether an index condition leads it."""
    big = {layout.relation_name, layout.graveyard.removeprefix("cdc.")}
    return [
        (node["Relation Name"], node["Node Type"], "Index Cond" in node or "TID Cond" in node)
        for node in plan
        if node.get("Relation Name") in big and node["Node Type"] != "ModifyTable"
    ]


def stage(connection: psycopg.Connection, layout: Layout, rows: int) -> None:
    connection.execute(statements.create_stage(layout).encode())
    connection.execute(
        f"INSERT INTO {layout.stage} (p, c, a, b, _cdc_ts, _cdc_group)"
        f" SELECT i % 50, 'c' || i, 'b', i, 2, 0 FROM generate_series(1, {rows}) AS i".encode()
    )


@pytest.mark.parametrize("rows", [1, 5_000])
@pytest.mark.parametrize("name", STAGED)
def test_each_staged_row_is_looked_up_by_an_index(big: SinkTables, session: psycopg.Connection, name: str, rows: int) -> None:
    layout = big.layout("big")
    stage(session, layout, rows)
    found = scans(explain(session, STAGED[name](layout), PARAMETERS), layout)
    assert [scan for scan in found if scan[1] not in ("Index Scan", "Index Only Scan") or not scan[2]] == []
    assert found or name.startswith("upsert")


def test_what_is_pending_is_asked_of_indexes(big: SinkTables, session: psycopg.Connection) -> None:
    layout = big.layout("big")
    found = scans(explain(session, statements.select_pending(layout), PARAMETERS), layout)
    assert {kind for _, kind, _ in found} <= {"Index Scan", "Index Only Scan"}


def test_a_purge_step_reads_only_what_is_old(big: SinkTables, session: psycopg.Connection) -> None:
    layout = big.layout("big")
    purge = sweep.PURGE_GRAVEYARD.format(graveyard=layout.graveyard)
    found = scans(explain(session, purge, {"cutoff": 100, "rows": 5_000}), layout)
    assert [scan for scan in found if not scan[2]] == []


def test_the_rows_of_a_range_are_read_alone(big: SinkTables, session: psycopg.Connection) -> None:
    layout = big.layout("big")
    deletion = range_deletion(layout, ("7",), 5, Bound((b"c7",)), Bound((b"c70000",))).what
    query, parameters = tombstones.partition_query(layout, deletion, ("7", "c7"), 5_000)  # type: ignore[arg-type]
    session.execute(tombstones.BY_ORDERED_INDEX)
    (scan,) = scans(explain(session, query, parameters), layout)
    assert scan[1:] in (("Index Scan", True), ("Index Only Scan", True))


@pytest.mark.parametrize("descending", [False, True], ids=["ascending", "descending"])
@pytest.mark.parametrize("after", [False, True], ids=["from its start", "going on"])
@pytest.mark.parametrize("statistics", ["never analysed", "analysed when empty", "analysed", "vacuumed when empty"])
@pytest.mark.parametrize("name", ["pairs", "timed"])
def test_ten_rows_of_a_prefix_of_100000_are_read_alone(
    big: SinkTables, name: str, statistics: str, *, after: bool, descending: bool
) -> None:
    layout = big.layout(f"{name}_desc" if descending else name)
    first = "2" if name == "pairs" else "00000002-1234-11ee-8000-000000000000"
    with connect(big.dsn) as connection, connection.transaction(force_rollback=True):
        connection.execute(f"ALTER TABLE {layout.relation} SET (autovacuum_enabled = false)".encode())
        if statistics == "analysed when empty":
            connection.execute(f"ANALYZE {layout.relation}".encode())
        connection.execute(
            f"INSERT INTO {layout.relation} (p, c, d, a, _cdc_ts)"
            f" SELECT 1, '{first}', i, 'a', 1 FROM generate_series(1, {ROWS}) AS i".encode()
        )
        if statistics == "analysed":
            connection.execute(f"ANALYZE {layout.relation}".encode())
        elif statistics == "vacuumed when empty":
            pages = "relpages = pg_relation_size(oid) / 8192, reltuples = 0"
            connection.execute(f"UPDATE pg_class SET {pages} WHERE oid = '{layout.relation}'::regclass".encode())
        sides = [bound(layout, first, number) for number in ("50000", "50009")]
        deletion = range_deletion(layout, ("1",), 5, *(reversed(sides) if descending else sides)).what
        last = ("1", first, "50000") if after else None
        query, parameters = tombstones.partition_query(layout, deletion, last, 5_000)  # type: ignore[arg-type]
        connection.execute(tombstones.BY_ORDERED_INDEX)
        plan = explain(connection, query, parameters, analyze=True)
        assert rows_read(plan, layout.relation_name) == (9 if after else 10)


def test_a_step_through_a_partition_of_100000_rows_begins_where_the_last_ended(big: SinkTables) -> None:
    layout = big.layout("pairs")
    with connect(big.dsn) as connection, connection.transaction(force_rollback=True):
        connection.execute(
            f"INSERT INTO {layout.relation} (p, c, d, a, _cdc_ts)"
            f" SELECT 1, i / 10, i, 'a', 1 FROM generate_series(1, {ROWS}) AS i".encode()
        )
        deletion = range_deletion(layout, ("1",), 5, bound(layout, "1")).what
        query, parameters = tombstones.partition_query(layout, deletion, ("1", "9000", "90000"), 100)  # type: ignore[arg-type]
        connection.execute(tombstones.BY_ORDERED_INDEX)
        plan = explain(connection, query, parameters, analyze=True)
        assert rows_read(plan, layout.relation_name) == 100
        blocks = plan[0]["Shared Hit Blocks"] + plan[0]["Shared Read Blocks"]
        assert blocks < 50


def rows_read(plan: list[dict[str, Any]], relation: str) -> int:
    """Return how many rows the scans of a relation looked at."""
    return sum(n["Actual Rows"] + n.get("Rows Removed by Filter", 0) for n in plan if n.get("Relation Name") == relation)


UUIDS = {
    "times": "SELECT 1, (lpad(to_hex(i), 8, '0') || '-1234-11ee-8000-000000000000')::uuid",
    "ids": "SELECT 1, ('00000000-0000-4000-8000-' || lpad(to_hex(i), 12, '0'))::uuid",
    "hosts": "SELECT 1, '10.0.0.0'::inet + i",
}
ENDS = {
    "times": ("000003e8-1234-11ee-8000-000000000000", "000003f1-1234-11ee-8000-000000000000"),
    "ids": ("00000000-0000-4000-8000-0000000003e8", "00000000-0000-4000-8000-0000000003f1"),
    "hosts": ("10.0.3.232", "10.0.3.241"),
}


@pytest.mark.parametrize("after", [False, True], ids=["from its start", "going on"])
@pytest.mark.parametrize("name", UUIDS)
def test_ten_rows_of_a_partition_of_100000_are_read_alone_where_orders_differ(
    big: SinkTables, name: str, *, after: bool
) -> None:
    layout = big.layout(name)
    with connect(big.dsn) as connection, connection.transaction(force_rollback=True):
        connection.execute(f"ALTER TABLE {layout.relation} SET (autovacuum_enabled = false)".encode())
        connection.execute(
            f"INSERT INTO {layout.relation} (p, t, a, _cdc_ts)"
            f" {UUIDS[name]}, 'a', 1 FROM generate_series(1, {ROWS}) AS i".encode()
        )
        start, end = (Bound((layout.key[1].codec.serialize(text),)) for text in ENDS[name])
        deletion = range_deletion(layout, ("1",), 5, start, end).what
        last = ("1", ENDS[name][0]) if after else None
        query, parameters = tombstones.partition_query(layout, deletion, last, 5_000)  # type: ignore[arg-type]
        connection.execute(tombstones.BY_ORDERED_INDEX)
        plan = explain(connection, query, parameters, analyze=True)
        read = [
            node["Actual Rows"] + node.get("Rows Removed by Filter", 0) for node in plan if node.get("Relation Name") == name
        ]
        assert len(read) == 1
        assert read[0] in (9, 10)
