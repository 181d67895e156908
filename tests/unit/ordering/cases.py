"""The rules of last write wins as data: what Cassandra keeps of two states of one row.

Every case holds in both orders; `want` is the joined state. The very same table is run against the SQL of the PostgreSQL sink.
The row has two columns of type `int`; as Cassandra bytes 2 > 1 and -1 > 2 (unsigned bytes, not numbers).
"""

from __future__ import annotations

from itertools import product
from typing import NamedTuple

from cdc.event import ABSENT, RowState, Value

KEY = ("1", "1")
SOON, LATE = 1_000, 2_000
"""Two expiries, seconds since 1970."""


class Case(NamedTuple):
    """Two states and what is kept of them, whichever comes first."""

    name: str
    left: RowState
    right: RowState
    want: RowState


class StripCase(NamedTuple):
    """A state, the time of a range deletion that covers its row, and what is left."""

    name: str
    state: RowState
    deletion_ts: int
    want: RowState | None


class SightCase(NamedTuple):
    """A state, a clock (seconds), and the regular columns that SELECT shows then; None: no row."""

    name: str
    state: RowState
    now: int
    want: list[str | None] | None


def cell(ts: int, value: str | None, expires: int | None = None) -> RowState:
    """Return a row of which only the first column was touched."""
    return RowState(KEY, ts, [value, ABSENT], expires=None if expires is None else [expires, None])


def tombstone(ts: int) -> RowState:
    return cell(ts, None)


def marker(ts: int, expires: int | None = None) -> RowState:
    """Return an INSERT of the key alone."""
    return RowState(KEY, ts, [ABSENT, ABSENT], marker=ts, marker_expires=expires)


def deletion(ts: int) -> RowState:
    return RowState(KEY, ts, [ABSENT, ABSENT], deletion=ts)


def insert(ts: int, first: Value, second: Value, expires: int | None = None) -> RowState:
    """Return an INSERT of both columns."""
    expiries = None if expires is None else [expires if isinstance(value, str) else None for value in (first, second)]
    return RowState(KEY, ts, [first, second], marker=ts, expires=expiries, marker_expires=expires)


def both(ts: int, values: list[Value], stamps: list[int | None]) -> RowState:
    return RowState(KEY, ts, values, stamps=stamps)


CELL_CASES = [
    Case("the later value wins", cell(1, "2"), cell(2, "1"), cell(2, "1")),
    Case("a negative timestamp is older than zero", cell(-5, "2"), cell(0, "1"), cell(0, "1")),
    Case("the extremes of 64 bits order", cell(-(2**63) + 1, "2"), cell(2**63 - 1, "1"), cell(2**63 - 1, "1")),
    Case("a later tombstone wins", cell(1, "1"), tombstone(2), tombstone(2)),
    Case("a later value ends a tombstone", tombstone(1), cell(2, "1"), cell(2, "1")),
    Case("a later plain value wins over an expiring one", cell(1, "1", LATE), cell(2, "2"), cell(2, "2")),
    Case("a later value that expires sooner wins", cell(1, "1", LATE), cell(2, "2", SOON), cell(2, "2", SOON)),
    Case("an untouched cell gives way", cell(1, "1"), marker(1), RowState(KEY, 1, ["1", ABSENT], marker=1)),
    Case("tie: the same value is one value", cell(1, "1"), cell(1, "1"), cell(1, "1")),
    Case("tie: the larger bytes win", cell(1, "1"), cell(1, "2"), cell(1, "2")),
    Case("tie: bytes compare unsigned, so a negative int is larger", cell(1, "2"), cell(1, "-1"), cell(1, "-1")),
    Case("tie: bytes compare as bytes, not as digits", cell(1, "9"), cell(1, "10"), cell(1, "10")),
    Case("tie: a tombstone beats a value", cell(1, "1"), tombstone(1), tombstone(1)),
    Case("tie: a tombstone beats an expiring value", cell(1, "1", LATE), tombstone(1), tombstone(1)),
    Case("tie: two tombstones are one", tombstone(1), tombstone(1), tombstone(1)),
    Case("tie: an expiring value beats a larger plain one", cell(1, "1", SOON), cell(1, "2"), cell(1, "1", SOON)),
    Case("tie: the later expiry beats the larger value", cell(1, "2", SOON), cell(1, "1", LATE), cell(1, "1", LATE)),
    Case("tie: on equal expiries the larger bytes win", cell(1, "1", SOON), cell(1, "2", SOON), cell(1, "2", SOON)),
    Case("tie: an expiry at the epoch is an expiry", cell(1, "1", 0), cell(1, "2"), cell(1, "1", 0)),
    Case("tie: an erased value keeps its rank over a plain one", cell(1, None, SOON), cell(1, "2"), cell(1, None, SOON)),
    Case("tie: an erased value gives way to its own value", cell(1, None, SOON), cell(1, "1", SOON), cell(1, "1", SOON)),
    Case("tie: an erased value loses to a later expiry", cell(1, None, SOON), cell(1, "1", LATE), cell(1, "1", LATE)),
    Case("tie: an erased value beats an earlier expiry", cell(1, None, LATE), cell(1, "1", SOON), cell(1, None, LATE)),
    Case("tie: an erased value loses to a tombstone", cell(1, None, SOON), tombstone(1), tombstone(1)),
    Case("an older erased value gives way", cell(1, None, SOON), cell(2, "1"), cell(2, "1")),
    Case("a later erased value hides an older one", cell(2, None, SOON), cell(1, "1"), cell(2, None, SOON)),
    Case(
        "each column is judged alone",
        both(2, ["1", "1"], [1, 2]),
        both(2, ["2", "2"], [2, 1]),
        RowState(KEY, 2, ["2", "1"]),
    ),
    Case(
        "columns keep their own timestamps",
        RowState(KEY, 1, ["1", "1"]),
        RowState(KEY, 2, [ABSENT, "2"]),
        both(2, ["1", "2"], [1, 2]),
    ),
    Case(
        "an expiry of one column leaves the other",
        cell(1, "1", SOON),
        RowState(KEY, 1, [ABSENT, "2"]),
        RowState(KEY, 1, ["1", "2"], expires=[SOON, None]),
    ),
]

