"""A batch of changes of one table, made ready to be staged: one row a key, grouped by form, as COPY lines."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import NamedTuple

import msgspec

from cdc.event import ABSENT, Key, PlainRow, RowState
from cdc.ordering import cells_of
from cdc.plain_state import ESCAPES, Row, copy_texts, state_of
from cdc.runs import PlainRun
from sinks.postgres.collapse import apart, collapse
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


def stage(layout: Layout, rows: Sequence[Row], plain: Sequence[PlainRun] = ()) -> list[Group]:
    """Return the COPY groups of a batch, at most one row a key."""
    alone, met = apart(rows, plain)
    forms, general, deletions = _by_form(layout, collapse(layout, [*rows, *met]), alone)
    kept = sorted(forms, key=lambda touched: forms[touched].size, reverse=True)
    kept = [touched for i, touched in enumerate(kept) if i == 0 or (i < MAX_GROUPS and forms[touched].size >= MIN_GROUP_ROWS)]
    for touched in forms.keys() - set(kept):
        general += [state_of(layout.table, row) for row in forms[touched].rows]
    groups = [_simple_group(layout, touched, forms[touched], i) for i, touched in enumerate(kept)]
    if general:
        groups.append(_group([_general_line(layout, state, len(groups)) for state in general], None))
    if deletions:
        groups.append(_group(_deletion_lines(deletions, len(groups)), DELETION))
    return groups


def stage_keys(keys: Iterable[tuple[Key, int]]) -> bytes:
    """Return COPY lines of bare keys, each with a timestamp: what range deletions cover."""
    return _encoded([_line((*key, str(timestamp))) for key, timestamp in keys])


class _Form(NamedTuple):
    """Rows that only write values, all to the same columns."""

    runs: list[PlainRun]
    plain: list[PlainRow]
    states: list[RowState]

    @property
    def size(self) -> int:
        return sum(map(len, self.runs)) + len(self.plain) + len(self.states)

    @property
    def rows(self) -> list[Row]:
        return [*(row for run in self.runs for row in run.rows()), *self.plain, *self.states]


class _ByForm(NamedTuple):
    """Rows that only write values, by the columns they touch; all others but bare row deletions; and those."""

    forms: Mapping[Touched, _Form]
    general: list[RowState]
    deletions: list[RowState]


def _by_form(layout: Layout, rows: Collection[Row], runs: Iterable[PlainRun]) -> _ByForm:
    forms: dict[Touched, _Form] = defaultdict(lambda: _Form([], [], []))
    general: list[RowState] = []
    deletions: list[RowState] = []
    touched_by: dict[tuple[type, ...], Touched] = {}
    whole = tuple(range(len(layout.columns)))
    for run in runs:
        forms[run.touched].runs.append(run)
    for row in [row for row in rows if type(row) is PlainRow]:
        forms[row.touched].plain.append(row)
    for state in [row for row in rows if type(row) is RowState]:
        if state.is_whole:
            forms[whole].states.append(state)
            continue
        kinds = tuple(map(type, state.values))
        touched = touched_by[kinds] if kinds in touched_by else touched_by.setdefault(kinds, _touched(kinds))
        if touched == () and state.deletion is not None and state.marker is None:
            deletions.append(state)
        elif touched is None or state.stamps or state.expires or state.deletion is not None or state.marker_expires is not None:
            general.append(state)
        else:
            forms[touched].states.append(state)
    return _ByForm(forms, general, deletions)


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


def _simple_group(layout: Layout, touched: Touched, form: _Form, group: int) -> Group:
    plain = [line for run in form.runs for line in run.lines] + [row.line for row in form.plain]
    lines = (b"%d\n" % group).join([*plain, b""])
    return Group(touched, form.size, lines + _encoded(_simple_lines(layout, touched, form.states, group)))


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
