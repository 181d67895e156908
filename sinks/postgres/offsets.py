"""How far each topic partition is in PostgreSQL, written in the transaction that makes it so."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import psycopg

from cdc.errors import OffsetsLost
from cdc.event import Position

READ = "SELECT topic, partition, topic_id, next_offset FROM cdc.offsets WHERE group_id = %s"
ADVANCE = """
    INSERT INTO cdc.offsets AS o (group_id, topic, partition, topic_id, next_offset) VALUES (%s, %s, %s, %s, %s)
    ON CONFLICT (group_id, topic, partition) DO UPDATE SET
        next_offset = CASE WHEN o.topic_id = excluded.topic_id THEN greatest(o.next_offset, excluded.next_offset)
                           ELSE excluded.next_offset END,
        topic_id = excluded.topic_id, updated_at = now()
"""


def read(connection: psycopg.Connection, group_id: str) -> dict[tuple[str, int], Position]:
    """Return the stored position of every topic partition of a consumer group.

    Raises `OffsetsLost` when the tables of the mirror are gone.
    """
    try:
        rows = connection.execute(READ, (group_id,)).fetchall()
    except psycopg.errors.UndefinedTable as error:
        raise OffsetsLost("PostgreSQL has no `cdc` schema any more", hint="start again: it is made anew") from error
    return {(topic, partition): Position(topic, partition, topic_id, offset) for topic, partition, topic_id, offset in rows}


def advance(cursor: psycopg.Cursor, group_id: str, positions: Iterable[Position]) -> None:
    """Move the positions on; a lower offset of the same topic changes nothing."""
    ordered = sorted(positions, key=lambda position: (position.topic, position.partition))
    cursor.executemany(ADVANCE, [(group_id, p.topic, p.partition, p.topic_id, p.next_offset) for p in ordered])


def require_kept(committed: Mapping[tuple[str, int], Position], stored: Mapping[tuple[str, int], Position]) -> None:
    """Raise `OffsetsLost` when PostgreSQL has less than this process saw committed: it was restored or failed over."""
    for where, position in committed.items():
        kept = stored.get(where)
        if kept is None or (kept.topic_id == position.topic_id and kept.next_offset < position.next_offset):
            raise OffsetsLost(
                f"PostgreSQL holds {kept.next_offset if kept else 'no'} offset of {where[0]}/{where[1]}, "
                f"{position.next_offset} was committed before",
                hint="it was restored or failed over: start again, the events are read again from there",
            )
