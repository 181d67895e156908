"""How a flow ends tells what it ended of: 2 for settings and schema, 1 for anything else but a drained end."""

from __future__ import annotations

import signal
import socket
from pathlib import Path

import psycopg
import pytest

from tests.fixtures.events import as_json, envelope, table_of, written
from tests.integration.flow.flow_process import PATIENCE_SECONDS, flow_process
from tests.integration.flow.mirrored import Mirrored
from tests.integration.flow.source_flow import Topics

KEPT = "CREATE TABLE notes.kept (k text PRIMARY KEY, v int);"
HALTED = "CREATE TABLE notes.halted (k text PRIMARY KEY, v int);"
COMMANDS = pytest.mark.parametrize("command", ["run", "bytewax"])


@pytest.fixture
def notes(kafka_bootstrap: str, topic_prefix: str, postgres_dsn: str, tmp_path: Path) -> Mirrored:
    """Two tables with an event each."""
    topics = Topics(kafka_bootstrap, topic_prefix)
    topics.create_all(["notes.kept", "notes.halted"])
    mirrored = Mirrored(f"{KEPT}{HALTED}", topics, postgres_dsn, tmp_path)
    write_rows(mirrored, "one")
    return mirrored


def write_rows(mirrored: Mirrored, key: str) -> None:
    for ddl in (KEPT, HALTED):
        table = table_of(ddl)
        mirrored.topics.write(table.full_name, [as_json(envelope(table, "i", {"k": written(key), "v": written(1)}))])


@COMMANDS
def test_bad_settings_are_all_named_at_once(tmp_path: Path, command: str) -> None:
    bad = {"CDC_SHARD__COUNT": "0", "CDC_POSTGRES__MAX_BATCH_ROWS": "many", "CDC_NOBODY__KNOWS": "1"}
    with flow_process(bad, tmp_path, command) as flow:
        assert flow.wait() == 2
    said = flow.log.read_text()
    names = ("kafka.bootstrap_servers", "postgres.dsn", "shard.count", "postgres.max_batch_rows")
    assert [name for name in names if name not in said] == []
    assert "Traceback" not in said


@COMMANDS
def test_a_schema_that_cannot_be_read_is_refused_before_anything_starts(notes: Mirrored, tmp_path: Path, command: str) -> None:
    broken = tmp_path / "broken.cql"
    broken.write_text("CREATE TABLE notes.kept (k text, PRIMARY KEY (nobody));")
    with notes.running(command, SCHEMA__FILE=str(broken)) as flow:
        assert flow.wait() == 2, flow.log.read_text()
    assert "Traceback" not in flow.log.read_text()


@COMMANDS
def test_a_table_that_may_not_be_made_is_a_schema_problem(notes: Mirrored, command: str) -> None:
    with notes.running(command, POSTGRES__CREATE_TABLES="false") as flow:
        assert flow.wait() == 2, flow.log.read_text()
    assert "table notes.kept is not in PostgreSQL" in flow.log.read_text()
    assert "Traceback" not in flow.log.read_text()


@COMMANDS
def test_caught_up_but_for_a_halted_table_is_no_success(notes: Mirrored, command: str) -> None:
    notes.run_here()
    with psycopg.connect(notes.dsn) as connection:
        connection.execute("ALTER TABLE notes.halted RENAME COLUMN v TO w")
    write_rows(notes, "two")
    with notes.running(command) as flow:
        assert flow.wait() == 1, flow.log.read_text()
        assert "halted tables: notes.halted" in flow.log.read_text()
        with psycopg.connect(notes.dsn) as connection:
            assert rows(connection, "kept") == ["one", "two"]
            assert rows(connection, "halted") == ["one"]
            connection.execute("ALTER TABLE notes.halted RENAME COLUMN w TO v")
        flow.start()
        assert flow.wait() == 0, flow.log.read_text()
    with psycopg.connect(notes.dsn) as connection:
        assert rows(connection, "halted") == ["one", "two"]


@COMMANDS
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_stop_while_cassandra_is_waited_for_ends_at_once(tmp_path: Path, command: str, number: signal.Signals) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        address = f"127.0.0.1:{silent.getsockname()[1]}"
        nobody = {"CDC_CASSANDRA__CONTACT_POINTS": address, "CDC_CASSANDRA__TIMEOUT_SECONDS": "100"}
        nobody |= {"CDC_KAFKA__BOOTSTRAP_SERVERS": address, "CDC_POSTGRES__DSN": f"postgresql://{address}"}
        with flow_process(nobody, tmp_path, command) as flow:
            silent.settimeout(PATIENCE_SECONDS)
            client, _ = silent.accept()  # it waits for an answer that does not come
            flow.ask_to_stop(number)
            assert flow.wait() == 0, flow.log.read_text()
    assert flow.log.read_text() == f"{number.name}: ended before anything was read, nothing to drain\n"
    client.close()


def rows(connection: psycopg.Connection, table: str) -> list[str]:
    return [key for (key,) in connection.execute(f"SELECT k FROM notes.{table} ORDER BY k".encode())]
