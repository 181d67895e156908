"""What is asked of the tombstones reads what it returns, whatever PostgreSQL believes the table to hold."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterator
from typing import Any

import psycopg
import pytest
from psycopg import sql
from psycopg.conninfo import make_conninfo

from sinks.postgres import judged, sweep, tombstones
from sinks.postgres.connection import connect
from tests.fixtures.servers import AnyPostgres
from tests.integration.postgres.sink_tables import SinkTables
from tests.integration.postgres.test_plans import explain

DDL = "CREATE TABLE plans.a (p int, c int, v text, PRIMARY KEY (p, c)); CREATE TABLE plans.b (k int PRIMARY KEY, v text);"
OF_EACH = 20_000  # tombstones of each table: every hundredth is not applied, ten have one partition
FILL = """
    INSERT INTO cdc.tombstones
        (table_id, partition_hash, partition_key, partition_bytes, range_start, range_end, deletion_ts, applied, stored_at)
    SELECT t.id, decode(md5((i / 10)::text), 'hex'), ARRAY[(i / 10)::text], int4send(i / 10), int4send(i), int4send(i), i,
           i % 100 <> 0, to_timestamp(i)
    FROM generate_series(1, {rows}) AS i, cdc.tables AS t
"""


@pytest.fixture(scope="module", params=["never analysed", "analysed when empty", "analysed", "vacuumed when empty"])
def stored(request: pytest.FixtureRequest, postgres_server: AnyPostgres) -> Iterator[SinkTables]:
    """Tables with tombstones, in a database of their own."""
    name = f"t_{secrets.token_hex(6)}"
    with psycopg.connect(postgres_server.dsn, autocommit=True) as connection:
        connection.execute(sql.SQL("CREATE DATABASE {} TEMPLATE template0").format(sql.Identifier(name)))
        tables = SinkTables(make_conninfo(postgres_server.dsn, dbname=name), DDL)
        tables.run("ALTER TABLE cdc.tombstones SET (autovacuum_enabled = false)")
        if request.param == "analysed when empty":
            tables.run("ANALYZE cdc.tombstones")
        tables.run(FILL.format(rows=OF_EACH))
        if request.param == "analysed":
            tables.run("ANALYZE cdc.tombstones")
        elif request.param == "vacuumed when empty":
            pages = "relpages = pg_relation_size(oid) / 8192, reltuples = 0"
            tables.run(f"UPDATE pg_class SET {pages} WHERE oid = 'cdc.tombstones'::regclass")
        yield tables
        tables.close()
        connection.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name)))


def hashes(tables: SinkTables) -> list[bytes]:
    found = tables.query("SELECT DISTINCT partition_hash FROM cdc.tombstones WHERE deletion_ts BETWEEN 100 AND 199")
    return [bytes(digest) for (digest,) in found]


QUESTIONS: dict[str, tuple[str, Callable[[SinkTables], Any], str, int]] = {
    "the newest of each table": (
        judged.TABLES,
        lambda tables: ([layout.table_id for layout in tables.layouts],),
        "tombstones_by_timestamp",
        2,
    ),
    "those of partitions": (
        tombstones.OF_PARTITIONS,
        lambda tables: (tables.layouts[0].table_id, hashes(tables), 0),
        "tombstones_by_range",
        110,
    ),
    "those not applied": (
        tombstones.NOT_APPLIED,
        lambda tables: {"table_id": tables.layouts[0].table_id, "limit": 50},
        "tombstones_not_applied",
        50,
    ),
    "those flipped": (
        tombstones.APPLIED,
        lambda _: ([5, 500, 5_000], [5, 500, 5_000]),
        "tombstones_pkey",
        3,
    ),
    "those to purge": (
        sweep.PURGE_TOMBSTONES,
        lambda tables: {"table_id": tables.layouts[0].table_id, "cutoff": 100, "rows": 5_000},
        "tombstones_by_age",
        300,
    ),
}


@pytest.mark.parametrize("name", QUESTIONS)
def test_a_question_reads_what_it_returns(stored: SinkTables, name: str) -> None:
    statement, parameters, index, most = QUESTIONS[name]
    with connect(stored.dsn) as connection, connection.transaction(force_rollback=True):
        plan = explain(connection, statement, parameters(stored), analyze=True)
    of_tombstones = [node for node in plan if node.get("Relation Name") == "tombstones" and node["Node Type"] != "ModifyTable"]
    read = sum((node["Actual Rows"] + node.get("Rows Removed by Filter", 0)) * node["Actual Loops"] for node in of_tombstones)
    assert index in {node.get("Index Name") for node in of_tombstones}
    assert read <= most
