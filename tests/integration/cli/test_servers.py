"""The commands that ask servers, with real ones that answer, and with one that does not."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
import structlog
from click.testing import CliRunner, Result

from dataflows.__main__ import main
from tests.fixtures.recordings import SAMPLES
from tests.fixtures.servers import AnyRedis
from tests.integration.flow.source_flow import Topics

NOWHERE = "127.0.0.1:1"
TYPES = """
    SELECT a.attname || ' ' || format_type(a.atttypid, a.atttypmod)
    FROM pg_attribute AS a JOIN pg_class AS c ON c.oid = a.attrelid JOIN pg_namespace AS n ON n.oid = c.relnamespace
    WHERE n.nspname = %s AND c.relname = %s AND a.attnum > 0 AND NOT a.attisdropped AND a.attname NOT LIKE '\\_cdc\\_%%'
"""


@pytest.fixture(autouse=True)
def _put_logging_back() -> Iterator[None]:
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield
    root.handlers[:] = handlers
    root.setLevel(level)
    structlog.reset_defaults()


def run(command: str, environ: dict[str, str]) -> Result:
    return CliRunner().invoke(main, [command], env=environ)


@pytest.fixture
def servers(kafka_bootstrap: str, topic_prefix: str, postgres_dsn: str, valkey_server: AnyRedis) -> dict[str, str]:
    topics = Topics(kafka_bootstrap, topic_prefix)
    topics.create("shop.t")
    topics.create("shop.u")
    return {
        "CDC_KAFKA__BOOTSTRAP_SERVERS": kafka_bootstrap,
        "CDC_KAFKA__TOPIC_PREFIX": topic_prefix,
        "CDC_POSTGRES__DSN": postgres_dsn,
        "CDC_REDIS__URL": valkey_server.url,
        "CDC_SCHEMA__FILE": str(SAMPLES / "workload_shop.cql"),
    }


def test_check_of_servers_that_answer(servers: dict[str, str]) -> None:
    result = run("check", servers)
    assert result.exit_code == 0, result.output
    assert "PostgreSQL: ok, server version " in result.stdout
    assert f"Kafka: ok, 2 topics {servers['CDC_KAFKA__TOPIC_PREFIX']}.*" in result.stdout
    assert "Redis: ok, answers" in result.stdout


@pytest.mark.parametrize(
    ("away", "setting", "value"),
    [
        ("PostgreSQL", "CDC_POSTGRES__DSN", f"postgresql://u@{NOWHERE}/d"),
        ("Kafka", "CDC_KAFKA__BOOTSTRAP_SERVERS", NOWHERE),
        ("Redis", "CDC_REDIS__URL", f"redis://{NOWHERE}"),
    ],
)
def test_check_names_the_one_server_that_is_away(servers: dict[str, str], away: str, setting: str, value: str) -> None:
    result = run("check", servers | {setting: value})
    assert result.exit_code == 1
    told = {line.partition(":")[0] for line in result.stdout.splitlines() if ": ok, " in line}
    assert told == {"PostgreSQL", "Kafka", "Redis"} - {away}
    assert f"{away}: " in result.stderr


@pytest.mark.parametrize("recording", ["workload_shop", "types_scalars", "text_and_names", "collections_nonfrozen", "statics"])
def test_migrate_makes_what_plan_says(postgres_dsn: str, recording: str) -> None:
    environ = {
        "CDC_KAFKA__BOOTSTRAP_SERVERS": NOWHERE,
        "CDC_POSTGRES__DSN": postgres_dsn,
        "CDC_POSTGRES__CREATE_TABLES": "false",  # is for flows: the command is asked to
        "CDC_SCHEMA__FILE": str(SAMPLES / f"{recording}.cql"),
    }
    planned = planned_columns(run("plan", environ).stdout)
    assert planned
    for _ in range(2):
        result = run("migrate", environ)
        assert result.exit_code == 0, result.output
        made = [line.removesuffix(" (version 1)").partition(" -> ") for line in result.stdout.splitlines() if " -> " in line]
        assert {old: new for old, _, new in made} == {old: new for old, (new, _) in planned.items()}
    with psycopg.connect(postgres_dsn) as connection:
        for relation, columns in planned.values():
            found = connection.execute(TYPES, relation.split(".")).fetchall()
            assert sorted(row[0] for row in found) == sorted(columns)


def planned_columns(output: str) -> dict[str, tuple[str, list[str]]]:
    """Return what a plan says of each table: its relation, and name and type of each column."""
    tables: dict[str, tuple[str, list[str]]] = {}
    for line in output.splitlines():
        before, _, after = line.rpartition(" -> ")
        if line.startswith("  ! "):
            continue
        if not line.startswith("  "):
            columns: list[str] = []
            tables[before] = (after, columns)
        elif " left out" not in after:
            columns.append(after.partition(" (")[0])
    return tables


def test_migrate_says_what_stands_in_its_way(postgres_dsn: str, tmp_path: Path) -> None:
    schema = tmp_path / "schema.cql"
    schema.write_text("CREATE TABLE shop.t (a int PRIMARY KEY);")
    with psycopg.connect(postgres_dsn, autocommit=True) as connection:
        connection.execute("CREATE SCHEMA shop")
        connection.execute("CREATE TABLE shop.t (a int)")
    environ = {
        "CDC_KAFKA__BOOTSTRAP_SERVERS": NOWHERE,
        "CDC_POSTGRES__DSN": postgres_dsn,
        "CDC_SCHEMA__FILE": str(schema),
    }
    result = run("migrate", environ)
    assert result.exit_code == 2
    assert 'Error: PostgreSQL refused DDL: relation "t" already exists' in result.stderr
