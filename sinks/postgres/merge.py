"""The merge of one table's staged rows in the caller's transaction: filter, claim and merge, ties, fold, bury, sweep."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import psycopg

from cdc.ordering import Cell, reconcile
from sinks.postgres import statements
from sinks.postgres.layout import Layout
from sinks.postgres.stage import Group


class Merged(NamedTuple):
    """What a merge found: the share of rows that changed nothing, and whether anything had expired."""

    unchanging: float
    found_expired: bool


def run(cursor: psycopg.Cursor, statement: str, parameters: dict[str, Any] | Sequence[Any]) -> None:
    """Run a statement of `statements`: built from quoted identifiers and parameters only."""
    cursor.execute(statement, parameters)


class Care(NamedTuple):
    """What a merge does beforehand, each dear where it is not needed.

    `look_up`: leave rows alone that would change nothing, each a lock and its log record. `lock_first`: claim what is there in
    key order over all groups, so that two sessions on the same rows wait in place of a deadlock.
    """

    look_up: bool = False
    lock_first: bool = False


def merge_groups(cursor: psycopg.Cursor, layout: Layout, groups: Sequence[Group], now: int, care: Care) -> Merged:
    """Merge the groups into the table, each key at most once among them. The caller holds the table's lock, shared."""
    for group in groups:
        with cursor.copy(statements.copy_stage(layout, group.touched)) as copy:
            copy.write(group.lines)
    if care.look_up:
        for number, group in enumerate(groups):
            run(cursor, statements.drop_unchanging(layout, group.touched), {"group": number})
    if care.lock_first and len(groups) > 1:
        run(cursor, statements.lock_staged(layout), {})
    changed = 0
    for number, group in enumerate(groups):
        run(cursor, statements.upsert(layout, group.touched), {"group": number})
        changed += cursor.rowcount
    general = next((number for number, group in enumerate(groups) if group.touched is None), None)
    found_expired = settle(cursor, layout, now, general)
    return Merged(1 - changed / max(1, sum(group.rows for group in groups)), found_expired)


def decide_ties(cursor: psycopg.Cursor, layout: Layout) -> None:
    """Give each cell that two live values of one timestamp claim to the one that Cassandra keeps."""
    run(cursor, statements.select_ties(layout), {})
    for row in cursor.fetchall():
        key, sides = row[: len(layout.key)], row[len(layout.key) :]
        for i, column in enumerate(layout.columns):
            stored, staged = sides[2 * i : 2 * i + 2]
            if stored is None:
                continue
            kept = reconcile(Cell(0, stored), Cell(0, staged), column.codec.serialize)
            if kept.value != stored:
                run(cursor, statements.decide_tie(layout, i), (kept.value, *key))


def settle(cursor: psycopg.Cursor, layout: Layout, now: int, general: int | None) -> bool:
    """Decide ties, fold what the graveyard knows of the staged keys, bury what is not visible, erase what has expired.

    The keys are claimed by now, so nobody else can bury or fold them: an empty graveyard stays empty for them. Only rows of the
    `general` group can turn invisible by what was staged: the others hold a live value or marker.
    Return whether something was found expired at `now`.
    """
    run(cursor, statements.select_pending(layout), {"now": now})
    some_buried, some_expired, some_tied = cursor.fetchone() or (False, False, False)
    some_due = some_expired or some_tied
    if some_tied:
        decide_ties(cursor, layout)
    folded = ended = 0
    if some_buried:
        run(cursor, statements.fold_graveyard(layout), {})
        folded = cursor.rowcount
    if folded or some_due:
        run(cursor, statements.bury_invisible(layout), {"now": now})
        ended += cursor.rowcount
    elif general is not None:
        run(cursor, statements.bury_invisible(layout, one_group=True), {"now": now, "group": general})
    if some_due or folded:
        run(cursor, statements.erase_expired(layout), {"now": now})
        ended += cursor.rowcount
    return bool(some_expired and ended)
