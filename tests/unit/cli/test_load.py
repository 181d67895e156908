"""`cassmirror load`: what it is told, and what it says. The cluster is a list that keeps what is written."""

from __future__ import annotations

from collections.abc import Sequence
from types import TracebackType

import pytest
from click.testing import CliRunner, Result

from dataflows import load as module
from dataflows.__main__ import main
from runtime.settings import CassandraSettings


class Cluster:
    """Takes the place of `StatementWriter`."""

    def __init__(self, tables: Sequence[str] = ()) -> None:
        self.tables = tables
        self.addresses: list[str] = []
        self.executed: list[str] = []
        self.written: list[str] = []

    def __call__(self, settings: CassandraSettings) -> Cluster:
        self.addresses += settings.contact_points
        return self

    def __enter__(self) -> Cluster:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        pass

    def execute(self, cql: str, _parameters: Sequence[object] | None = None) -> list[dict[str, str]]:
        self.executed.append(cql)
        return [{"table_name": name} for name in self.tables] if cql.startswith("SELECT") else []

    def write(self, cql: str, _parameters: Sequence[object]) -> None:
        self.written.append(cql)

    def drain(self) -> None:
        self.executed.append("drained")


@pytest.fixture
def cluster(monkeypatch: pytest.MonkeyPatch) -> Cluster:
    made = Cluster()
    monkeypatch.setattr(module, "StatementWriter", made)
    return made


def run(*arguments: str, **environ: str) -> Result:
    return CliRunner().invoke(main, ["load", *arguments], env=environ)


TABLES = ("customers", "orders", "payments", "readings", "sessions", "DailySales")


def test_it_writes_what_was_asked(cluster: Cluster) -> None:
    cluster.tables = TABLES
    result = run("--statements", "500", "--rate", "0", CDC_CASSANDRA__CONTACT_POINTS="here:1")
    assert (result.exit_code, len(cluster.written)) == (0, 500)
    assert cluster.addresses == ["here:1"]
    assert cluster.executed[-1] == "drained"
    assert result.stderr == ""
    assert "statements in" in result.stdout
    assert "delete range" in result.stdout


def test_where_it_makes_tables_it_writes_nothing_as_a_running_connector_would_miss_it(cluster: Cluster) -> None:
    cluster.tables = TABLES[:2]
    result = run("--statements", "500", "--contact-points", "here")
    assert (result.exit_code, cluster.written) == (0, [])
    assert cluster.executed[0].startswith("CREATE KEYSPACE")
    assert sum(cql.startswith("CREATE TABLE") for cql in cluster.executed) == 6
    assert "made 4 tables in shop, wrote nothing" in result.stderr
    assert "start it again" in result.stderr


def test_contact_points_of_the_command_line_win(cluster: Cluster) -> None:
    run("--statements", "1", "--contact-points", "there:2, third", CDC_CASSANDRA__CONTACT_POINTS="here:1")
    assert cluster.addresses == ["there:2", "third"]


def test_nothing_is_made_unless_asked(cluster: Cluster) -> None:
    run("--statements", "1", "--no-create", "--contact-points", "here")
    assert cluster.executed == ["drained"]


def test_the_keyspace_and_the_seed_can_be_chosen(cluster: Cluster) -> None:
    cluster.tables = TABLES
    run("--statements", "50", "--rate", "0", "--keyspace", "k1", "--seed", "7", "--contact-points", "here")
    first, cluster.written = cluster.written, []
    run("--statements", "50", "--rate", "0", "--keyspace", "k1", "--seed", "7", "--contact-points", "here")
    assert cluster.written == first
    assert len(first) == 50
    assert all("k1." in cql for cql in first)


def test_without_an_address_it_exits_2() -> None:
    result = run()
    assert result.exit_code == 2
    assert "cassandra.contact_points: is required (CDC_CASSANDRA__CONTACT_POINTS)" in result.stderr


def test_a_cluster_that_does_not_answer_is_an_error_without_traceback() -> None:
    result = run("--contact-points", "127.0.0.1:1", "--statements", "1")
    assert result.exit_code == 1
    assert "Error: Cassandra did not answer" in result.stderr
    assert "Traceback" not in result.output
