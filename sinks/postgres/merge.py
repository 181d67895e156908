"""The merge of one table's staged rows in the caller's transaction: what is there, the rest, ties, fold, bury, sweep."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import psycopg

from cdc.ordering import Cell, reconcile
from sinks.postgres import statements
from sinks.postgres.layout import Layout
from sinks.postgres.stage import Group
from sinks.postgres.statements import DELETION, Touched

MANY_NEW = 0.1  # share of a group's rows from which an upsert of all is cheaper than an update and then an upsert of the rest
NEW_BATCHES = 64  # batches upserted before a look is tried again
MANY_UNCHANGING = 0.05  # share of an upserted group from which a look pays: it costs a twentieth of a needless lock and its log


class NewRows:
    """The forms of one table of which many rows were not there: their next batches are upserted without a look."""

    def __init__(self) -> None:
        self._batches: dict[Touched, int] = {}

    def expected(self, touched: Touched) -> bool:
        """Return whether to count on new rows in the next batch; now and then it is tried without."""
        left = self._batches.pop(touched, 0)
        if left > 1:
            self._batches[touched] = left - 1
        return left > 0

    def looked(self, touched: Touched, new: float) -> None:
        """Take note of the share of a batch that was new."""
        if new > MANY_NEW:
            self._batches[touched] = NEW_BATCHES

    def upserted(self, touched: Touched, unchanging: float) -> None:
        """Take note of the share of a batch that changed nothing: a lock and its log a row, all needless."""
        if unchanging > MANY_UNCHANGING:
            self._batches.pop(touched, None)


class Care(NamedTuple):
    """What a merge knows beforehand.

    `lock_first`: claim what is there in key order over all groups, so that two sessions on the same rows wait in place of a
    deadlock.
    """

    new_rows: NewRows
    lock_first: bool = False


def run(cursor: psycopg.Cursor, statement: str, parameters: dict[str, Any] | Sequence[Any]) -> None:
    """Run a statement of `statements`: built from quoted identifiers and parameters only."""
    cursor.execute(statement, parameters)


def merge_groups(cursor: psycopg.Cursor, layout: Layout, groups: Sequence[Group], now: int, care: Care) -> bool:
    """Merge the groups into the table, each key at most once among them. The caller holds the table's lock, shared.

    Return whether something was found expired at `now`.
    """
    for group in groups:
        with cursor.copy(statements.copy_stage(layout, group.touched)) as copy:
            copy.write(group.lines)
    if care.lock_first:
        run(cursor, statements.lock_staged(layout), {})
    claimed: list[int] = []
    doubtful: list[int] = []
    for number, group in enumerate(groups):
        if care.new_rows.expected(group.touched):
            rest = [_upsert(cursor, layout, number, group, care.new_rows)]
        else:
            rest = _merge_there(cursor, layout, {"group": number, "rest": -1 - number, "now": now}, group, care.new_rows)
        claimed += rest
        if group.touched is None:
            doubtful += [number, *rest]
        elif group.touched == DELETION:
            doubtful += rest
    return settle(cursor, layout, now, claimed, doubtful)


def _upsert(cursor: psycopg.Cursor, layout: Layout, number: int, group: Group, new_rows: NewRows) -> int:
    """Claim and merge a whole group; return its number."""
    run(cursor, statements.upsert(layout, group.touched), {"group": number})
    new_rows.upserted(group.touched, unchanging=1 - cursor.rowcount / group.rows)
    return number


def _merge_there(cursor: psycopg.Cursor, layout: Layout, numbers: dict[str, int], group: Group, new_rows: NewRows) -> list[int]:
    """Merge the rows that are there, then claim and merge the rest; return the number that the rest has, if there is one."""
    touched = group.touched
    run(cursor, statements.bury_covered(layout) if touched == DELETION else statements.update(layout, touched), numbers)
    if cursor.rowcount == group.rows:
        return []
    run(cursor, statements.set_apart(layout, touched), numbers)
    new_rows.looked(touched, new=cursor.rowcount / group.rows)
    if not cursor.rowcount:
        return []
    run(cursor, statements.upsert(layout, touched), {"group": numbers["rest"]})
    return [numbers["rest"]]


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


def settle(cursor: psycopg.Cursor, layout: Layout, now: int, claimed: Sequence[int], doubtful: Sequence[int]) -> bool:
    """Decide ties, fold what the graveyard knows of the claimed keys, bury what is not visible, erase what has expired.

    The keys are held by now, so nobody else can bury or fold them: an empty graveyard stays empty for them, and it holds
    nothing of a row that was there. Only rows of the `doubtful` groups can turn invisible by what was staged: the others hold a
    live value or marker. Return whether something was found expired at `now`.
    """
    run(cursor, statements.select_pending(layout), {"now": now})
    some_buried, some_expired, some_tied = cursor.fetchone() or (False, False, False)
    some_due = some_expired or some_tied
    if some_tied:
        decide_ties(cursor, layout)
    folded = ended = 0
    if some_buried and claimed:
        run(cursor, statements.fold_graveyard(layout), {"groups": claimed})
        folded = cursor.rowcount
    if folded or some_due:
        run(cursor, statements.bury_invisible(layout), {"now": now})
        ended += cursor.rowcount
    elif doubtful:
        run(cursor, statements.bury_invisible(layout, some_groups=True), {"now": now, "groups": doubtful})
    if some_due or folded:
        run(cursor, statements.erase_expired(layout), {"now": now})
        ended += cursor.rowcount
    return bool(some_expired and ended)
