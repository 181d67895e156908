"""The embedded PostgreSQL."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from cdc.errors import ServiceFailed
from runtime.embedded.accounts import Account, make_reachable, server_account
from runtime.embedded.postgres import PostgresServer
from runtime.embedded.postgres_programs import copy_package, find_programs, run_as
from tests.fixtures.servers import reachable_directory


@pytest.fixture(scope="module")
def own_server() -> Iterator[PostgresServer]:
    """A server that the tests of this module may stop and kill."""
    with reachable_directory() as directory:
        server = PostgresServer(directory / "postgres", durable=False)
        try:
            yield server
        finally:
            server.kill()


@pytest.fixture
def server(own_server: PostgresServer) -> PostgresServer:
    """The module's server, started and empty."""
    own_server.start()
    with psycopg.connect(own_server.dsn) as connection:
        connection.execute("DROP TABLE IF EXISTS t")
    return own_server


def insert(dsn: str, number: int) -> None:
    with psycopg.connect(dsn) as connection:
        connection.execute("CREATE TABLE IF NOT EXISTS t (a int)")
        connection.execute("INSERT INTO t VALUES (%s)", (number,))


def select(dsn: str) -> list[int]:
    with psycopg.connect(dsn) as connection:
        return [int(row[0]) for row in connection.execute("SELECT a FROM t ORDER BY a")]


def test_a_fresh_database_is_empty_and_takes_rows(postgres_dsn: str) -> None:
    insert(postgres_dsn, 1)
    assert select(postgres_dsn) == [1]


def test_the_server_is_postgresql_18_with_utf8_and_c_collation(postgres_dsn: str) -> None:
    query = """
        SELECT current_setting('server_version_num')::int / 10000, current_setting('server_encoding'), datcollate
        FROM pg_database WHERE datname = current_database()
    """
    with psycopg.connect(postgres_dsn) as connection:
        assert connection.execute(query).fetchone() == (18, "UTF8", "C")


def test_the_default_is_durable(server: PostgresServer) -> None:
    durable = PostgresServer(server.state_dir.with_name("durable"))
    durable.start()
    try:
        with psycopg.connect(durable.dsn) as connection:
            got = [
                connection.execute(f"SHOW {name}").fetchone() for name in ("fsync", "full_page_writes", "synchronous_commit")
            ]
    finally:
        durable.stop()
    assert got == [("on",), ("on",), ("on",)]


def test_a_wrong_password_is_refused(server: PostgresServer) -> None:
    wrong = psycopg.conninfo.make_conninfo(server.dsn, password="wrong")
    with pytest.raises(psycopg.OperationalError, match="password authentication failed"):
        psycopg.connect(wrong)


def test_the_password_file_is_for_its_owner_only(server: PostgresServer) -> None:
    assert server.password_file.stat().st_mode & 0o777 == 0o600
    assert len(server.password_file.read_text()) >= 32


def test_the_password_is_not_on_the_command_line(server: PostgresServer) -> None:
    secret = server.password_file.read_text()
    command = run_as(None, ["ps", "-p", str(server.pid), "-o", "args="], server.state_dir).stdout
    assert secret not in command


@pytest.mark.parametrize("mode", ["smart", "fast", "immediate"])
def test_a_stop_and_a_start_keep_the_rows_and_the_address(server: PostgresServer, mode: str) -> None:
    insert(server.dsn, 1)
    before = server.dsn
    server.stop(mode)
    assert server.pid is None
    server.start()
    assert server.dsn == before
    assert select(server.dsn) == [1]


def test_a_killed_server_recovers_with_its_rows(server: PostgresServer) -> None:
    insert(server.dsn, 1)
    server.kill()
    server.start()
    assert select(server.dsn) == [1]


def test_a_lock_file_whose_process_id_is_now_another_program_is_no_obstacle(server: PostgresServer) -> None:
    insert(server.dsn, 1)
    server.kill()
    lock = server.data_dir / "postmaster.pid"
    lines = lock.read_text().splitlines()
    lock.write_text("\n".join([str(os.getppid()), *lines[1:]]) + "\n")
    server.start()
    assert select(server.dsn) == [1]