MARKER_CASES = [
    Case("the later marker wins", marker(1), marker(2), marker(2)),
    Case("a later marker ends an expiring one", marker(1, LATE), marker(2), marker(2)),
    Case("a later expiring marker wins over a permanent one", marker(1), marker(2, SOON), marker(2, SOON)),
    Case("tie: an expiring marker beats a permanent one", marker(1), marker(1, SOON), marker(1, SOON)),
    Case("tie: an expiry at the epoch is an expiry", marker(1), marker(1, 0), marker(1, 0)),
    Case("tie: the later expiry wins", marker(1, SOON), marker(1, LATE), marker(1, LATE)),
    Case("an update does not touch the marker", marker(1), cell(2, "1"), RowState(KEY, 2, ["1", ABSENT], marker=1)),
    Case(
        "an update at the marker's own time does not touch it",
        marker(1, SOON),
        cell(1, "1"),
        RowState(KEY, 1, ["1", ABSENT], marker=1, marker_expires=SOON),
    ),
]

DELETION_CASES = [
    Case("a deletion takes what is older", insert(1, "1", "2"), deletion(2), deletion(2)),
    Case("a deletion takes what is as old", insert(1, "1", "2"), deletion(1), deletion(1)),
    Case("a deletion takes an expiring value as old", cell(1, "1", LATE), deletion(1), deletion(1)),
    Case("a deletion takes a tombstone as old", tombstone(1), deletion(1), deletion(1)),
    Case("a deletion takes an erased value", cell(1, None, LATE), deletion(2), deletion(2)),
    Case("a deletion takes a marker as old", marker(1, LATE), deletion(1), deletion(1)),
    Case("a later deletion wins", deletion(1), deletion(2), deletion(2)),
    Case("the same deletion twice is one", deletion(1), deletion(1), deletion(1)),
    Case("a later value stands", cell(2, "1"), deletion(1), RowState(KEY, 2, ["1", ABSENT], deletion=1)),
    Case("a later tombstone is remembered", tombstone(2), deletion(1), RowState(KEY, 2, [None, ABSENT], deletion=1)),
    Case("a later marker stands", marker(2), deletion(1), RowState(KEY, 2, [ABSENT, ABSENT], marker=2, deletion=1)),
    Case(
        "a deletion takes the older column and leaves the newer",
        both(3, ["1", "2"], [1, 3]),
        deletion(2),
        RowState(KEY, 3, [ABSENT, "2"], deletion=2),
    ),
    Case(
        "a deletion takes the marker and leaves a newer value",
        RowState(KEY, 3, ["1", ABSENT], marker=1),
        deletion(2),
        RowState(KEY, 3, ["1", ABSENT], deletion=2),
    ),
    Case(
        "a deletion takes a value and leaves a newer marker",
        RowState(KEY, 1, ["1", ABSENT], marker=3),
        deletion(2),
        RowState(KEY, 3, [ABSENT, ABSENT], marker=3, deletion=2),
    ),
    Case(
        "a row written after its deletion is a new row",
        RowState(KEY, 2, ["1", ABSENT], deletion=1),
        RowState(KEY, 1, ["2", "2"], marker=1),
        RowState(KEY, 2, ["1", ABSENT], deletion=1),
    ),
    Case(
        "a negative deletion leaves what is newer",
        deletion(-5),
        insert(-4, "1", ABSENT),
        RowState(KEY, -4, ["1", ABSENT], marker=-4, deletion=-5),
    ),
]

