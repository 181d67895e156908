"""One connection's work: the transactions that a prepared batch is made of."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from operator import is_

import psycopg

from cdc.event import Change, Position, RangeDeletion
from cdc.plain_state import Row
from sinks.postgres import offsets, tombstones
from sinks.postgres.connection import lock_table
from sinks.postgres.judged import StatementFailed, TableNow, judged, tables_now
from sinks.postgres.layout import Layout
from sinks.postgres.merge import Care, NewRows, merge_groups
from sinks.postgres.prepare import Prepared, TableBatch, rows_of
from sinks.postgres.stage import Group, stage
from sinks.postgres.statements import create_stage
from sinks.postgres.sweep import clock_now, keep_clock

TOMBSTONES_A_ROUND = 1_000
ORDERED_BATCHES = 1_000  # batches that lock all their rows in key order first, after one met another session in a deadlock
ROWS_A_STEP = 5_000  # rows looked at in one transaction when a tombstone is applied: its row locks stay short


class Session:
    """The writer's connection with its staging tables. Every method is one or more whole transactions."""

    def __init__(self, connection: psycopg.Connection, group_id: str, clock_at: int | None) -> None:
        self.connection = connection
        self.clock_at = clock_at
        self._group_id = group_id
        self._staged: set[int] = set()
        self._new_rows: dict[int, NewRows] = {}
        self._ordered = 0

    def write(self, prepared: Prepared) -> list[Change]:
        """Write a batch whole; return the replays that were refused. Raises `StatementFailed` and `psycopg.Error`."""
        deleting = [table for table in prepared.tables if table.deletions]
        for table in prepared.tables:
            self.make_stage(table.layout)
        if deleting:
            self._store_tombstones(deleting)
            for table in deleting:
                self.apply_tombstones(table.layout)
        try:
            return self._write_rows(prepared)
        except StatementFailed as failed:
            if isinstance(failed.error, psycopg.errors.DeadlockDetected):
                self._ordered = ORDERED_BATCHES
            raise

    def make_stage(self, layout: Layout) -> None:
        """Create the table's staging table once on this connection."""
        if layout.table_id not in self._staged:
            with judged(layout):
                self.connection.execute(create_stage(layout), {})
            self._staged.add(layout.table_id)

    def apply_tombstones(self, layout: Layout) -> None:
        """Apply every stored deletion that has not been, in bounded transactions."""
        self.make_stage(layout)
        while True:
            with self._table_transaction(layout) as (cursor, _):
                work = tombstones.not_applied(cursor, layout, TOMBSTONES_A_ROUND)
            progress = tombstones.Progress()
            while progress.at < len(work):
                with self._table_transaction(layout) as (cursor, now):
                    progress = tombstones.apply_step(cursor, layout, work, progress, rows=ROWS_A_STEP, now=now)
            if len(work) < TOMBSTONES_A_ROUND:
                return

    def advance(self, positions: Iterable[Position]) -> None:
        """Move offsets on by themselves: what stood before them is applied or a confirmed dead letter."""
        with self.connection.transaction(), self.connection.cursor() as cursor:
            offsets.advance(cursor, self._group_id, positions)

    def _store_tombstones(self, tables: Sequence[TableBatch]) -> None:
        with self.connection.transaction(), self.connection.cursor() as cursor:
            for table in tables:
                lock_table(cursor, table.layout.table_id, shared=False)
            tables_now(cursor, [table.layout for table in tables])
            now = clock_now(cursor, self.clock_at)
            for table in tables:
                with judged(table.layout):
                    tombstones.store(cursor, table.layout, table.deletions, now)

    def _write_rows(self, prepared: Prepared) -> list[Change]:
        refused: list[Change] = []
        found_expired = False
        with self.connection.transaction(), self.connection.cursor() as cursor:
            tables = [table for table in prepared.tables if table.groups]
            for table in tables:
                lock_table(cursor, table.layout.table_id, shared=True)
            states = tables_now(cursor, [table.layout for table in tables])
            now = clock_now(cursor, self.clock_at)
            for table in tables:
                groups, old = self._groups(cursor, table, states[table.layout.table_id])
                refused += old
                with judged(table.layout):
                    found_expired |= self._merge(cursor, table.layout, groups, now)
            if found_expired:
                keep_clock(cursor, now)
            offsets.advance(cursor, self._group_id, prepared.positions)
        return refused

    def _merge(self, cursor: psycopg.Cursor, layout: Layout, groups: Sequence[Group], now: int) -> bool:
        """Merge; return whether anything was found expired."""
        whole = tuple(range(len(layout.columns)))
        care = Care(self._new_rows.setdefault(layout.table_id, NewRows(whole)), lock_first=self._ordered > 0)
        self._ordered = max(0, self._ordered - 1)
        return merge_groups(cursor, layout, groups, now, care)

    def _groups(self, cursor: psycopg.Cursor, table: TableBatch, now: TableNow) -> tuple[Sequence[Group], list[Change]]:
        """Return what is to be merged: the batch as staged, or staged again without refused replays and covered cells."""
        refused, rows = self._refused(cursor, table, now.purged_before_ms)
        oldest, newest_deletion = table.oldest_ts, now.newest_deletion
        may_be_covered = oldest is not None and newest_deletion is not None and oldest <= newest_deletion
        if not refused and not may_be_covered:
            return table.groups, []
        rows = table.rows if rows is None else rows
        left = rows
        if oldest is not None and may_be_covered:
            left = list(tombstones.strip_covered_rows(cursor, table.layout, rows, oldest))
        if not refused and len(left) == len(rows) and all(map(is_, left, rows)):
            return table.groups, []
        return stage(table.layout, left), refused

    def _refused(
        self, cursor: psycopg.Cursor, table: TableBatch, purged_before_ms: int | None
    ) -> tuple[list[Change], list[Row] | None]:
        """Return replays from before a purge, as what beats them may be forgotten, and the other rows: None for all."""
        if purged_before_ms is None or table.oldest_record_ms >= purged_before_ms:
            return [], None
        cursor.execute(offsets.READ, (self._group_id,))
        reached = {(topic, partition): next_offset for topic, partition, _, next_offset in cursor}

        def is_replay(change: Change) -> bool:
            record = change.record
            return (
                not isinstance(change.what, RangeDeletion)
                and 0 <= record.timestamp_ms < purged_before_ms
                and record.offset < reached.get((record.topic, record.partition), 0)
            )

        changes = table.changes
        refused = [change for change in changes if is_replay(change)]
        return refused, rows_of(change for change in changes if not is_replay(change)) if refused else None

    @contextmanager
    def _table_transaction(self, layout: Layout) -> Iterator[tuple[psycopg.Cursor, int]]:
        with self.connection.transaction(), self.connection.cursor() as cursor:
            lock_table(cursor, layout.table_id, shared=True)
            tables_now(cursor, [layout])
            with judged(layout):
                yield cursor, clock_now(cursor, self.clock_at)
