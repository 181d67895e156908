"""SQL expressions of the merge: last write wins per cell, as `cdc.ordering` says it.

`t` is always the table's row. The other side goes by its alias: `excluded` for a staged row in an upsert, `s` for the staging
table, `g` for what was taken from the graveyard. All sides carry the same metadata columns, so one text serves them.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from sinks.postgres.layout import DELETION_SLOT, Layout, StoredColumn

NEVER = "'-9223372036854775808'::bigint"  # Cassandra keeps this timestamp for "none"
NOW = "%(now)s::bigint"
SLOTS_A_PIECE = 8  # from so many on an array is put together from pieces
TIED = NEVER  # as `_cdc_sweep_at`: bytes must decide a cell of the row before the transaction ends


def written_at(alias: str, column: StoredColumn) -> str:
    """Return the write timestamp of a cell, NULL when it was never written. `g` holds no values, so it is always dense."""
    dense = f"{alias}._cdc_cells[{column.slot}]"
    if alias == "g":
        return dense
    sparse = f"CASE WHEN {alias}.{column.sql} IS NOT NULL THEN {alias}._cdc_ts END"
    return f"CASE WHEN {alias}._cdc_cells IS NULL THEN {sparse} ELSE {dense} END"


def value(alias: str, column: StoredColumn) -> str:
    """Return a cell's value."""
    return f"NULL::{column.type}" if alias == "g" else f"{alias}.{column.sql}"


def expiry(alias: str, column: StoredColumn) -> str:
    """Return a cell's expiry in seconds, NULL when it does not expire."""
    return f"{alias}._cdc_expires[{column.slot}]"


def deletion(alias: str) -> str:
    """Return the timestamp of the row deletion."""
    return f"{alias}._cdc_cells[{DELETION_SLOT}]"


def marker_expiry(alias: str) -> str:
    """Return the row marker's expiry in seconds."""
    return f"{alias}._cdc_expires[{DELETION_SLOT}]"


def slots(layout: Layout, first: str, of_column: dict[str, str]) -> str:
    """Return an array constructor: `first`, then `of_column` by column name, NULL in the slots of dropped columns."""
    parts = [first]
    for slot in range(DELETION_SLOT + 1, layout.slots + 1):
        column = layout.by_slot.get(slot)
        parts.append("NULL" if column is None else of_column[column.name])
    return f"ARRAY[{', '.join(parts)}]::bigint[]"


def changed(layout: Layout, array: str, of_slot: Mapping[int, str], whole: str) -> str:
    """Return `whole`, an array of which all slots but those of `of_slot` are `array`'s, in the way that costs least.

    An element of an array with NULLs is found by going through all before it, so an array made of its elements costs their
    square. One put together from pieces does not; of pieces only an array that has all slots can be made.
    """
    pieces: list[str] = []
    last = 0
    for slot in sorted(of_slot):
        pieces += [f"{array}[{last + 1}:{slot - 1}]"] if slot > last + 1 else []
        pieces.append(f"ARRAY[{of_slot[slot]}]")
        last = slot
    pieces += [f"{array}[{last + 1}:{layout.slots}]"] if last < layout.slots else []
    if len(pieces) * SLOTS_A_PIECE > layout.slots:
        return whole
    return f"CASE WHEN cardinality({array}) = {layout.slots} THEN {' || '.join(pieces)} ELSE {whole} END"


def dense_cells(layout: Layout, alias: str = "t") -> str:
    """Return a row's `_cdc_cells` in dense form, whatever form it has."""
    built = slots(layout, deletion(alias), {c.name: written_at(alias, c) for c in layout.columns})
    return f"COALESCE({alias}._cdc_cells, {built})"


def visible(layout: Layout, alias: str = "t") -> str:
    """Return the condition under which `SELECT` shows a row at `now`."""
    if_marker = f"{alias}._cdc_marker IS NOT NULL"
    if_cells = [f"{alias}.{c.sql} IS NOT NULL" for c in layout.columns]
    unexpiring = " OR ".join([if_marker, *if_cells])
    live = [f"({if_marker} AND ({marker_expiry(alias)} > {NOW}) IS NOT FALSE)"]
    live += [
        f"({is_there} AND ({expiry(alias, c)} > {NOW}) IS NOT FALSE)"
        for is_there, c in zip(if_cells, layout.columns, strict=True)
    ]
    return f"CASE WHEN {alias}._cdc_expires IS NULL THEN ({unexpiring}) ELSE ({' OR '.join(live)}) END"


