"""Changes as nearly all of them come: a state that says nothing but values, as a plain row."""

from __future__ import annotations

import zlib
from array import array
from collections.abc import Iterable, Sequence

from cdc.event import ABSENT, Change, PlainRow, RowState
from cdc.plain_state import copy_texts, row_state
from cdc.runs import WITH_MARKER, PlainRun, RecordRun

NULL = rb"\N"


def plain_row(state: RowState) -> PlainRow | None:
    """Return the state as a plain row, None where it says more than values, or nothing."""
    touched = tuple(position for position, value in enumerate(state.values) if value is not ABSENT)
    values = [value for value in state.values if isinstance(value, str)]
    more = (state.stamps, state.expires, state.marker_expires, state.deletion)
    if len(values) < len(touched) or any(part is not None for part in more) or (not touched and state.marker is None):
        return None
    key, text = (line.encode() for line in copy_texts([state.key, [*state.key, *values]]))
    marker = NULL if state.marker is None else b"%d" % state.marker
    return PlainRow(key, b"%s\t%d\t%s\t" % (text, state.write_ts, marker), touched, state.write_ts, state.marker)


def as_plain(change: Change) -> Change:
    """Return the change, plain if it can be."""
    plain = plain_row(change.what) if isinstance(change.what, RowState) else None
    return change if plain is None else Change(change.table, plain, change.record)


def as_state(change: Change) -> Change:
    """Return the change, a plain row as the state that it holds."""
    what = change.what
    return Change(change.table, row_state(change.table, what), change.record) if isinstance(what, PlainRow) else change


def in_runs(changes: Iterable[Change]) -> tuple[list[Change], list[PlainRun]]:
    """Return about half of the plain rows in runs, as the flow hands nearly all of them on, and all other changes."""
    others: list[Change] = []
    together: dict[object, list[Change]] = {}
    for change in changes:
        what = change.what
        if isinstance(what, PlainRow) and what.marker in (None, what.write_ts) and zlib.crc32(what.line) % 2:
            together.setdefault((id(change.table), what.touched, change.record.topic, change.record.partition), []).append(
                change
            )
        else:
            others.append(change)
    return others, list(map(_run, together.values()))


def _run(changes: Sequence[Change]) -> PlainRun:
    table, topic, partition = changes[0].table, changes[0].record.topic, changes[0].record.partition
    rows = [change.what for change in changes if isinstance(change.what, PlainRow)]
    records = RecordRun.of(topic, partition, [change.record for change in changes])
    return PlainRun(
        table,
        rows[0].touched,
        records,
        [row.key for row in rows],
        [row.line for row in rows],
        array("q", [row.write_ts for row in rows]),
        bytes([1 if row.marker is None else WITH_MARKER for row in rows]),
    )


def perhaps_plain(change: Change) -> Change:
    """Return the change, plain in about half of the cases that can be: its content decides."""
    state = as_state(change)
    content = repr((state.what, change.record.offset))
    return as_plain(state) if zlib.crc32(content.encode()) % 2 else state