def test_a_cluster_that_was_never_finished_is_made_anew(server: PostgresServer) -> None:
    server.stop()
    server.data_dir.rename(server.data_dir.with_name("data.partial"))
    server.start()
    assert server.running()


def test_a_backup_is_put_back_and_an_empty_cluster_too(server: PostgresServer, tmp_path: Path) -> None:
    insert(server.dsn, 1)
    server.stop()
    backup = tmp_path / "backup"
    server.copy_data(backup)
    server.start()
    insert(server.dsn, 2)
    server.stop()
    server.replace_data(backup)
    server.start()
    assert select(server.dsn) == [1]
    server.stop()
    server.replace_data(None)
    server.start()
    with pytest.raises(psycopg.errors.UndefinedTable):
        select(server.dsn)


def test_files_of_a_running_server_are_not_copied(server: PostgresServer) -> None:
    with pytest.raises(ServiceFailed, match="cannot be copied"):
        server.copy_data(server.state_dir / "backup")


def test_databases_are_created_and_dropped(server: PostgresServer) -> None:
    dsn = server.create_database('odd "name"')
    insert(dsn, 1)
    server.drop_database('odd "name"')
    with pytest.raises(psycopg.OperationalError, match="does not exist"):
        psycopg.connect(dsn)


def test_a_second_program_on_the_same_state_is_told_who_has_it(server: PostgresServer) -> None:
    with pytest.raises(ServiceFailed, match=f"in use by process {os.getpid()}"):
        PostgresServer(server.state_dir).start()
    assert server.running()


def test_a_taken_port_is_named(server: PostgresServer) -> None:
    second = PostgresServer(server.state_dir.with_name("second"), port=server.port, durable=False)
    with pytest.raises(ServiceFailed, match=f"port {server.port} on 127.0.0.1, wanted for postgres, is taken"):
        second.start()


def test_a_remembered_port_that_is_taken_now_is_given_up(server: PostgresServer) -> None:
    second = PostgresServer(server.state_dir.with_name("third"), durable=False)
    second.state_dir.mkdir(mode=0o711)
    (second.state_dir / "port").write_text(str(server.port))
    second.start()
    try:
        assert second.port != server.port
        insert(second.dsn, 1)
    finally:
        second.kill()


def test_a_server_that_cannot_start_says_so_with_its_last_words(server: PostgresServer) -> None:
    server.stop()
    control = server.data_dir / "global" / "pg_control"
    control.rename(control.with_name("hidden"))
    with pytest.raises(ServiceFailed, match=r"postgres ended while starting; its last words:\n(.*\n)*.*pg_control"):
        server.start()
    assert server.pid is None
    control.with_name("hidden").rename(control)


def test_a_copy_of_the_programs_works_where_the_wheel_cannot_be_reached() -> None:
    with reachable_directory() as directory:
        package = copy_package(find_programs().parents[1], directory / "home")
        assert copy_package(find_programs().parents[1], directory / "home") == package
        done = run_as(server_account(), [str(package / "pginstall18" / "bin" / "psql"), "--version"], package)
        assert done.stdout.startswith("psql (PostgreSQL) 18.")


def test_a_state_directory_closed_to_the_account_gets_a_substitute_that_goes_with_it() -> None:
    other = Account("other", os.getuid() + 1, os.getgid() + 1)
    with reachable_directory() as directory:
        closed, home = directory / "closed", directory / "home"
        closed.mkdir(mode=0o700)
        first = make_reachable(closed / "state", other, shared_home=home)
        assert first.parent == home
        assert make_reachable(closed / "state", other, shared_home=home) == first
        (closed / "state").rmdir()
        assert make_reachable(closed / "another", other, shared_home=home) != first
        assert not first.exists()


def test_an_open_state_directory_is_used_as_it_is() -> None:
    other = Account("other", os.getuid() + 1, os.getgid() + 1)
    with reachable_directory() as directory:
        wanted: Path = directory / "state"
        assert make_reachable(wanted, other, shared_home=directory / "home") == wanted