def stripped(layout: Layout, floor: str, row_deletion: str) -> dict[str, str]:
    """Return the new values of a row without what was written up to `floor`; its row deletion is then `row_deletion`."""
    lives = {c.name: f"{written_at('t', c)} > {floor}" for c in layout.columns}
    marker_lives = f"t._cdc_marker > {floor}"
    sets = {c.sql: f"CASE WHEN {lives[c.name]} THEN t.{c.sql} END" for c in layout.columns}
    sets["_cdc_marker"] = f"CASE WHEN {marker_lives} THEN t._cdc_marker END"
    stamps = {c.name: f"CASE WHEN {lives[c.name]} THEN {written_at('t', c)} END" for c in layout.columns}
    sets["_cdc_cells"] = slots(layout, row_deletion, stamps)
    expires = {c.name: f"CASE WHEN {lives[c.name]} THEN {expiry('t', c)} END" for c in layout.columns}
    kept = slots(layout, f"CASE WHEN {marker_lives} THEN {marker_expiry('t')} END", expires)
    sets["_cdc_expires"] = f"CASE WHEN t._cdc_expires IS NOT NULL THEN {kept} END"
    return sets


class SimpleMerge:
    """Merge of staged rows that write one live, unexpiring value at one timestamp to each of the `touched` columns.

    The common case, in the fewest expressions: a full insert or update stays sparse, a late one changes nothing.
    """

    def __init__(self, layout: Layout, touched: Iterable[int], other: str) -> None:
        self._layout = layout
        self._other = other
        self._touched = [layout.columns[i] for i in touched]
        names = {column.name for column in self._touched}
        self._others = [column for column in layout.columns if column.name not in names]
        self._newer = f"{self._other}._cdc_ts > t._cdc_ts"
        self._survives = f"{self._other}._cdc_ts > COALESCE({deletion('t')}, {NEVER})"
        self._marker_wins = (
            f"{self._other}._cdc_marker > GREATEST(COALESCE(t._cdc_marker, {NEVER}), COALESCE({deletion('t')}, {NEVER}))"
        )

    def changes(self) -> str:
        """Return the condition under which the staged row changes the table's."""
        wins = [f"({self._wins(column)})" for column in self._touched]
        newer = [self._newer] if wins else []
        return " OR ".join([*newer, f"COALESCE({self._marker_wins}, FALSE)", *wins, any_tie(self._other, self._touched)])

    def assignments(self) -> dict[str, str]:
        """Return the new value of each column of the table that can change."""
        sets = {
            c.sql: f"CASE WHEN {self._newer} OR ({self._wins(c)}) THEN {self._other}.{c.sql} ELSE t.{c.sql} END"
            for c in self._touched
        }
        sets["_cdc_marker"] = f"CASE WHEN {self._marker_wins} THEN {self._other}._cdc_marker ELSE t._cdc_marker END"
        if self._touched:
            sparse = self._sparse()
            sets["_cdc_ts"] = (
                f"CASE WHEN {sparse} THEN {self._other}._cdc_ts ELSE GREATEST(t._cdc_ts, {self._other}._cdc_ts) END"
            )
            sets["_cdc_cells"] = f"CASE WHEN {sparse} THEN NULL ELSE {self._cells()} END"
            sets["_cdc_sweep_at"] = f"CASE WHEN {any_tie(self._other, self._touched)} THEN {TIED} ELSE t._cdc_sweep_at END"
        sets["_cdc_expires"] = f"CASE WHEN t._cdc_expires IS NOT NULL THEN {self._expires()} END"
        return sets

    def _cell(self, column: StoredColumn) -> str:
        return f"CASE WHEN {self._newer} OR ({self._wins(column)}) THEN {self._other}.{column.sql} ELSE t.{column.sql} END"

    def _wins(self, column: StoredColumn) -> str:
        return f"{self._survives} AND {self._other}._cdc_ts > COALESCE({written_at('t', column)}, {NEVER})"

    def _sparse(self) -> str:
        """Return when every non-null cell of the result has the staged timestamp and no other was ever written."""
        unwritten = [f"t.{c.sql} IS NULL AND t._cdc_cells[{c.slot}] IS NULL" for c in self._others]
        fresh = [f"t.{c.sql} IS NULL AND t._cdc_cells[{c.slot}] IS NULL" for c in self._touched]
        same = f"t._cdc_cells IS NULL AND {self._other}._cdc_ts = t._cdc_ts"
        covered = " AND ".join([f"{deletion('t')} IS NULL", f"({self._newer} OR ({' AND '.join(fresh)}))", *unwritten])
        return f"({same}) OR ({covered})"

    def _cells(self) -> str:
        theirs = f"{self._other}._cdc_ts"
        mine = f"CASE WHEN {self._survives} THEN {theirs} END"
        stamps = {
            c.name: f"CASE WHEN {self._newer} THEN {theirs} ELSE GREATEST({written_at('t', c)}, {mine}) END"
            for c in self._touched
        }
        whole = slots(self._layout, deletion("t"), stamps | {c.name: written_at("t", c) for c in self._others})
        return changed(self._layout, "t._cdc_cells", {c.slot: stamps[c.name] for c in self._touched}, whole)

    def _expires(self) -> str:
        kept = {c.name: f"CASE WHEN NOT ({self._newer} OR ({self._wins(c)})) THEN {expiry('t', c)} END" for c in self._touched}
        kept |= {c.name: expiry("t", c) for c in self._others}
        return slots(self._layout, f"CASE WHEN ({self._marker_wins}) IS NOT TRUE THEN {marker_expiry('t')} END", kept)


