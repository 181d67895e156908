"""The statements of one mirrored table, built from its layout. Run with named parameters: `now` (seconds), `rows` and others.

Every join starts at the small staging table and looks the other side up by its primary key: the session settings of
`sinks.postgres.connection` leave the planner no other way.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Final, Literal

from sinks.postgres.expressions import (
    NOW,
    TIED,
    DeletionMerge,
    GeneralMerge,
    SimpleMerge,
    deletion,
    dense_cells,
    expiry,
    marker_expiry,
    slots,
    stripped,
    tie,
    visible,
    written_at,
)
from sinks.postgres.layout import Layout, StoredColumn

METADATA = ("_cdc_ts", "_cdc_marker", "_cdc_cells", "_cdc_expires", "_cdc_sweep_at")
SIMPLE_METADATA = ("_cdc_ts", "_cdc_marker")
OF_GROUPS = "s._cdc_group = ANY(%(groups)s::smallint[])"
STATEMENT_CACHE = 512  # sets of touched columns remembered over all tables: an application has few

DELETION: Final = "deletion"
Touched = tuple[int, ...] | Literal["deletion"] | None
"""Positions of the columns that all rows of a group write plainly; `DELETION` of bare row deletions; None: the general form."""


def create_stage(layout: Layout) -> str:
    """Return DDL of the session's staging table; its rows go with the transaction.

    The group stands first: every step reads it of every row.
    """
    name = layout.stage.removeprefix("pg_temp.")
    return f"CREATE TEMPORARY TABLE IF NOT EXISTS {name} (_cdc_group smallint, LIKE {layout.relation}) ON COMMIT DELETE ROWS"


def copy_stage(layout: Layout, touched: Touched) -> str:
    """Return the COPY of one group into the staging table."""
    columns = ", ".join([*_columns(layout, touched), *_metadata(touched), "_cdc_group"]).replace("%%", "%")
    return f"COPY {layout.stage} ({columns}) FROM STDIN"


def copy_keys(layout: Layout) -> str:
    """Return the COPY of bare keys with a timestamp into the staging table."""
    return f"COPY {layout.stage} ({layout.key_list}, _cdc_ts) FROM STDIN".replace("%%", "%")


@lru_cache(STATEMENT_CACHE)
def update(layout: Layout, touched: Touched) -> str:
    """Return the guarded merge of those rows of one group that are there, in key order."""
    merge = _merge(layout, touched, "s")
    staged = _staged(layout, [*_columns(layout, touched), *METADATA])
    return (
        f"UPDATE {layout.relation} AS t SET {_assign(merge.assignments())} FROM {staged} AS s"
        f" WHERE {layout.same_key('t', 's')} AND ({merge.changes()})"
    )


@lru_cache(STATEMENT_CACHE)
def bury_covered(layout: Layout) -> str:
    """Return the burial of those rows of a group of deletions that are there and wholly covered; they leave the stage.

    Whoever deletes a row holds it as a claim would: the graveyard has no such key, and whoever inserts it waits.
    """
    dead = ", ".join(f"dead.{column.sql}" for column in layout.key)
    cells = slots(layout, "dead._cdc_ts", {c.name: "NULL" for c in layout.columns})
    return (
        f"WITH dead AS (DELETE FROM {layout.relation} AS t"
        f" USING {_staged(layout, ['ctid AS _cdc_place', layout.key_list, '_cdc_ts'])} AS s"
        f" WHERE {layout.same_key('t', 's')} AND {_newest('t')} <= s._cdc_ts RETURNING s.*),"
        f" buried AS (INSERT INTO {layout.graveyard} ({layout.key_list}, _cdc_ts, _cdc_cells, stored_at)"
        f" SELECT {dead}, dead._cdc_ts, {cells}, to_timestamp({NOW}) FROM dead)"
        f" DELETE FROM {layout.stage} AS s USING dead WHERE s.ctid = dead._cdc_place"
    )


@lru_cache(STATEMENT_CACHE)
def set_apart(layout: Layout, touched: Touched) -> str:
    """Return what gives the number `rest` to those staged rows of a group that are not there, or would change what is."""
    changes = _merge(layout, touched, "s").changes()
    return (
        f"UPDATE {layout.stage} AS s SET _cdc_group = %(rest)s WHERE s._cdc_group = %(group)s AND NOT EXISTS"
        f" (SELECT 1 FROM {layout.relation} AS t WHERE {layout.same_key('t', 's')} AND ({changes}) IS NOT TRUE OFFSET 0)"
    )


@lru_cache(STATEMENT_CACHE)
def upsert(layout: Layout, touched: Touched) -> str:
    """Return the claim and guarded merge of one group: absent keys are inserted, others locked and merged, in key order."""
    columns = [*_columns(layout, touched), *_metadata(touched)]
    values = list(columns)
    if touched == DELETION:
        columns.append("_cdc_cells")
        values.append(slots(layout, "_cdc_ts", {c.name: "NULL" for c in layout.columns}))
    merge = _merge(layout, touched, "excluded")
    return (
        f"INSERT INTO {layout.relation} AS t ({', '.join(columns)})"
        f" SELECT {', '.join(values)} FROM {layout.stage} WHERE _cdc_group = %(group)s ORDER BY {layout.key_list}"
        f" ON CONFLICT ({layout.key_list}) DO UPDATE SET {_assign(merge.assignments())} WHERE {merge.changes()}"
    )


@lru_cache(STATEMENT_CACHE)
def lock_staged(layout: Layout) -> str:
    """Return the claim of what is there: the staged keys' rows, locked in key order before any group is merged."""
    ordered = ", ".join(f"s.{column.sql}" for column in layout.key)
    return (
        f"SELECT count(*) FROM (SELECT 1 FROM {layout.stage} AS s JOIN {layout.relation} AS t"
        f" ON {layout.same_key('t', 's')} ORDER BY {ordered} FOR UPDATE OF t) AS locked"
    )


