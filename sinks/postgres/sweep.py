"""What runs beside the merge: expired values leave the tables, old graveyard rows and tombstones are purged."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta

import psycopg

from sinks.postgres import statements
from sinks.postgres.connection import lock_table
from sinks.postgres.judged import judged, tables_now
from sinks.postgres.layout import Layout
from sinks.postgres.merge import run

CLOCK_NOW = "SELECT greatest(at, coalesce(%s, floor(extract(epoch FROM clock_timestamp()))::bigint)) FROM cdc.clock"
TABLES_A_LOOK = 200
KEEP_CLOCK = "UPDATE cdc.clock SET at = %s WHERE at < %s"

PURGE_GRAVEYARD = """
    WITH old AS (DELETE FROM {graveyard} WHERE ctid IN
        (SELECT ctid FROM {graveyard} WHERE stored_at < to_timestamp(%(cutoff)s) ORDER BY stored_at LIMIT %(rows)s)
        RETURNING stored_at)
    SELECT count(*), max(stored_at) FROM old
"""
PURGE_TOMBSTONES = """
    WITH old AS (DELETE FROM cdc.tombstones WHERE id = ANY (ARRAY
        (SELECT id FROM cdc.tombstones WHERE table_id = %(table_id)s AND applied AND stored_at < to_timestamp(%(cutoff)s)
         ORDER BY stored_at LIMIT %(rows)s))
        RETURNING stored_at)
    SELECT count(*), max(stored_at) FROM old
"""
PURGED = "UPDATE cdc.tables SET purged_before = greatest(purged_before, %s) WHERE id = %s"


def clock_now(cursor: psycopg.Cursor, fixed: int | None) -> int:
    """Return the instant (seconds) that expiries are judged at: PostgreSQL's clock or the fixed one, never going back."""
    cursor.execute(CLOCK_NOW, (fixed,))
    row = cursor.fetchone()
    return int(row[0]) if row else 0


def keep_clock(cursor: psycopg.Cursor, now: int) -> None:
    """Let no process judge by an earlier instant than `now`, at which something was found expired.

    Locks the clock: after all rows and before the offsets.
    """
    cursor.execute(KEEP_CLOCK, (now, now))


def due_tables(connection: psycopg.Connection, layouts: Sequence[Layout], fixed: int | None) -> list[Layout]:
    """Return the tables in which something is due, in one look at their indexes; all of them when one cannot be read."""
    with connection.cursor() as cursor:
        now = clock_now(cursor, fixed)
        due: set[int] = set()
        for start in range(0, len(layouts), TABLES_A_LOOK):
            try:
                run(cursor, statements.select_due(layouts[start : start + TABLES_A_LOOK]), {"now": now})
            except psycopg.ProgrammingError:  # a table that was altered behind our back: the sweep finds out which
                return list(layouts)
            due.update(table_id for (table_id,) in cursor)
    return [layout for layout in layouts if layout.table_id in due]


def sweep_step(connection: psycopg.Connection, layout: Layout, *, fixed: int | None, rows: int) -> int:
    """Take up to `rows` due rows out of sight and return how many there were. Rows that others hold are left to them."""
    with judged(layout), connection.transaction(), connection.cursor() as cursor:
        lock_table(cursor, layout.table_id, shared=True)
        tables_now(cursor, [layout])
        now = clock_now(cursor, fixed)
        run(cursor, statements.stage_due(layout), {"now": now, "rows": rows})
        due = cursor.rowcount
        if due:
            keep_clock(cursor, now)
            run(cursor, statements.bury_invisible(layout), {"now": now})
            run(cursor, statements.erase_expired(layout), {"now": now})
        return due


def purge_step(connection: psycopg.Connection, layout: Layout, *, retention: timedelta, fixed: int | None, rows: int) -> int:
    """Forget up to `rows` graveyard rows and tombstones stored longer ago than `retention`; return how many.

    The lock is exclusive: a merge that has read `purged_before` is over before anything older is gone.
    """
    with judged(layout), connection.transaction(), connection.cursor() as cursor:
        lock_table(cursor, layout.table_id, shared=False)
        tables_now(cursor, [layout])
        parameters = {
            "cutoff": clock_now(cursor, fixed) - retention.total_seconds(),
            "rows": rows,
            "table_id": layout.table_id,
        }
        purged = 0
        for statement in (PURGE_GRAVEYARD.format(graveyard=layout.graveyard), PURGE_TOMBSTONES):
            run(cursor, statement, parameters)
            count, newest = cursor.fetchone() or (0, None)
            if count:
                cursor.execute(PURGED, (newest, layout.table_id))
            purged += count
        return purged