class DeletionMerge:
    """Merge of staged keys whose rows were deleted at the staged `_cdc_ts`, and nothing else."""

    def __init__(self, layout: Layout, other: str) -> None:
        self._layout = layout
        self._deletion = f"{other}._cdc_ts"

    def changes(self) -> str:
        """Return the condition under which the deletion changes the table's row."""
        return f"{self._deletion} > COALESCE({deletion('t')}, {NEVER})"

    def assignments(self) -> dict[str, str]:
        """Return the new value of each column of the table that can change."""
        sets = stripped(self._layout, self._deletion, self._deletion)
        return sets | {"_cdc_ts": f"GREATEST(t._cdc_ts, {self._deletion})"}


class GeneralMerge:
    """Merge of any two row states: tombstones, expiries, several timestamps, a row deletion."""

    def __init__(self, layout: Layout, other: str) -> None:
        self._layout = layout
        self._other = other
        self._deletion = f"GREATEST({deletion('t')}, {deletion(other)})"
        self._floor = f"COALESCE({self._deletion}, {NEVER})"

    def changes(self) -> str:
        """Return the condition under which the other side changes the table's row."""
        deleted = f"COALESCE({deletion(self._other)} > COALESCE({deletion('t')}, {NEVER}), FALSE)"
        cells = [f"({self._takes(c)} AND {written_at(self._other, c)} > {self._floor})" for c in self._layout.columns]
        marker = f"({self._takes_marker()} AND {self._other}._cdc_marker > {self._floor})"
        return " OR ".join([deleted, marker, *cells, *self._ties()])

    def assignments(self) -> dict[str, str]:
        """Return the new value of each column of the table that can change."""
        layout, other = self._layout, self._other
        sets = {c.sql: self._live(c, value(other, c), value("t", c)) for c in layout.columns}
        stamps = {c.name: self._live(c, written_at(other, c), written_at("t", c)) for c in layout.columns}
        expires = {c.name: self._live(c, expiry(other, c), expiry("t", c)) for c in layout.columns}
        sets["_cdc_marker"] = self._live_marker(f"{other}._cdc_marker", "t._cdc_marker")
        sets["_cdc_ts"] = f"GREATEST(t._cdc_ts, {other}._cdc_ts)"
        sets["_cdc_cells"] = slots(layout, self._deletion, stamps)
        kept = slots(layout, self._live_marker(marker_expiry(other), marker_expiry("t")), expires)
        sets["_cdc_expires"] = f"CASE WHEN t._cdc_expires IS NOT NULL OR {other}._cdc_expires IS NOT NULL THEN {kept} END"
        if other != "g":  # what is in the graveyard has been swept
            due = f"LEAST(t._cdc_sweep_at, {other}._cdc_sweep_at)"
            sets["_cdc_sweep_at"] = f"CASE WHEN {any_tie(other, layout.columns)} THEN {TIED} ELSE {due} END"
        return sets

    def _ties(self) -> list[str]:
        return [] if self._other == "g" else [any_tie(self._other, self._layout.columns)]

    def _live(self, column: StoredColumn, theirs: str, mine: str) -> str:
        """Return what the winning side says of a cell, NULL when a row deletion covers it."""
        their_ts, my_ts = written_at(self._other, column), written_at("t", column)
        return (
            f"CASE WHEN {self._takes(column)} THEN CASE WHEN {their_ts} > {self._floor} THEN {theirs} END"
            f" WHEN {my_ts} > {self._floor} THEN {mine} END"
        )

    def _live_marker(self, theirs: str, mine: str) -> str:
        return (
            f"CASE WHEN {self._takes_marker()} THEN CASE WHEN {self._other}._cdc_marker > {self._floor} THEN {theirs} END"
            f" WHEN t._cdc_marker > {self._floor} THEN {mine} END"
        )

    def _takes(self, column: StoredColumn) -> str:
        """Return when the other side's cell wins: its rank is greater (bytes aside)."""
        their_ts, my_ts = written_at(self._other, column), written_at("t", column)
        theirs, mine = self._class(self._other, column), self._class("t", column)
        their_expiry, my_expiry = expiry(self._other, column), expiry("t", column)
        erased = f"{value('t', column)} IS NULL AND {value(self._other, column)} IS NOT NULL"
        expiring = f"{their_expiry} > {my_expiry} OR ({their_expiry} = {my_expiry} AND {erased})"
        tie = f"({their_ts} = {my_ts} AND ({theirs} > {mine} OR ({theirs} = 1 AND {mine} = 1 AND ({expiring}))))"
        return f"({their_ts} > COALESCE({my_ts}, {NEVER}) OR {tie}) IS TRUE"

    def _class(self, alias: str, column: StoredColumn) -> str:
        """Return 0 for a plain cell, 1 for an expiring one, 2 for a tombstone: the order of a tie."""
        return f"CASE WHEN {expiry(alias, column)} IS NOT NULL THEN 1 WHEN {value(alias, column)} IS NULL THEN 2 ELSE 0 END"

    def _takes_marker(self) -> str:
        theirs, mine = f"{self._other}._cdc_marker", "t._cdc_marker"
        their_expiry, my_expiry = marker_expiry(self._other), marker_expiry("t")
        tie = f"({theirs} = {mine} AND {their_expiry} IS NOT NULL AND ({my_expiry} IS NULL OR {their_expiry} > {my_expiry}))"
        return f"({theirs} > COALESCE({mine}, {NEVER}) OR {tie}) IS TRUE"


def tie(other: str, column: StoredColumn) -> str:
    """Return when two live cells are equal in all but their bytes."""
    differs = f"{other}.{column.sql}{column.compared} <> t.{column.sql}{column.compared}"
    same_expiry = f"{expiry(other, column)} IS NOT DISTINCT FROM {expiry('t', column)}"
    return f"({differs} AND {written_at(other, column)} = {written_at('t', column)} AND {same_expiry})"


def any_tie(other: str, columns: Iterable[StoredColumn]) -> str:
    """Return when bytes must decide a cell; a row whose newest write is older than the other's cannot have one."""
    ties = " OR ".join(tie(other, column) for column in columns) or "FALSE"
    return f"COALESCE({other}._cdc_ts <= t._cdc_ts AND ({ties}), FALSE)"
