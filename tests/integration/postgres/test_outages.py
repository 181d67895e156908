"""A server that fails is waited for, behind a breaker; nothing of it becomes a dead letter."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator

import psycopg
import pybreaker
import pytest

from cdc.errors import PostgresUnavailable
from runtime.embedded.postgres import PostgresServer
from sinks.postgres import offsets, session, tombstones
from sinks.postgres.connection import lock_table
from tests.fixtures.servers import reachable_directory
from tests.integration.postgres.sink_tables import SinkTables, bound, change, keys, position, range_deletion

Make = Callable[[str], SinkTables]
DDL = "CREATE TABLE away.t (k int PRIMARY KEY, a text, b text);"


@pytest.fixture(scope="module")
def own_server() -> Iterator[PostgresServer]:
    """A server that a test may stop."""
    with reachable_directory() as directory:
        server = PostgresServer(directory / "postgres", durable=False)
        server.start()
        try:
            yield server
        finally:
            server.stop("immediate")


@pytest.mark.parametrize("end", ["stop", "kill"])
def test_a_server_that_went_away_is_waited_for(own_server: PostgresServer, end: str) -> None:
    dsn = own_server.create_database(f"away_{end}")
    tables = SinkTables(dsn, DDL)
    layout, writer = tables.layout("t"), tables.writer(breaker_failures=1_000)
    writer.apply([change(layout, ("1",), 1, {"a": "x"})], [position("t", 1)])
    tables.close()
    getattr(own_server, end)()
    writing = threading.Thread(target=writer.apply, args=([change(layout, ("2",), 1, {"a": "x"})], [position("t", 2)]))
    writing.start()
    wait_until(lambda: writer.breaker.fail_counter > 0)
    own_server.start()
    writing.join()
    after = SinkTables(dsn, DDL)
    after.group = tables.group
    assert (keys(after.rows("t")), after.offset("t"), tables.letters) == ({"1", "2"}, 2, [])
    writer.close()
    after.close()


def test_the_breaker_opens_after_five_failures_and_lets_one_trial_through(own_server: PostgresServer) -> None:
    tables = SinkTables(own_server.create_database("breaker"), DDL)
    gives_up = threading.Event()
    writer = tables.writer(breaker_failures=5, breaker_open=0.3, gives_up=gives_up)
    layout = tables.layout("t")
    writer.apply([change(layout, ("1",), 1, {"a": "x"})])
    tables.close()
    states: list[str] = []
    writer.breaker.add_listener(Noted(states))
    own_server.stop()
    writing = threading.Thread(target=writer.apply, args=([change(layout, ("2",), 1, {"a": "x"})],))
    writing.start()
    wait_until(lambda: len(states) >= 3)
    own_server.start()
    writing.join()
    assert states[:3] == ["open", "half-open", "open"]
    assert states[-2:] == ["half-open", "closed"]
    writer.close()


def test_a_process_that_ends_gives_up(own_server: PostgresServer) -> None:
    tables = SinkTables(own_server.create_database("ends"), DDL)
    gives_up = threading.Event()
    writer = tables.writer(retry_initial=60, retry_max=600, gives_up=gives_up)
    layout = tables.layout("t")
    writer.apply([change(layout, ("1",), 1, {"a": "x"})])
    tables.close()
    own_server.stop()
    raised: list[BaseException] = []

    def write() -> None:
        try:
            writer.apply([change(layout, ("2",), 1, {"a": "x"})], [position("t", 2)])
        except PostgresUnavailable as error:
            raised.append(error)

    writing = threading.Thread(target=write)
    writing.start()
    wait_until(lambda: writer.breaker.fail_counter > 0)
    gives_up.set()
    writing.join()
    own_server.start()
    assert [type(error) for error in raised] == [PostgresUnavailable]
    assert (writer.committed(), tables.letters) == ([], [])


CUTS = ["merge_groups", "advance", "store", "apply_step"]


@pytest.mark.parametrize("where", CUTS)
def test_a_connection_cut_in_the_middle_of_a_batch_loses_nothing(
    sink_tables: Make, monkeypatch: pytest.MonkeyPatch, where: str
) -> None:
    tables = sink_tables(f"CREATE TABLE cut_{where}.t (p int, c int, a text, PRIMARY KEY (p, c));")
    layout, writer = tables.layout("t"), tables.writer()
    writer.apply([change(layout, ("1", c), 1, {"a": "old"}) for c in "12"], [position("t", 2)])
    home = {"merge_groups": session, "advance": offsets}.get(where, tombstones)
    real, cuts = getattr(home, where), [1]

    def cut(*arguments: object, **options: object) -> object:
        done = real(*arguments, **options)
        if cuts:
            cuts.pop()
            tables.run("SELECT pg_terminate_backend(%s)", writer._open().connection.info.backend_pid)
        return done

    monkeypatch.setattr(home, where, cut)
    deletion = range_deletion(layout, ("1",), 5, bound(layout, "2"))
    writer.apply([deletion, change(layout, ("1", "3"), 6, {"a": "new"})], [position("t", 4)])
    assert (cuts, keys(tables.rows("t")), tables.offset("t"), tables.letters) == ([], {"1", "3"}, 4, [])


def test_a_deadlock_is_run_again_at_once(sink_tables: Make) -> None:
    tables = sink_tables("CREATE TABLE deadlock.t (k int PRIMARY KEY, a text, b text);")
    layout, writer = tables.layout("t"), tables.writer()
    writer.apply([change(layout, (key,), 1, {"a": "x"}) for key in "12"])
    with psycopg.connect(tables.dsn) as other:
        other.execute("SET deadlock_timeout = '1min'")
        other.execute("SELECT FROM deadlock.t WHERE k = 2 FOR UPDATE")
        writing = threading.Thread(target=writer.apply, args=([change(layout, (key,), 2, {"b": "y"}) for key in "12"],))
        writing.start()
        wait_until(lambda: bool(tables.query("SELECT 1 FROM pg_locks WHERE NOT granted AND locktype = 'transactionid'")))
        other.execute("UPDATE deadlock.t SET a = a WHERE k = 1")
        other.commit()
    writing.join()
    assert tables.rows("t") == {(key,): ("x", "y") for key in "12"}
    assert (tables.letters, writer.breaker.fail_counter) == ([], 0)


def test_two_writers_on_the_same_keys_in_opposite_forms_end_with_everything(sink_tables: Make) -> None:
    tables = sink_tables("CREATE TABLE opposite.t (k int PRIMARY KEY, a text, b text);")
    layout = tables.layout("t")
    writers = [tables.writer(), tables.writer()]
    names = ("a", "b")

    def write(side: int) -> None:
        for turn in range(10):
            first, second = names[side], names[1 - side]
            rows = [str(turn * 40 + i) for i in range(40)]
            changes = [change(layout, (k,), 1, {first if int(k) % 2 else second: "x"}, marker=False) for k in rows]
            writers[side].apply(changes)

    threads = [threading.Thread(target=write, args=(side,)) for side in (0, 1)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert tables.rows("t") == {(str(k),): ("x", "x") for k in range(400)}
    assert tables.letters == []


def test_a_full_disk_or_a_cancelled_statement_is_the_servers_fault(sink_tables: Make) -> None:
    tables = sink_tables("CREATE TABLE fault.t (k int PRIMARY KEY, v text);")
    layout, writer = tables.layout("t"), tables.writer()
    writer.apply([change(layout, ("1",), 1, {"v": "x"})])
    writer._open().connection.execute("SET statement_timeout = '300ms'")
    with psycopg.connect(tables.dsn) as other:
        lock_table(other.cursor(), layout.table_id, shared=False)
        writing = threading.Thread(target=writer.apply, args=([change(layout, ("2",), 1, {"v": "x"})],))
        writing.start()
        wait_until(lambda: writer.breaker.fail_counter > 0)
    writing.join()
    assert (keys(tables.rows("t")), tables.letters, writer.halted) == ({"1", "2"}, [], {})


def test_a_session_is_read_committed_whatever_the_role_says(sink_tables: Make) -> None:
    tables = sink_tables("CREATE TABLE isolation.t (k int PRIMARY KEY);")
    options = "-c default_transaction_isolation=serializable -c array_nulls=off"
    writer = tables.writer()
    object.__setattr__(writer._options, "dsn", psycopg.conninfo.make_conninfo(tables.dsn, options=options))
    connection = writer._open().connection
    settings = [connection.execute(f"SHOW {name}".encode()).fetchone() for name in ("transaction_isolation", "array_nulls")]
    assert settings == [("read committed",), ("on",)]


class Noted(pybreaker.CircuitBreakerListener):
    """Notes the states that a breaker changes to."""

    def __init__(self, states: list[str]) -> None:
        self._states = states

    def state_change(self, cb: object, old_state: object, new_state: pybreaker.CircuitBreakerState) -> None:
        self._states.append(str(new_state.name))


def wait_until(condition: Callable[[], bool]) -> None:
    """Return once a condition holds; the test's timeout ends a wait in vain."""
    pause = threading.Event()
    while not condition():
        pause.wait(0.01)
