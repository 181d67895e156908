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
NEW_BATCHES = 64  # batches of a form upserted before a look is tried again
FOLDED = -32_768  # number of the staged rows of which the graveyard knew something
MANY_UNCHANGING = 0.05  # share of an upserted group from which a look pays: it costs a twentieth of a needless lock and its log


class NewRows:
    """Which forms of one table's rows are mostly new, as far as the batches before tell: a guess, for speed alone."""

    def __init__(self, whole: Touched) -> None:
        self._batches = {whole: NEW_BATCHES}

    def expected(self, touched: Touched) -> bool:
        """Return whether to upsert all rows of a form at once, in place of an update first; now and then that is tried."""
        left = self._batches.pop(touched, 0)
        if left > 1:
            self._batches[touched] = left - 1
        return left > 0

    def looked(self, touched: Touched, new: float) -> None:
        """Take note of the share of a group that was not there."""
        if new > MANY_NEW:
            self._batches[touched] = NEW_BATCHES

    def upserted(self, touched: Touched, unchanging: float) -> None:
        """Take note of the share of a group that changed nothing: a lock and its log a row, all needless."""
        if unchanging > MANY_UNCHANGING:
            self._batches.pop(touched, None)

    def inserted(self, upserted: Sequence[Touched], new: float) -> None:
        """Take note of the share of the rows of all upserted groups that was not there."""
        if new <= MANY_NEW:
            for touched in upserted:
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


class Claimed(NamedTuple):
    """A group all of whose rows were claimed, there or not; or what an update left of one, under a number below zero."""

    number: int
    touched: Touched
    rows: int


class Pending(NamedTuple):
    """What is left to do, and how many rows the session has inserted of late: PostgreSQL counts its last second or so."""

    some_buried: bool
    some_expired: bool
    some_tied: bool
    inserted: int


def merge_groups(cursor: psycopg.Cursor, layout: Layout, groups: Sequence[Group], now: int, care: Care) -> bool:
    """Merge the groups into the table, each key at most once among them. The caller holds the table's lock, shared.

    Return whether something was found expired at `now`.
    """
    for group in groups:
        with cursor.copy(statements.copy_stage(layout, group.touched)) as copy:
            copy.write(group.lines)
    if care.lock_first:
        run(cursor, statements.lock_staged(layout), {})
    claimed: list[Claimed] = []
    for number, group in enumerate(groups):
        if care.new_rows.expected(group.touched):
            claimed.append(_upsert(cursor, layout, number, group, care.new_rows))
        else:
            claimed += _merge_there(cursor, layout, {"group": number, "rest": -1 - number, "now": now}, group, care.new_rows)
    run(cursor, statements.select_pending(layout), {"now": now, "relation": layout.relation.replace("%%", "%")})
    pending = Pending(*(cursor.fetchone() or (False, False, False, 0)))
    _learn(care.new_rows, claimed, pending.inserted)
    doubtful = [number for number, group in enumerate(groups) if group.touched is None]
    doubtful += [claim.number for claim in claimed if claim.touched in {None, DELETION}]
    return settle(cursor, layout, pending, [claim.number for claim in claimed], doubtful, now=now)


def _upsert(cursor: psycopg.Cursor, layout: Layout, number: int, group: Group, new_rows: NewRows) -> Claimed:
    """Claim and merge a whole group."""
    run(cursor, statements.upsert(layout, group.touched), {"group": number})
    new_rows.upserted(group.touched, unchanging=1 - cursor.rowcount / group.rows)
    return Claimed(number, group.touched, group.rows)


def _merge_there(
    cursor: psycopg.Cursor, layout: Layout, numbers: dict[str, int], group: Group, new_rows: NewRows
) -> list[Claimed]:
    """Merge the rows that are there, then claim and merge the rest, if there is one."""
    touched = group.touched
    run(cursor, statements.bury_covered(layout) if touched == DELETION else statements.update(layout, touched), numbers)
    if cursor.rowcount == group.rows:
        return []
    run(cursor, statements.set_apart(layout, touched), numbers)
    rest = Claimed(numbers["rest"], touched, cursor.rowcount)
    new_rows.looked(touched, new=rest.rows / group.rows)
    if not rest.rows:
        return []
    run(cursor, statements.upsert(layout, touched), {"group": rest.number})
    return [rest]


def _learn(new_rows: NewRows, claimed: Sequence[Claimed], inserted: int) -> None:
    """Tell how many rows of the upserted groups were new."""
    upserted = [claim for claim in claimed if claim.number >= 0]
    inserted -= sum(claim.rows for claim in claimed if claim.number < 0)
    if upserted:
        new_rows.inserted([claim.touched for claim in upserted], inserted / sum(claim.rows for claim in upserted))


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


def settle(
    cursor: psycopg.Cursor, layout: Layout, pending: Pending, claimed: Sequence[int], doubtful: Sequence[int], *, now: int
) -> bool:
    """Decide ties, fold what the graveyard knows of the claimed keys, bury what is not visible, erase what has expired.

    The keys are held by now, so nobody else can bury or fold them: an empty graveyard stays empty for them, and it holds
    nothing of a row that was there. Only rows of the `doubtful` groups can turn invisible by what was staged: the others hold a
    live value or marker. Return whether something was found expired at `now`.
    """
    if pending.some_tied:
        decide_ties(cursor, layout)
    folded = 0
    if pending.some_buried and claimed:
        run(cursor, statements.fold_graveyard(layout), {"groups": claimed, "folded": FOLDED})
        folded = cursor.rowcount
    if pending.some_expired or pending.some_tied:
        run(cursor, statements.bury_invisible(layout), {"now": now})
        ended = cursor.rowcount
        run(cursor, statements.erase_expired(layout), {"now": now})
        return pending.some_expired and ended + cursor.rowcount > 0
    if folded:
        doubtful = [*doubtful, FOLDED]
    if doubtful:
        run(cursor, statements.bury_invisible(layout, some_groups=True), {"now": now, "groups": doubtful})
    if folded:
        run(cursor, statements.erase_expired(layout, some_groups=True), {"now": now, "groups": [FOLDED]})
    return False
