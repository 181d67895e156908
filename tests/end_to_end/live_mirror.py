"""The whole way of a write: the shared Cassandra, connector and Kafka, one process of the flow, one database."""

from __future__ import annotations

import json
import time
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass

import psycopg
from cassandra.cluster import Session
from confluent_kafka import Consumer, TopicPartition
from confluent_kafka.admin import AdminClient

from cdc.recording import Difference, Rows, differences, recorded_rows
from cdc.schema import Table
from sinks.postgres.expressions import written_at
from sinks.postgres.layout import Layout
from sinks.postgres.migrate import migrate
from sinks.postgres.read import MirrorReader
from tests.end_to_end.truth import read_table, reading, timestamps_of, timestamps_table
from tests.fixtures.live import LiveStack
from tests.integration.flow.flow_process import FlowProcess
from tests.integration.flow.source_flow import Topics

GROUP = "end-to-end"
PATTERN = "e2e_*.*"
LETTERS = "cdc.dlq"
PATIENCE_SECONDS = 120.0


@dataclass
class LiveMirror:
    """What tests write to, wait for and compare. Keyspaces are mirrored if their names begin with `e2e_`."""

    live: LiveStack
    flow: FlowProcess
    dsn: str

    def catch_up(self, seconds: float = PATIENCE_SECONDS) -> None:
        """Wait until the events of all that was written are in Kafka, and all of those in PostgreSQL."""
        self.live.settle(seconds)
        deadline = time.monotonic() + seconds
        while (missing := self._missing()) and time.monotonic() < deadline:
            assert self.flow.is_running(), self.flow.log.read_text()[-3000:]
            time.sleep(0.05)
        assert missing == {}, self.flow.log.read_text()[-3000:]

    def differences(
        self, tables: Iterable[Table], unexplained: Callable[[list[Difference]], list[Difference]] = list, seconds: float = 30.0
    ) -> list[Difference]:
        """Return all that is not equal, timestamps included, as soon as all of that is explained or so long has passed.

        What expires does so on both sides in the same second, but not in the same instant.
        """
        wanted = list(tables)
        deadline = time.monotonic() + seconds
        with reading(self.live.cassandra) as session:
            while unexplained(found := self._compare(session, wanted)) and time.monotonic() < deadline:
                time.sleep(0.2)
        return found

    def letters(self, keyspace: str) -> dict[str, int]:
        """Return how many records of a keyspace were refused, by error."""
        read = Topics(self.live.kafka.bootstrap_servers, GROUP).read(LETTERS) if self._has_letters() else []
        letters = [json.loads(letter) for letter in read]
        of_keyspace = [one for one in letters if one["source_topic"].startswith(self.live.topic(keyspace, ""))]
        refused = {(one["source_topic"], one["key_base64"], one["error_type"]) for one in of_keyspace}  # copies come
        return Counter(error for _, _, error in refused)

    def _has_letters(self) -> bool:
        admin = AdminClient({"bootstrap.servers": self.live.kafka.bootstrap_servers})
        return f"{GROUP}.{LETTERS}" in admin.list_topics(timeout=30).topics

    def _compare(self, session: Session, tables: list[Table]) -> list[Difference]:
        layouts = {layout.table.full_name: layout for layout in migrate(self.dsn, tables, create_tables=False)}
        found: list[Difference] = []
        with MirrorReader(self.dsn) as reader, psycopg.connect(self.dsn) as connection:
            for table in tables:
                truth, layout = read_table(session, table), layouts[table.full_name]
                found += differences(table, recorded_rows(table, truth), reader.rows(layout))
                stamps, want = timestamps_table(table), recorded_rows(timestamps_table(table), timestamps_of(truth))
                unequal = differences(stamps, want, mirrored_timestamps(connection, layout))
                found += [difference for difference in unequal if difference.column is not None and difference.want is not None]
        return found

    def _missing(self) -> dict[str, int]:
        """Return how many events of each mirrored topic PostgreSQL has not behind it."""
        prefix = self.live.topic("e2e_", "").rstrip(".")
        settings = {"bootstrap.servers": self.live.kafka.bootstrap_servers, "group.id": "ends", "log_level": 0}
        with MirrorReader(self.dsn) as reader:
            applied = reader.applied(GROUP)
        consumer = Consumer(settings)
        try:
            topics = {name: t for name, t in consumer.list_topics(timeout=30).topics.items() if name.startswith(prefix)}
            ends = {
                name: sum(consumer.get_watermark_offsets(TopicPartition(name, p), timeout=30)[1] for p in topic.partitions)
                for name, topic in topics.items()
            }
        finally:
            consumer.close()
        return {name: end - applied.get(name, 0) for name, end in ends.items() if end > applied.get(name, 0)}


def mirrored_timestamps(connection: psycopg.Connection, layout: Layout) -> Rows:
    """Return the write timestamps that a mirrored table remembers, as text, by primary key."""
    stamps = (f"({written_at('t', column)})::text" for column in layout.columns)
    selected = [*(f"{column.sql}::text" for column in layout.key), *stamps]
    query = f"SELECT {', '.join(selected)} FROM {layout.relation} t".replace("%%", "%")
    width = len(layout.key)
    return {tuple(row[:width]): row[width:] for row in connection.execute(query.encode())}
