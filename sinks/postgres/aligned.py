"""Changes and layouts while the schema changes: what was read with an older table goes to the newer one."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from itertools import groupby
from operator import attrgetter

import msgspec

from cdc.event import Change, RangeDeletion
from cdc.plain_state import state_of
from cdc.realign import realigner
from cdc.runs import PlainRun
from cdc.schema import Table
from sinks.postgres.layout import Layout


def align_runs(layouts: Mapping[str, Layout], runs: Iterable[PlainRun]) -> tuple[list[PlainRun], list[Change]]:
    """Return the runs with the table of their layout, and one by one the changes that have other columns than it."""
    aligned: list[PlainRun] = []
    others: list[Change] = []
    for run in runs:
        layout = layouts.get(run.table.full_name)
        if layout is None or run.table is layout.table:
            aligned.append(run)
        elif _same_columns(run.table, layout.table):
            aligned.append(msgspec.structs.replace(run, table=layout.table))
        else:
            others += run.changes()
    return aligned, others


def align(layouts: Mapping[str, Layout], changes: Iterable[Change]) -> Iterator[Change]:
    """Yield the changes with the table of their layout, cells with their columns; what nothing is left of goes."""
    for old, together in groupby(changes, attrgetter("table")):
        layout = layouts.get(old.full_name)
        if layout is None or old is layout.table:
            yield from together
        elif _same_columns(old, layout.table):
            yield from (Change(layout.table, change.what, change.record) for change in together)
        else:
            yield from _realigned(old, layout.table, together)


def _realigned(old: Table, new: Table, changes: Iterable[Change]) -> Iterator[Change]:
    realigned = realigner(old, new)
    for change in changes:
        what = change.what
        moved = what if isinstance(what, RangeDeletion) else realigned(state_of(old, what))
        if moved is not None:
            yield Change(new, moved, change.record)


def unchanged(layout: Layout, known: Layout | None) -> Layout:
    """Return the known layout if it says the same: statements are cached by it."""
    if known is None or known.table != layout.table or known.version != layout.version:
        return layout
    return known


def _same_columns(old: Table, new: Table) -> bool:
    return [column.name for column in old.regular] == [column.name for column in new.regular]
