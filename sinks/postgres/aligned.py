"""Changes and layouts while the schema changes: what was read with an older table goes to the newer one."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from cdc.event import Change, RowState
from cdc.realign import Realign, realigner
from cdc.schema import Table
from sinks.postgres.layout import Layout


def align(layouts: Mapping[str, Layout], changes: Iterable[Change]) -> Iterator[Change]:
    """Yield the changes with the table of their layout, cells with their columns; what nothing is left of goes."""
    realigners: dict[int, Realign] = {}
    for change in changes:
        old, layout = change.table, layouts.get(change.table.full_name)
        if layout is None or old is layout.table:
            yield change
            continue
        what = change.what
        if isinstance(what, RowState) and not _same_columns(old, layout.table):
            if id(old) not in realigners:
                realigners[id(old)] = realigner(old, layout.table)
            moved = realigners[id(old)](what)
            if moved is None:
                continue
            what = moved
        yield Change(layout.table, what, change.record)


def unchanged(layout: Layout, known: Layout | None) -> Layout:
    """Return the known layout if it says the same: statements are cached by it."""
    if known is None or known.table != layout.table or known.version != layout.version:
        return layout
    return known


def _same_columns(old: Table, new: Table) -> bool:
    return [column.name for column in old.regular] == [column.name for column in new.regular]
