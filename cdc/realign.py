"""Carries row states over to a table whose columns have changed since they were read."""

from __future__ import annotations

from collections.abc import Callable

from cdc.event import RowState
from cdc.ordering import cells_of, row_state
from cdc.schema import Table

Realign = Callable[[RowState], RowState | None]


def realigner(old: Table, new: Table) -> Realign:
    """Return how a state of the old table becomes one of the new: cells go with the name of their column.

    Columns that are new are absent; cells of columns that are gone go with them, and None is what nothing is left of. The key
    stands as it is: a primary key cannot change but for the names of its columns.
    """
    positions = {column.name: position for position, column in enumerate(old.regular)}
    sources = [positions.get(column.name) for column in new.regular]

    def realigned(state: RowState) -> RowState | None:
        old_cells = cells_of(state)
        cells = [None if source is None else old_cells[source] for source in sources]
        if state.marker is None and state.deletion is None and not any(cells):
            return None
        marker = None if state.marker is None else (state.marker, state.marker_expires)
        return row_state(state.key, cells, marker, state.deletion)

    return realigned
