"""Write the connector's events as they come: upserts of the columns that were set, and deletes."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from itertools import groupby
from operator import itemgetter
from typing import Any

import psycopg
from confluent_kafka import Consumer, Message

BATCH = 5_000
KEY = ("id", "seq")


def main(bootstrap: str, group: str, topic: str, dsn: str, table: str) -> None:
    """Consume a batch, write it, commit it, then commit its offsets; until it is ended."""
    consumer = Consumer(
        {"bootstrap.servers": bootstrap, "group.id": group, "enable.auto.commit": False, "auto.offset.reset": "earliest"}
    )
    consumer.subscribe([topic])
    with psycopg.connect(dsn) as connection:
        while True:
            messages = consumer.consume(BATCH, 0.5)
            if not messages:
                continue
            for statement, rows in groupby(statements(messages, table), key=itemgetter(0)):
                with connection.cursor() as cursor:
                    cursor.executemany(statement, [row for _, row in rows])
            connection.commit()
            consumer.commit(asynchronous=False)


def statements(messages: Iterable[Message], table: str) -> Iterator[tuple[str, list[Any]]]:
    """Yield a statement and its parameters for each event."""
    for message in messages:
        if message.error():
            raise RuntimeError(message.error())
        event = json.loads(message.value() or b"")
        row = {column: cell["value"] for column, cell in event["after"].items() if cell is not None}
        if event["op"] == "d":
            yield f"DELETE FROM {table} WHERE id = %s AND seq = %s", [row[column] for column in KEY]
            continue
        if row.get("updated") is not None:
            row["updated"] = datetime.fromtimestamp(row["updated"] / 1000, UTC)
        yield upsert(table, tuple(row)), list(row.values())


def upsert(table: str, columns: tuple[str, ...]) -> str:
    """Return the statement that writes these columns and leaves the others alone."""
    sets = ", ".join(f"{column} = EXCLUDED.{column}" for column in columns if column not in KEY)
    values = ", ".join(["%s"] * len(columns))
    conflict = f"DO UPDATE SET {sets}" if sets else "DO NOTHING"
    return f"INSERT INTO {table} ({', '.join(columns)}) VALUES ({values}) ON CONFLICT (id, seq) {conflict}"


if __name__ == "__main__":
    main(*sys.argv[1:])
