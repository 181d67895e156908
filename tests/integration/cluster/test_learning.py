"""The whole flow beside a real node: what is made or altered there while it runs arrives without a restart."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg
import pytest
import redis
from cassandra.cluster import Session

from cdc.event import Record
from runtime.embedded.cassandra import CassandraServer
from tests.fixtures.events import event, table_of, written
from tests.integration.flow.flow_process import FlowProcess, flow_process
from tests.integration.flow.recorded_topics import write_records
from tests.integration.flow.source_flow import Topics, eventually

pytestmark = pytest.mark.real


@dataclass
class Beside:
    """A node's keyspace, topics for what its connector would write, and where the flow brings it."""

    cql: Session
    keyspace: str
    topics: Topics
    dsn: str
    redis_url: str
    script: str = ""

    def run(self, statement: str) -> None:
        """Run DDL; `ks` stands for the keyspace."""
        statement = statement.replace("ks.", f"{self.keyspace}.")
        self.cql.execute(statement)
        self.script += statement + ";"

    def write(self, name: str, **cells: object) -> None:
        """Write the event of an INSERT, as the connector would by the schema of now."""
        ddl = "".join(f"{part};" for part in self.script.split(";") if f"{self.keyspace}.{name}" in part)
        after: dict[str, Any] = {column: written(value) for column, value in cells.items()}
        made = event(table_of(ddl), "i", after)
        write_records(self.topics, [Record(made.topic, 0, 0, made.timestamp_ms, made.key, made.value)])

    def rows(self, columns: str, name: str = "t") -> list[tuple[object, ...]]:
        """Return what PostgreSQL shows, nothing while the table or a column is not there."""
        query = f"SELECT {columns} FROM {self.keyspace}.{name} ORDER BY k"
        with psycopg.connect(self.dsn) as connection:
            try:
                return connection.execute(query.encode()).fetchall()
            except (psycopg.errors.UndefinedTable, psycopg.errors.UndefinedColumn):
                return []

    def columns(self) -> set[str]:
        """Return the columns of the mirrored table, without the mirror's own."""
        query = "SELECT column_name FROM information_schema.columns WHERE table_schema = %s AND table_name = 't'"
        with psycopg.connect(self.dsn) as connection:
            return {name for (name,) in connection.execute(query, (self.keyspace,)) if not name.startswith("_cdc")}

    def settings(self, node: CassandraServer) -> dict[str, str]:
        return {
            "CDC_KAFKA__BOOTSTRAP_SERVERS": self.topics.bootstrap,
            "CDC_KAFKA__TOPIC_PREFIX": self.topics.prefix,
            "CDC_KAFKA__GROUP_ID": self.topics.prefix,
            "CDC_KAFKA__DEAD_LETTER_TOPIC": f"{self.topics.prefix}.cdc.dlq",
            "CDC_KAFKA__TOPIC_REFRESH_SECONDS": "0.5",
            "CDC_POSTGRES__DSN": self.dsn,
            "CDC_REDIS__URL": self.redis_url,
            "CDC_CASSANDRA__CONTACT_POINTS": node.contact_point,
            "CDC_CASSANDRA__TIMEOUT_SECONDS": "30",
            "CDC_SCHEMA__REFRESH_SECONDS": "1",
            "CDC_TABLES": self.keyspace,
        }


def sees(flow: FlowProcess, look: Callable[[], object], want: object) -> None:
    """Wait until a look gives what is wanted. The flow must not end before."""

    def there() -> bool:
        assert flow.is_running(), flow.log.read_text()
        return look() == want

    eventually(there, f"{want}; the flow said: {flow.log.read_text()[-3000:]}", seconds=120)


def test_a_flow_learns_tables_and_columns_while_it_runs(
    node: CassandraServer,
    cql: Session,
    own_keyspace: str,
    kafka_bootstrap: str,
    postgres_dsn: str,
    redis_url: str,
    tmp_path: Path,
) -> None:
    world = Beside(cql, own_keyspace, Topics(kafka_bootstrap, f"t{secrets.token_hex(6)}"), postgres_dsn, redis_url)
    with flow_process(world.settings(node), tmp_path) as flow:  # there is no table yet
        world.run("CREATE TABLE ks.t (k int PRIMARY KEY, b text, d text)")
        world.write("t", k=1, b="b1", d="d1")
        sees(flow, lambda: world.rows("k, b, d"), [(1, "b1", "d1")])
        world.run("ALTER TABLE ks.t ADD a text")
        world.write("t", k=2, a="a2", b="b2", d="d2")
        sees(flow, lambda: world.rows("k, a, b, d"), [(1, None, "b1", "d1"), (2, "a2", "b2", "d2")])
        world.run("CREATE TABLE ks.young (k int PRIMARY KEY, v text)")
        world.write("young", k=7, v="x")
        sees(flow, lambda: world.rows("k, v", "young"), [(7, "x")])
        world.run("ALTER TABLE ks.t DROP b")  # no event shows it
        sees(flow, world.columns, {"k", "a", "d"})
        world.write("t", k=3, a="a3", d="d3")
        sees(flow, lambda: world.rows("k, a, d")[2:], [(3, "a3", "d3")])
        with redis.Redis.from_url(redis_url) as client:
            assert {f"schema:{own_keyspace}:t".encode(), f"schema:{own_keyspace}:young".encode()} <= set(
                client.keys("schema:*")
            )
        flow.ask_to_stop()
        assert flow.wait() == 0, flow.log.read_text()
    with redis.Redis.from_url(redis_url, decode_responses=True) as client:
        checkpoint = client.hgetall(f"checkpoint:{world.topics.full(f'{own_keyspace}.t')}:0")
    assert (checkpoint["offset"], checkpoint["worker_id"]) == ("3", "0")
    with psycopg.connect(postgres_dsn) as connection:
        assert connection.execute("SELECT count(*) FROM cdc.dead_letters").fetchone() == (0,)
    assert "dead_letter" not in flow.log.read_text()
