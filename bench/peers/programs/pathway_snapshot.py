"""Keep a table of PostgreSQL as a snapshot of the rows in a topic, with Pathway.

It reads the annotations of a schema when the class is made: they must not be postponed. Its tables have an `id` of their own.
"""

import sys
from typing import Any
from urllib.parse import urlsplit

import pathway as pw

# What its documentation advises for a topic that is full when it starts, as ours is.
BACKLOG = 50_000
LAST = "last"


class Order(pw.Schema):  # type: ignore[misc]
    """A row of the topic."""

    order_id: str
    seq: int
    count: int | None
    name: str | None
    note: str | None
    paid: bool | None
    parent: str | None
    price: str | None
    ratio: float | None
    total: int | None
    updated: str | None
    deleted: bool


def main(bootstrap: str, group: str, topic: str, dsn: str, *table_and_which: str) -> None:
    """Run until it is ended; which rows it hands on is "each" or only the "last" of each key."""
    table, which = table_and_which
    events = pw.io.kafka.read(
        {"bootstrap.servers": bootstrap, "group.id": group, "auto.offset.reset": "earliest"},
        topic,
        format="json",
        schema=Order,
        json_field_paths={"order_id": "/id"},
        with_metadata=which == LAST,
        autocommit_duration_ms=500,
        max_backlog_size=BACKLOG,
    )
    rows = last_of_each_key(events) if which == LAST else events
    rows = rows.filter(~rows.deleted)
    rows = rows.select(*[rows[column] for column in Order.column_names() if column != "deleted"])
    at = urlsplit(dsn)
    pw.io.postgres.write(
        rows,
        {"host": at.hostname, "port": at.port, "dbname": at.path[1:], "user": at.username, "password": at.password},
        table,
        output_table_type="snapshot",
        primary_key=[rows.order_id, rows.seq],
    )
    pw.run(monitoring_level=pw.MonitoringLevel.NONE)


def last_of_each_key(events: Any) -> Any:
    """Return the row of each key with the greatest offset: a key is always in the same partition."""
    events = events.with_columns(offset=pw.unwrap(events._metadata["offset"].as_int()))
    keys = events.groupby(events.order_id, events.seq).reduce(last=pw.reducers.argmax(events.offset))
    last = events.ix(keys.last)
    return keys.select(*[last[column] for column in Order.column_names()])


if __name__ == "__main__":
    main(*sys.argv[1:])
