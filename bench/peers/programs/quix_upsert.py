"""Upsert flat rows with the PostgreSQL sink of Quix Streams, which has no way to delete one.

The sink leaves nulls out, and takes the columns of a batch from its first row: with nulls in that, it loses values or fails.
So nulls are handed to it as something else that PostgreSQL reads as null.
"""

from __future__ import annotations

import sys
from typing import Any
from urllib.parse import unquote, urlsplit

from psycopg2.extensions import AsIs
from quixstreams import Application
from quixstreams.sinks.community.postgresql import PostgreSQLSink

BATCH = 20_000
NULL = AsIs("NULL")


def main(bootstrap: str, group: str, topic: str, dsn: str, table: str) -> None:
    """Run until it is ended."""
    at = urlsplit(dsn)
    app = Application(
        broker_address=bootstrap, consumer_group=group, auto_offset_reset="earliest", commit_every=BATCH, commit_interval=1.0
    )
    sink = PostgreSQLSink(
        at.hostname,
        at.port,
        at.path[1:],
        at.username,
        unquote(at.password or ""),
        table,
        schema_auto_update=False,
        primary_key_columns=["id", "seq"],
        upsert_on_primary_key=True,
        include_metadata=False,
    )
    rows = app.dataframe(app.topic(topic, key_deserializer="bytes", value_deserializer="json"))
    rows.filter(lambda row: row is not None).apply(with_nulls).sink(sink)
    app.run()


def with_nulls(row: dict[str, Any]) -> dict[str, Any]:
    """Return a row in which the sink finds no None."""
    return {column: NULL if value is None else value for column, value in row.items()}


if __name__ == "__main__":
    main(*sys.argv[1:])
