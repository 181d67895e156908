"""Dead letters too big for Kafka, kept in `cdc.dead_letters`."""

from __future__ import annotations

import psycopg

from cdc.errors import OffsetsLost, PostgresUnavailable
from cdc.event import Record
from sinks.postgres.connection import connect

STORE = """
    INSERT INTO cdc.dead_letters (topic, partition, "offset", letter, record_key, record_value)
    VALUES (%s, %s, %s, %s, %s, %s)
    ON CONFLICT (topic, partition, "offset") DO UPDATE SET letter = excluded.letter
"""


class LetterStore:
    """Store one letter after another, each on a connection of its own: they are rare, and large."""

    def __init__(self, dsn: str) -> None:
        self._dsn = dsn

    def __call__(self, record: Record, letter: bytes) -> None:
        """Store a letter (JSON without the record's bytes) and the record. Idempotent.

        Raises `PostgresUnavailable`, and `OffsetsLost` when the tables of the mirror are gone.
        """
        values = (record.topic, record.partition, record.offset, letter.decode(), record.key, record.value)
        try:
            with connect(self._dsn) as connection:
                connection.execute(STORE, values)
        except psycopg.errors.UndefinedTable as error:
            raise OffsetsLost("PostgreSQL has no `cdc` schema any more", hint="start again: it is made anew") from error
        except psycopg.Error as error:
            raise PostgresUnavailable(f"a dead letter is not stored: {type(error).__name__}") from error