@lru_cache(STATEMENT_CACHE)
def select_ties(layout: Layout) -> str:
    """Return the query of what only Cassandra's bytes decide: the key, then stored and staged text a column (NULL: no tie)."""
    sides = [f"CASE WHEN {tie('s', c)} THEN {side}.{c.sql}::text END" for c in layout.columns for side in ("t", "s")]
    keys = [f"s.{column.sql}::text" for column in layout.key]
    return (
        f"SELECT {', '.join(keys + sides)} FROM {layout.stage} AS s JOIN {layout.relation} AS t"
        f" ON {layout.same_key('t', 's')} WHERE t._cdc_sweep_at = {TIED}"
    )


@lru_cache(STATEMENT_CACHE)
def select_pending(layout: Layout) -> str:
    """Return what is left to do: whether the graveyard holds anything, anything has expired, bytes must decide anything.

    And how many rows the session has inserted into the table `relation`, in this transaction or not long before.
    """
    due = f"SELECT 1 FROM {layout.relation} WHERE _cdc_sweep_at"
    expired = f"{due} > {TIED} AND _cdc_sweep_at <= {NOW}"
    inserted = "pg_stat_get_xact_tuples_inserted(%(relation)s::regclass)"
    return f"SELECT EXISTS (SELECT 1 FROM {layout.graveyard}), EXISTS ({expired}), EXISTS ({due} = {TIED}), {inserted}"


def decide_tie(layout: Layout, column: int) -> str:
    """Return the update that gives a tied cell its winning bytes: parameters `value`, then the key's columns."""
    stored = layout.columns[column]
    keys = " AND ".join(f"{c.sql} = %s::{c.type}" for c in layout.key)
    return f"UPDATE {layout.relation} SET {stored.sql} = %s::{stored.type} WHERE {keys}"


@lru_cache(STATEMENT_CACHE)
def fold_graveyard(layout: Layout) -> str:
    """Return the fold: what the graveyard has of the keys of `groups` is taken out and merged into their claimed rows.

    Their staged rows get the number `folded`.
    """
    return (
        f"WITH g AS (DELETE FROM {layout.graveyard} AS y USING {layout.stage} AS s WHERE {layout.same_key('y', 's')}"
        f" AND {OF_GROUPS} RETURNING y.*, s.ctid AS _cdc_place),"
        f" merged AS (UPDATE {layout.relation} AS t SET {_assign(GeneralMerge(layout, 'g').assignments())}"
        f" FROM g WHERE {layout.same_key('t', 'g')})"
        f" UPDATE {layout.stage} AS s SET _cdc_group = %(folded)s FROM g WHERE s.ctid = g._cdc_place"
    )


@lru_cache(STATEMENT_CACHE)
def bury_invisible(layout: Layout, *, some_groups: bool = False) -> str:
    """Return the burial: staged keys (of some `groups`, or all) whose rows `SELECT` must not show move to the graveyard."""
    of_groups = f" AND {OF_GROUPS}" if some_groups else ""
    kept = ", ".join(f"t.{column.sql}" for column in layout.key)
    return (
        f"WITH dead AS (DELETE FROM {layout.relation} AS t USING {layout.stage} AS s"
        f" WHERE {layout.same_key('t', 's')} AND NOT ({visible(layout)}){of_groups}"
        f" RETURNING {kept}, t._cdc_ts, t._cdc_marker, {dense_cells(layout)}, t._cdc_expires)"
        f" INSERT INTO {layout.graveyard} ({layout.key_list}, _cdc_ts, _cdc_marker, _cdc_cells, _cdc_expires, stored_at)"
        f" SELECT dead.*, to_timestamp({NOW}) FROM dead"
    )


