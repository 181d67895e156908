"""A batch of changes of one table, made ready to be staged: one row a key, grouped by form, as COPY lines."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import NamedTuple

import msgspec

from cdc.event import ABSENT, Key, PlainRow, RowState
from cdc.ordering import cells_of
from cdc.plain_state import ESCAPES, Row, copy_texts, state_of
from sinks.postgres.collapse import collapse
from sinks.postgres.layout import Layout
from sinks.postgres.statements import DELETION, Touched

MAX_GROUPS = 8  # sets of touched columns that get a statement of their own in a batch; rarer ones take the general form
MIN_GROUP_ROWS = 16
NULL = "\\N"


class Group(msgspec.Struct, frozen=True):
    """The staged rows of one form: `lines` is COPY text for what rows of the form `touched` are staged with."""

    touched: Touched
    rows: int
    lines: bytes


def stage(layout: Layout, rows: Sequence[Row]) -> list[Group]:
    """Return the COPY groups of a batch, at most one row a key."""
    simple, general, deletions = _by_form(layout, collapse(layout, rows))
    kept = sorted(simple, key=lambda touched: len(simple[touched]), reverse=True)
    kept = [touched for i, touched in enumerate(kept) if i == 0 or (i < MAX_GROUPS and len(simple[touched]) >= MIN_GROUP_ROWS)]
    for touched in simple.keys() - set(kept):
        general += [state_of(layout.table, row) for row in simple[touched]]
    groups = [_simple_group(layout, touched, simple[touched], i) for i, touched in enumerate(kept)]
    if general:
        groups.append(_group([_general_line(layout, state, len(groups)) for state in general], None))
    if deletions:
        groups.append(_group(_deletion_lines(deletions, len(groups)), DELETION))
    return groups


def stage_keys(keys: Iterable[tuple[Key, int]]) -> bytes:
    """Return COPY lines of bare keys, each with a timestamp: what range deletions cover."""
    return _encoded([_line((*key, str(timestamp))) for key, timestamp in keys])


class _ByForm(NamedTuple):
    """Rows that only write values, by the columns they touch; bare row deletions; and all others."""

    simple: Mapping[Touched, Sequence[Row]]
    general: list[RowState]
    deletions: list[RowState]


def _by_form(layout: Layout, rows: Collection[Row]) -> _ByForm:
    simple: dict[Touched, list[Row]] = defaultdict(list)
    general: list[RowState] = []
    deletions: list[RowState] = []
    forms: dict[tuple[type, ...], Touched] = {}
    whole = tuple(range(len(layout.columns)))
    for row in [row for row in rows if type(row) is PlainRow]:
        simple[row.touched].append(row)
    for state in [row for row in rows if type(row) is RowState]:
        if state.is_whole:
            simple[whole].append(state)
            continue
        form = tuple(map(type, state.values))
        touched = forms[form] if form in forms else forms.setdefault(form, _touched(form))
        if touched == () and state.deletion is not None and state.marker is None:
            deletions.append(state)
        elif touched is None or state.stamps or state.expires or state.deletion is not None or state.marker_expires is not None:
            general.append(state)
        else:
            simple[touched].append(state)
    return _ByForm(simple, general, deletions)


def _touched(form: tuple[type, ...]) -> Touched:
    """Return the positions of the values, or None when a tombstone is among them."""
    if type(None) in form:
        return None
    return tuple(i for i, kind in enumerate(form) if kind is str)


def _group(lines: list[str], touched: Touched) -> Group:
    return Group(touched, len(lines), _encoded(lines))


def _encoded(lines: list[str]) -> bytes:
    lines.append("")
    return "\n".join(lines).encode()


def _simple_group(layout: Layout, touched: Touched, rows: Sequence[Row], group: int) -> Group:
    plain = [row.line for row in rows if type(row) is PlainRow]
    states = [row for row in rows if type(row) is RowState]
    lines = (b"%d\n" % group).join([*plain, b""])
    return Group(touched, len(rows), lines + _encoded(_simple_lines(layout, touched, states, group)))


def _simple_lines(layout: Layout, touched: Touched, states: Sequence[RowState], group: int) -> list[str]:
    rows: list[Sequence[str]]
    if len(touched or ()) == len(layout.columns):
        rows = [(*state.key, *state.values) for state in states]  # type: ignore[arg-type]  # all written
    else:
        rows = [(*state.key, *[value for value in state.values if value is not ABSENT]) for state in states]  # type: ignore[arg-type]
    return [
        f"{text}\t{(written := str(state.write_ts))}\t"
        f"{written if state.marker == state.write_ts else NULL if state.marker is None else state.marker}\t{group}"
        for text, state in zip(copy_texts(rows), states, strict=True)
    ]


def _deletion_lines(states: list[RowState], group: int) -> list[str]:
    texts = copy_texts([state.key for state in states])
    return [f"{text}\t{state.deletion}\t{group}" for text, state in zip(texts, states, strict=True)]


def _general_line(layout: Layout, state: RowState, group: int) -> str:
    values = [None if value is ABSENT else value for value in state.values]
    metadata = (state.write_ts, state.marker, _cells(layout, state), *_expiry(layout, state), group)
    return _line((*state.key, *values, *(None if part is None else str(part) for part in metadata)))


def _cells(layout: Layout, state: RowState) -> str | None:
    """Return `_cdc_cells` as an array literal, None when the row is sparse."""
    if state.stamps is None and state.deletion is None and None not in state.values:
        return None
    slots: list[int | None] = [None] * layout.slots
    slots[0] = state.deletion
    for column, cell in zip(layout.columns, cells_of(state), strict=True):
        slots[column.slot - 1] = None if cell is None else cell.write_ts
    return _array(slots)


def _expiry(layout: Layout, state: RowState) -> tuple[str | None, int | None]:
    """Return `_cdc_expires` as an array literal and `_cdc_sweep_at`."""
    if state.expires is None and state.marker_expires is None:
        return None, None
    slots: list[int | None] = [None] * layout.slots
    slots[0] = state.marker_expires
    for column, expiry in zip(layout.columns, state.expires or [None] * len(layout.columns), strict=True):
        slots[column.slot - 1] = expiry
    return _array(slots), min(expiry for expiry in slots if expiry is not None)


def _array(slots: list[int | None]) -> str:
    return "{" + ",".join("NULL" if slot is None else str(slot) for slot in slots) + "}"


def _line(values: tuple[str | None, ...]) -> str:
    return "\t".join(["\\N" if value is None else value.translate(ESCAPES) for value in values])
