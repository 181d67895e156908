"""Last write wins, per cell, with Cassandra's rules for ties (`Cells.resolveRegular`, `LivenessInfo.supersedes`).

The merge is commutative, associative and idempotent, so any order, duplicate or split of the changes gives one state.
The SQL of `sinks.postgres.statements` says the same; one table-driven suite holds both to it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import NamedTuple, TypeAlias

from cdc.event import ABSENT, Key, RowState, Value

Serialize: TypeAlias = Callable[[str], bytes]


class Cell(NamedTuple):
    """One cell. A None value is a tombstone, or with an expiry an expired cell whose value was erased."""

    write_ts: int
    value: str | None
    expires: int | None = None


def cell_rank(cell: Cell) -> tuple[int, bool, bool, int, bool]:
    """Return what decides between two cells of a column, before their bytes: the greater wins."""
    expiring = cell.expires is not None
    tombstone = cell.value is None and not expiring
    return (cell.write_ts, expiring or tombstone, tombstone, cell.expires or 0, cell.value is not None)


def reconcile(left: Cell, right: Cell, serialize: Serialize) -> Cell:
    """Return the cell that Cassandra keeps of two."""
    left_rank, right_rank = cell_rank(left), cell_rank(right)
    if left_rank != right_rank:
        return left if left_rank > right_rank else right
    if left.value is None or right.value is None or left.value == right.value:
        return left
    return left if serialize(left.value) >= serialize(right.value) else right


def newer_marker(left: tuple[int, int | None] | None, right: tuple[int, int | None] | None) -> tuple[int, int | None] | None:
    """Return the row marker `(timestamp, expiry)` that wins: later, then expiring over permanent, then the later expiry."""
    if left is None or right is None:
        return right if left is None else left
    return max(left, right, key=lambda marker: (marker[0], marker[1] is not None, marker[1] or 0))


def cells_of(state: RowState) -> list[Cell | None]:
    """Return the cells of a state in column order, None where nothing is known."""
    stamps, expires = state.stamps, state.expires
    return [
        None
        if value is ABSENT
        else Cell(
            state.write_ts if stamps is None else stamps[i] or 0,
            value,
            None if expires is None else expires[i],
        )
        for i, value in enumerate(state.values)
    ]


def row_state(
    key: Key, cells: Sequence[Cell | None], marker: tuple[int, int | None] | None = None, deletion: int | None = None
) -> RowState:
    """Return the state of these parts, without what the row deletion covers."""
    floor = deletion
    kept = [None if cell is None or (floor is not None and cell.write_ts <= floor) else cell for cell in cells]
    if marker is not None and floor is not None and marker[0] <= floor:
        marker = None
    stamps = [None if cell is None else cell.write_ts for cell in kept]
    written = {stamp for stamp in stamps if stamp is not None}
    expires = [None if cell is None else cell.expires for cell in kept]
    values: list[Value] = [ABSENT if cell is None else cell.value for cell in kept]
    return RowState(
        key=key,
        write_ts=max(written) if written else _first(marker[0] if marker else None, deletion),
        values=values,
        marker=marker[0] if marker else None,
        stamps=stamps if len(written) > 1 else None,
        expires=expires if any(expiry is not None for expiry in expires) else None,
        marker_expires=marker[1] if marker else None,
        deletion=deletion,
    )


def merge(left: RowState, right: RowState, serializers: Sequence[Serialize]) -> RowState:
    """Return the join of two states of one key; `serializers` stand in column order."""
    cells = [
        mine or theirs if mine is None or theirs is None else reconcile(mine, theirs, serialize)
        for mine, theirs, serialize in zip(cells_of(left), cells_of(right), serializers, strict=True)
    ]
    marker = newer_marker(_marker(left), _marker(right))
    return row_state(left.key, cells, marker, _later(left.deletion, right.deletion))


def collapse(states: Iterable[RowState], serializers: Sequence[Serialize]) -> dict[Key, RowState]:
    """Return at most one state a key."""
    states = list(states)
    collapsed = {state.key: state for state in states}
    if len(collapsed) == len(states):
        return collapsed
    collapsed.clear()
    for state in states:
        known = collapsed.setdefault(state.key, state)
        if known is not state:
            collapsed[state.key] = merge(known, state, serializers)
    return collapsed


def strip(state: RowState, deletion_ts: int) -> RowState | None:
    """Return the state without what a range deletion at `deletion_ts` covers, None when nothing is left to remember.

    The row deletion slot is not raised: the tombstone is stored once, for the range.
    """
    if state.deletion is not None and state.deletion <= deletion_ts:
        state = row_state(state.key, cells_of(state), _marker(state))
    cells = [None if cell is None or cell.write_ts <= deletion_ts else cell for cell in cells_of(state)]
    marker = _marker(state)
    if marker is not None and marker[0] <= deletion_ts:
        marker = None
    if marker is None and state.deletion is None and not any(cells):
        return None
    return row_state(state.key, cells, marker, state.deletion)


def is_visible(state: RowState, now: int) -> bool:
    """Return whether `SELECT` shows the row at `now` (seconds): it has a live marker or a live cell."""
    if state.marker is not None and not _expired(state.marker_expires, now):
        return True
    return any(cell is not None and cell.value is not None and not _expired(cell.expires, now) for cell in cells_of(state))


def visible_values(state: RowState, now: int) -> list[str | None]:
    """Return what `SELECT` shows of the regular columns at `now` (seconds)."""
    return [None if cell is None or _expired(cell.expires, now) else cell.value for cell in cells_of(state)]


def _expired(expiry: int | None, now: int) -> bool:
    return expiry is not None and expiry <= now


def _marker(state: RowState) -> tuple[int, int | None] | None:
    return None if state.marker is None else (state.marker, state.marker_expires)


def _later(left: int | None, right: int | None) -> int | None:
    if left is None or right is None:
        return right if left is None else left
    return max(left, right)


def _first(*timestamps: int | None) -> int:
    return next((timestamp for timestamp in timestamps if timestamp is not None), 0)