@lru_cache(STATEMENT_CACHE)
def erase_expired(layout: Layout, *, some_groups: bool = False) -> str:
    """Return the sweep of staged keys' rows (of some `groups`, or all) that are due: values go, stamps and expiries stay."""
    of_groups = f" AND {OF_GROUPS}" if some_groups else ""
    sets = {c.sql: f"CASE WHEN ({expiry('t', c)} <= {NOW}) IS NOT TRUE THEN t.{c.sql} END" for c in layout.columns}
    pending = [
        f"CASE WHEN t.{c.sql} IS NOT NULL AND {expiry('t', c)} > {NOW} THEN {expiry('t', c)} END" for c in layout.columns
    ]
    pending.append(f"CASE WHEN {marker_expiry('t')} > {NOW} THEN {marker_expiry('t')} END")
    sets |= {"_cdc_cells": dense_cells(layout), "_cdc_sweep_at": f"LEAST({', '.join(pending)})"}
    return (
        f"UPDATE {layout.relation} AS t SET {_assign(sets)} FROM {layout.stage} AS s"
        f" WHERE {layout.same_key('t', 's')} AND t._cdc_sweep_at <= {NOW}{of_groups}"
    )


def select_due(layouts: Sequence[Layout]) -> str:
    """Return the query of the ids of those tables that hold something due."""
    looks = [f"SELECT 1 FROM {layout.relation} WHERE _cdc_sweep_at <= {NOW}" for layout in layouts]
    ids = [layout.table_id for layout in layouts]
    return " UNION ALL ".join(f"SELECT {table_id} WHERE EXISTS ({look})" for table_id, look in zip(ids, looks, strict=True))


@lru_cache(STATEMENT_CACHE)
def stage_due(layout: Layout) -> str:
    """Return the query that stages a bounded number of due rows nobody else holds."""
    return (
        f"INSERT INTO {layout.stage} ({layout.key_list}, _cdc_ts) SELECT {layout.key_list}, 0 FROM {layout.relation}"
        f" WHERE _cdc_sweep_at <= {NOW} ORDER BY _cdc_sweep_at LIMIT %(rows)s FOR UPDATE SKIP LOCKED"
    )


@lru_cache(STATEMENT_CACHE)
def delete_covered(layout: Layout) -> str:
    """Return the deletion of staged keys' rows that a range deletion at the staged `_cdc_ts` covers wholly."""
    return (
        f"DELETE FROM {layout.relation} AS t USING {layout.stage} AS s"
        f" WHERE {layout.same_key('t', 's')} AND {_newest('t')} <= s._cdc_ts"
    )


@lru_cache(STATEMENT_CACHE)
def strip_covered(layout: Layout) -> str:
    """Return the update that takes covered cells, expiries and markers out of staged keys' rows."""
    sets = stripped(layout, "s._cdc_ts", deletion("t"))
    covered = " OR ".join(["t._cdc_marker <= s._cdc_ts", *(f"({written_at('t', c)}) <= s._cdc_ts" for c in layout.columns)])
    return (
        f"UPDATE {layout.relation} AS t SET {_assign(sets)} FROM {layout.stage} AS s"
        f" WHERE {layout.same_key('t', 's')} AND ({covered})"
    )


def _merge(layout: Layout, touched: Touched, other: str) -> SimpleMerge | DeletionMerge | GeneralMerge:
    if touched is None:
        return GeneralMerge(layout, other)
    return DeletionMerge(layout, other) if touched == DELETION else SimpleMerge(layout, touched, other)


def _columns(layout: Layout, touched: Touched) -> list[str]:
    if touched is None:
        cells: Sequence[StoredColumn] = layout.columns
    else:
        cells = () if touched == DELETION else [layout.columns[i] for i in touched]
    return [column.sql for column in (*layout.key, *cells)]


def _metadata(touched: Touched) -> tuple[str, ...]:
    if touched is None:
        return METADATA
    return ("_cdc_ts",) if touched == DELETION else SIMPLE_METADATA


def _staged(layout: Layout, columns: Sequence[str]) -> str:
    """Return a group's staged rows as a subquery: in key order, the order in which all sessions lock."""
    return f"(SELECT {', '.join(columns)} FROM {layout.stage} WHERE _cdc_group = %(group)s ORDER BY {layout.key_list})"


def _newest(alias: str) -> str:
    return f"GREATEST({alias}._cdc_ts, {alias}._cdc_marker, {deletion(alias)})"


def _assign(sets: Mapping[str, str]) -> str:
    return ", ".join(f"{column} = {expression}" for column, expression in sets.items())
