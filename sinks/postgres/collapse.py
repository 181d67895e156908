"""At most one row a key of a batch: what plain rows say is looked into only where they meet others."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Sequence
from operator import attrgetter

from cdc.event import PlainRow
from cdc.ordering import merge
from cdc.plain_state import Row, key_texts, state_of
from cdc.runs import PlainRun
from sinks.postgres.layout import Layout

_write_ts = attrgetter("write_ts")


def apart(rows: Sequence[Row], plain: Sequence[PlainRun]) -> tuple[list[PlainRun], list[PlainRow]]:
    """Return the runs without the rows that share a key with another row of the batch, and these."""
    keys = [key for run in plain for key in run.keys]
    keys += key_texts(rows) if keys else ()
    if len(set(keys)) == len(keys):
        return [*plain], []
    shared = {key for key, count in Counter(keys).items() if count > 1}
    alone: list[PlainRun] = []
    met: list[PlainRow] = []
    for run in plain:
        places = [at for at, key in enumerate(run.keys) if key in shared]
        met += map(run.row, places)
        alone.append(run.some([at for at, key in enumerate(run.keys) if key not in shared]) if places else run)
    return [run for run in alone if len(run)], met


def collapse(layout: Layout, rows: Sequence[Row]) -> Collection[Row]:
    """Return the join of the rows of each key; a plain row that is alone with its key, or replaces the others, stays plain."""
    keys = key_texts(rows)
    collapsed = dict(zip(keys, rows, strict=True))
    if len(collapsed) == len(rows):
        return rows
    collapsed.clear()
    for key, row in zip(keys, rows, strict=True):
        known = collapsed.setdefault(key, row)
        if known is not row:
            collapsed[key] = _joined(layout, known, row)
    return collapsed.values()


def _joined(layout: Layout, left: Row, right: Row) -> Row:
    older, newer = sorted((left, right), key=_write_ts)
    if type(older) is PlainRow and type(newer) is PlainRow and _replaces(newer, older):
        return newer
    return merge(state_of(layout.table, left), state_of(layout.table, right), layout.serializers)


def _replaces(newer: PlainRow, older: PlainRow) -> bool:
    """Return whether nothing is left of the older row: all its cells are written later, and its marker."""
    if newer.write_ts == older.write_ts or newer.touched != older.touched:
        return False
    return older.marker is None or (newer.marker is not None and newer.marker >= older.marker)
