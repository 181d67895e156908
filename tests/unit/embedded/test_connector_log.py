"""What the connector's log tells of the schema it knows, in the form in which it is written."""

from __future__ import annotations

from pathlib import Path

import pytest

from cdc.errors import ServiceFailed
from runtime.embedded.cassandra import CassandraServer
from runtime.embedded.connector import ConnectorServer
from runtime.embedded.kafka import KafkaServer

LISTENER = "09:00:00.000 INFO  [s0-admin-0] i.d.c.c.Cassandra5SchemaChangeListener - "
LOST = "09:00:00.000 ERROR [pool-1] i.d.c.c.CommitLogIdxParser - Processing of LogicalCommitLog{synced=1} errored out"


def definition(table: str, more: str = "") -> str:
    columns = f'    id int,\n    "C k" text,{more}\n    PRIMARY KEY (id, "C k")'
    return f"CREATE TABLE {table} (\n{columns}\n) WITH additional_write_policy = '99p'\n    AND cdc = true;"


def added(table: str) -> str:
    return f"{LISTENER}Added table [{definition(table)}] to schema instance."


def updated(table: str) -> str:
    return LISTENER + "Updated table [" + definition(table, '\n    "a""b" text,') + "] in schema instance."


def removed(table: str) -> str:
    return f"{LISTENER}Removed table [{definition(table)}] from schema instance."


def at_start(*tables: str) -> str:
    return f"{LISTENER}CDC enabled entities: [{', '.join(map(definition, tables))}]"


def keyspace(name: str) -> str:
    return f"{LISTENER}Added keyspace [CREATE KEYSPACE {name} WITH replication = {{}};] to schema instance."


def connector(directory: Path, *lines: str) -> ConnectorServer:
    server = ConnectorServer(directory, CassandraServer(directory), KafkaServer(directory))
    server.log.write_text("\n".join(lines))
    return server


@pytest.mark.parametrize(
    ("lines", "known", "with_new_column"),
    [
        ([], False, False),
        ([added("ks.t")], True, False),
        ([added('ks."T"')], False, False),
        ([added("k.st")], False, False),
        ([added("ks.t"), updated("ks.t")], True, True),
        ([added("ks.t"), removed("ks.t")], False, False),
        ([removed("ks.t"), added("ks.t")], True, False),
        ([at_start("ks.t", "ks.other")], True, False),
        ([LISTENER + "Table ks.t detected to be added!"], False, False),
    ],
)
def test_a_table_is_known_as_the_log_last_says(tmp_path: Path, lines: list[str], known: bool, with_new_column: bool) -> None:
    server = connector(tmp_path, *lines)
    assert server.knows("ks", "t", ["id", "C k"]) is known
    assert server.knows("ks", "t", ["id", 'a"b']) is with_new_column


def test_a_keyspace_is_known_by_its_line(tmp_path: Path) -> None:
    server = connector(tmp_path, keyspace('"Ks"'), keyspace("other"))
    server.wait_for_keyspace("Ks", timeout_s=0)
    with pytest.raises(ServiceFailed, match="note of ks"):
        server.wait_for_keyspace("ks", timeout_s=0)


def test_what_it_has_lost_is_counted(tmp_path: Path) -> None:
    refused = "09:00:00.000 ERROR [kafka-producer] i.d.c.c.KafkaRecordEmitter - Failed to emit record ChangeRecord@1"
    server = connector(tmp_path, added("ks.t"), LOST, LOST, refused)
    assert (server.lost_segments, server.lost_records) == (2, 1)