STRIP_CASES = [
    StripCase("a range deletion takes what is older", insert(1, "1", "2"), 2, None),
    StripCase("a range deletion takes what is as old", insert(2, "1", "2", SOON), 2, None),
    StripCase("a range deletion takes an erased value", cell(2, None, SOON), 2, None),
    StripCase("a range deletion takes an older row deletion", deletion(2), 2, None),
    StripCase("a range deletion leaves a later row deletion", deletion(3), 2, deletion(3)),
    StripCase("a range deletion leaves what is newer", insert(3, "1", None), 2, insert(3, "1", None)),
    StripCase("a range deletion leaves a later tombstone", tombstone(3), 2, tombstone(3)),
    StripCase(
        "a range deletion takes the older column and leaves the newer",
        RowState(KEY, 3, ["1", "2"], marker=1, stamps=[1, 3], expires=[SOON, LATE], marker_expires=SOON),
        2,
        RowState(KEY, 3, [ABSENT, "2"], expires=[None, LATE]),
    ),
    StripCase(
        "a range deletion leaves the marker alone when it is newer",
        RowState(KEY, 1, ["1", ABSENT], marker=3),
        2,
        marker(3),
    ),
    StripCase(
        "a range deletion in place of an older row deletion leaves the newer cells",
        RowState(KEY, 3, ["1", ABSENT], deletion=1),
        2,
        cell(3, "1"),
    ),
]

SIGHT_CASES = [
    SightCase("a marker alone is a row", marker(1), SOON, [None, None]),
    SightCase("a cell alone is a row", cell(1, "1"), SOON, ["1", None]),
    SightCase("a tombstone alone is no row", tombstone(1), SOON, None),
    SightCase("a deletion alone is no row", deletion(1), SOON, None),
    SightCase("a cell is seen until the second before its expiry", cell(1, "1", SOON), SOON - 1, ["1", None]),
    SightCase("a cell is gone in the second of its expiry", cell(1, "1", SOON), SOON, None),
    SightCase("a marker is gone in the second of its expiry", marker(1, SOON), SOON, None),
    SightCase("a marker holds the row of an expired cell", insert(1, "1", ABSENT), LATE, ["1", None]),
    SightCase("an erased value is not seen, whatever the clock", cell(1, None, LATE), SOON, None),
    SightCase(
        "a permanent marker shows null for an expired cell",
        RowState(KEY, 1, ["1", "2"], marker=1, expires=[SOON, None]),
        SOON,
        [None, "2"],
    ),
    SightCase(
        "a permanent marker holds a row of nulls",
        RowState(KEY, 1, ["1", ABSENT], marker=1, expires=[SOON, None]),
        SOON,
        [None, None],
    ),
    SightCase("a row inserted with a TTL is gone with it", insert(1, "1", ABSENT, SOON), SOON, None),
    SightCase(
        "a permanent cell outlives the marker",
        RowState(KEY, 1, ["1", "2"], marker=1, expires=[SOON, None], marker_expires=SOON),
        LATE,
        [None, "2"],
    ),
]

MERGE_CASES = [*CELL_CASES, *MARKER_CASES, *DELETION_CASES]

_CELLS: list[tuple[int, str | None, int | None] | None] = [
    None,
    *((ts, value, expires) for ts in (1, 2) for value, expires in (("1", None), ("2", None), (None, None))),
    *((ts, value, expires) for ts in (1, 2) for value in ("1", "2") for expires in (SOON, LATE)),
]
_MARKERS: list[tuple[int, int | None] | None] = [None, (1, None), (2, None), (1, SOON), (2, SOON), (1, LATE)]
_DELETIONS: list[int | None] = [None, 0, 1, 2]


def every_state(key: tuple[str, ...] = KEY) -> list[RowState]:
    """Return each state of a row that one column, a marker and a deletion can make of two timestamps and two expiries."""
    states = [
        _state(key, held, mark, gone)
        for held, mark, gone in product(_CELLS, _MARKERS, _DELETIONS)
        if held is not None or mark is not None or gone is not None
    ]
    return [state for state in states if _is_reduced(state)]


def _state(
    key: tuple[str, ...], held: tuple[int, str | None, int | None] | None, mark: tuple[int, int | None] | None, gone: int | None
) -> RowState:
    newest = next(ts for ts in (held and held[0], mark and mark[0], gone) if ts is not None)
    return RowState(
        key,
        newest,
        [held[1] if held else ABSENT, ABSENT],
        marker=mark[0] if mark else None,
        expires=[held[2], None] if held and held[2] is not None else None,
        marker_expires=mark[1] if mark else None,
        deletion=gone,
    )


def _is_reduced(state: RowState) -> bool:
    """Return whether the deletion covers nothing that the state still holds."""
    if state.deletion is None:
        return True
    held = state.values[0] is not ABSENT
    return not (held and state.write_ts <= state.deletion) and (state.marker is None or state.marker > state.deletion)
