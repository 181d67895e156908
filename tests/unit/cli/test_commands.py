"""The console script: what it prints and what it exits with."""

from __future__ import annotations

import logging
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import structlog
from click.testing import CliRunner, Result

from dataflows.__main__ import EMBEDDED, NAMES, commands, main

CQL = """
CREATE TYPE shop.addr (street text);
CREATE TABLE shop.t (
    "xmin" text, at time, s int static, d duration, tags set<text>, home frozen<addr>, v vector<float, 2>,
    PRIMARY KEY ("xmin", at)) WITH default_time_to_live = 60 AND cdc = false;
CREATE TABLE shop.hits (a int PRIMARY KEY, n counter);
CREATE TABLE audit.log (a int PRIMARY KEY, b 'com.example.Odd');
"""


@pytest.fixture(autouse=True)
def _put_logging_back() -> Iterator[None]:
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield
    root.handlers[:] = handlers
    root.setLevel(level)
    structlog.reset_defaults()


@pytest.fixture
def environ(tmp_path: Path) -> dict[str, str]:
    """Settings with servers that do not answer."""
    (tmp_path / "schema.cql").write_text(CQL)
    return {
        "CDC_KAFKA__BOOTSTRAP_SERVERS": "127.0.0.1:1",
        "CDC_POSTGRES__DSN": "postgresql://u:open-sesame@127.0.0.1:1/d",
        "CDC_REDIS__URL": "redis://:open-sesame@127.0.0.1:1",
        "CDC_SCHEMA__FILE": str(tmp_path / "schema.cql"),
    }


def run(arguments: list[str], environ: dict[str, str]) -> Result:
    return CliRunner().invoke(main, arguments, env=environ)


@pytest.mark.parametrize("command", commands())
def test_every_command_tells_what_it_does(command: str) -> None:
    result = run([command, "--help"], {})
    assert result.exit_code == 0
    assert result.output.startswith(f"Usage: main {command}")


def test_help_lists_the_commands_that_are_there_and_no_others() -> None:
    result = run(["--help"], {})
    listed = result.output.partition("Commands:\n")[2].splitlines()
    assert [line.split()[0] for line in listed if line.strip()] == commands()


def test_without_the_embedded_servers_the_other_commands_are_offered(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "psutil", None)
    listed = run(["--help"], {}).output.partition("Commands:\n")[2]
    assert [line.split()[0] for line in listed.splitlines() if line.strip()] == sorted(set(NAMES) - EMBEDDED)
    assert run(["demo"], {}).exit_code == 2


@pytest.mark.parametrize("command", ["check", "migrate", "plan", "run", "schema"])
def test_bad_settings_exit_2_and_name_all_problems(command: str) -> None:
    result = run([command], {"CDC_HTTP__PORT": "x"})
    assert result.exit_code == 2
    for name in ("kafka.bootstrap_servers", "postgres.dsn", "schema.file", "http.port"):
        assert f"{name}: " in result.stderr


def test_check_shows_the_settings_and_asks_every_server(environ: dict[str, str]) -> None:
    result = run(["check"], environ | {"CDC_ELSEWHERE": "1"})
    assert result.exit_code == 1
    assert "postgres.dsn = postgresql://u:********@127.0.0.1:1/d" in result.stdout
    assert "tables: audit.log, shop.t" in result.stdout
    assert "note: CDC_ELSEWHERE is no setting of ours" in result.stderr
    for server in ("PostgreSQL: ", "Kafka: ", "Redis: "):
        assert server in result.stderr
    assert "open-sesame" not in result.output


def test_check_and_schema_say_who_said_the_schema(environ: dict[str, str]) -> None:
    file = environ["CDC_SCHEMA__FILE"]
    assert f"schema: from the file {file}\n" in run(["check"], environ).stdout
    assert run(["schema"], environ).stdout.startswith(f"-- from the file {file}\n")
    away = environ | {"CDC_CASSANDRA__CONTACT_POINTS": "127.0.0.1:1"}
    checked = run(["check"], away)
    assert f"schema: from the file {file}, as Cassandra does not answer\n" in checked.stdout
    assert "Cassandra: Cassandra did not answer: NoHostAvailable" in checked.stderr
    assert run(["schema"], away).stdout.startswith(f"-- from the file {file}, as Cassandra does not answer\n")


def test_without_file_and_cluster_there_is_no_schema_to_show(environ: dict[str, str]) -> None:
    alone = environ | {"CDC_SCHEMA__FILE": "", "CDC_CASSANDRA__CONTACT_POINTS": "127.0.0.1:1"}
    checked = run(["check"], alone)
    assert checked.exit_code == 1
    assert "schema: Cassandra did not answer: NoHostAvailable" in checked.stderr
    printed = run(["schema"], alone)
    assert (printed.exit_code, printed.stdout) == (1, "")
    assert "Error: Cassandra did not answer" in printed.stderr


def test_migrate_without_its_server_says_so(environ: dict[str, str]) -> None:
    result = run(["migrate"], environ)
    assert result.exit_code == 1
    assert "Error: PostgreSQL does not answer as it should: connection" in result.stderr
    assert "Traceback" not in result.output
    assert "open-sesame" not in result.output


def test_schema_prints_what_is_mirrored(environ: dict[str, str]) -> None:
    result = run(["schema"], environ | {"CDC_TABLES": "shop.*"})
    assert result.exit_code == 0
    assert "CREATE TYPE shop.addr" in result.stdout
    assert "CREATE TABLE shop.t" in result.stdout
    assert "audit" not in result.stdout
    assert "shop.hits" not in result.stdout
    assert "CREATE TABLE shop.hits" in run(["schema", "--all"], environ).stdout


def test_plan_names_what_each_table_becomes_and_what_cannot_be_exact(environ: dict[str, str]) -> None:
    result = run(["plan"], environ | {"CDC_TABLES": "shop.*"})
    assert result.exit_code == 0
    lines = [line.strip() for line in result.stdout.splitlines()]
    assert "shop.t -> shop.t" in lines
    assert "at time -> at time without time zone (clustering)" in lines
    assert "audit.log -> not named by CDC_TABLES" in lines
    wanted = [
        "! cdc is off in Cassandra: there are no events",
        "! xmin is named ",
        "! key xmin: text: U+0000 cannot be stored",
        "! key at: time: nanoseconds cannot be stored",
        "! d: duration: months arrive as 30 days",
        "! v: vector: the connector does not write it",
        "! tags: not frozen",
        "! s: static",
        "! default_time_to_live",
        "! counters have no events",
    ]
    assert [want for want in wanted if not any(line.startswith(want) for line in lines)] == []


def test_plan_names_types_that_cannot_be_mirrored(environ: dict[str, str]) -> None:
    result = run(["plan"], environ)
    assert "! b: the type 'com.example.Odd' cannot be mirrored" in result.stdout
