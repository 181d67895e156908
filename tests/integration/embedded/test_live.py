"""The embedded Cassandra with the Debezium connector: what is written with CQL arrives in Kafka, whoever crashes."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from cdc.errors import ServiceFailed
from runtime.embedded.connector import ConnectorServer
from runtime.embedded.server import Server
from runtime.embedded.stack import EmbeddedServices
from tests.fixtures.live import LiveStack
from tests.fixtures.servers import reachable_directory
from tests.integration.embedded.processes import eventually, family, is_gone, start_python, supervisor_of

pytestmark = [pytest.mark.real, pytest.mark.timeout(900)]


@pytest.fixture
def table(live_stack: LiveStack, keyspace: str) -> str:
    live_stack.define(keyspace, f"CREATE TABLE {keyspace}.t (id int PRIMARY KEY, v text) WITH cdc = true")
    return f"{keyspace}.t"


def write(live_stack: LiveStack, table: str, ids: range) -> None:
    for number in ids:
        live_stack.session.execute(f"INSERT INTO {table} (id, v) VALUES (%s, 'x')", [number])


def held(live_stack: LiveStack, table: str) -> set[int]:
    return {row.id for row in live_stack.session.execute(f"SELECT id FROM {table}")}


def arrived(live_stack: LiveStack, table: str) -> set[object]:
    """Return the ids whose events are in Kafka when all that Cassandra holds should be there."""
    live_stack.settle()
    keyspace, _, name = table.partition(".")
    wanted = held(live_stack, table)
    return {key["id"] for key in live_stack.wait_for_keys(keyspace, name, lambda keys: wanted <= {key["id"] for key in keys})}


def test_a_written_row_arrives(live_stack: LiveStack, table: str) -> None:
    write(live_stack, table, range(3))
    assert arrived(live_stack, table) == {0, 1, 2}


def test_the_largest_rows_arrive(live_stack: LiveStack, table: str) -> None:
    for number in range(30):  # each six times as long in JSON
        live_stack.session.execute(f"INSERT INTO {table} (id, v) VALUES (%s, %s)", [number, "\x01" * 500_000])
    assert arrived(live_stack, table) == set(range(30))
    assert (live_stack.connector.lost_records, live_stack.connector.running()) == (0, True)


def test_a_table_of_any_name_is_known_and_followed_through_its_changes(live_stack: LiveStack, keyspace: str) -> None:
    table = f'{keyspace}."Odd"'
    live_stack.define(keyspace, f'CREATE TABLE {table} (id int, "C k" text, PRIMARY KEY (id, "C k")) WITH cdc = true')
    live_stack.define(keyspace, f'ALTER TABLE {table} ADD "a""b" text')
    assert live_stack.connector.knows(keyspace, "Odd", ["id", "C k", 'a"b'])
    assert not live_stack.connector.knows(keyspace, "Odd", ["v"])
    live_stack.session.execute(f"DROP TABLE {table}")
    assert eventually(lambda: not live_stack.connector.knows(keyspace, "Odd"))


def test_a_table_with_a_user_defined_type_is_known_after_the_next_start(live_stack: LiveStack, keyspace: str) -> None:
    statements = (
        "CREATE TYPE {}.place (street text)",
        "CREATE TABLE {}.u (id int PRIMARY KEY, p frozen<place>) WITH cdc = true",
    )
    for statement in statements:
        live_stack.session.execute(statement.format(keyspace))
    with pytest.raises(ServiceFailed, match=r"cannot take note of .*\.u"):
        live_stack.connector.wait_for_table(keyspace, "u")
    live_stack.define(keyspace)
    live_stack.session.execute(f"INSERT INTO {keyspace}.u (id, p) VALUES (1, {{street: 'a'}})")
    assert arrived(live_stack, f"{keyspace}.u") == {1}


def test_what_is_written_while_the_connector_is_away_arrives_once_it_is_back(live_stack: LiveStack, table: str) -> None:
    write(live_stack, table, range(10))
    live_stack.connector.stop()
    write(live_stack, table, range(10, 20))
    live_stack.connector.start()
    assert arrived(live_stack, table) == set(range(20))


@pytest.mark.parametrize("name", ["connector", "kafka", "cassandra"])
def test_nothing_is_lost_when_one_is_killed(live_stack: LiveStack, table: str, name: str) -> None:
    server: Server = getattr(live_stack, name)
    before = server.address
    write(live_stack, table, range(50))
    server.kill()
    if name != "cassandra":
        write(live_stack, table, range(50, 60))
    server.start()
    assert server.address == before
    live_stack.reconnect()
    write(live_stack, table, range(60, 70))
    assert arrived(live_stack, table) == held(live_stack, table) >= set(range(60, 70))
    assert live_stack.connector.running()


def test_a_stopped_cassandra_comes_back_with_its_rows_and_its_connector_goes_on(live_stack: LiveStack, table: str) -> None:
    write(live_stack, table, range(5))
    live_stack.cassandra.stop()
    live_stack.cassandra.start()
    live_stack.reconnect()
    assert held(live_stack, table) == set(range(5))
    write(live_stack, table, range(5, 10))
    assert arrived(live_stack, table) == set(range(10))


def test_a_statement_that_the_connector_cannot_read_is_counted(live_stack: LiveStack, keyspace: str) -> None:
    live_stack.define(keyspace, f"CREATE TABLE {keyspace}.s (id int PRIMARY KEY, v tuple<int, text, int>) WITH cdc = true")
    before = live_stack.connector.lost_segments
    live_stack.session.execute(f"INSERT INTO {keyspace}.s (id, v) VALUES (1, (1, ''))")
    assert eventually(lambda: live_stack.connector.lost_segments == before + 1)


def test_the_connector_alone_says_what_it_needs(live_stack: LiveStack, directory: Path) -> None:
    stack = EmbeddedServices(directory, ["connector"])
    connector = ConnectorServer(directory / "connector", stack.cassandra, live_stack.kafka)
    with pytest.raises(ServiceFailed, match="the connector needs Cassandra, which does not run"):
        connector.start()


PROGRAM = """
import sys, time
from pathlib import Path
from runtime.embedded.stack import EmbeddedServices
stack = EmbeddedServices(Path(sys.argv[1]), ["connector"], durable=False)
stack.start()
with stack.cassandra.session() as session:
    session.execute("CREATE KEYSPACE k WITH replication = {'class': 'SimpleStrategy', 'replication_factor': 1}")
    session.execute("CREATE TABLE k.t (id int PRIMARY KEY) WITH cdc = true")
    stack.connector.wait_for_table("k", "t")
    session.execute("INSERT INTO k.t (id) VALUES (1)")
print(*(server.pid for server in stack.servers), flush=True)
time.sleep(600)
"""


@pytest.fixture
def directory() -> Iterator[Path]:
    with reachable_directory() as made:
        yield made / "né. w"


def test_nothing_outlives_a_killed_program_and_the_next_one_takes_over_its_state(directory: Path) -> None:
    program = start_python(PROGRAM, str(directory))
    assert program.stdout is not None
    with program.stdout as output:
        pids = [int(pid) for pid in output.readline().split()]
    others = [member for pid in pids for member in (supervisor_of(pid), *family(pid))]
    os.kill(program.pid, signal.SIGKILL)
    program.wait()
    assert len(others) >= 6
    assert [pid for pid in others if not eventually(lambda pid=pid: is_gone(pid))] == []  # type: ignore[misc]
    with EmbeddedServices(directory, ["connector"], durable=False) as stack, stack.cassandra.session() as session:
        live = LiveStack(stack, session, "cassandra")
        assert held(live, "k.t") == {1}
        live.define("k")
        session.execute("INSERT INTO k.t (id) VALUES (2)")
        live.wait_for_keys("k", "t", lambda keys: {"id": 1} in keys and {"id": 2} in keys)
