"""The statements of one mirrored table, built from its layout. Run with named parameters: `now` (seconds), `rows` and others.

Every join starts at the small staging table and looks the other side up by its primary key: the session settings of
`sinks.postgres.connection` leave the planner no other way.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import lru_cache

from sinks.postgres.expressions import (
    NOW,
    TIED,
    GeneralMerge,
    SimpleMerge,
    deletion,
    dense_cells,
    expiry,
    marker_expiry,
    slots,
    tie,
    visible,
    written_at,
)
from sinks.postgres.layout import Layout

METADATA = ("_cdc_ts", "_cdc_marker", "_cdc_cells", "_cdc_expires", "_cdc_sweep_at")
SIMPLE_METADATA = ("_cdc_ts", "_cdc_marker")
STATEMENT_CACHE = 512  # sets of touched columns remembered over all tables: an application has few

Touched = tuple[int, ...] | None
"""Positions of the columns that all rows of a group write plainly; None for the general form."""


def create_stage(layout: Layout) -> str:
    """Return DDL of the session's staging table; its rows go with the transaction."""
    name = layout.stage.removeprefix("pg_temp.")
    return f"CREATE TEMPORARY TABLE IF NOT EXISTS {name} (LIKE {layout.relation}, _cdc_group smallint) ON COMMIT DELETE ROWS"


def copy_stage(layout: Layout, touched: Touched) -> str:
    """Return the COPY of one group into the staging table."""
    columns = ", ".join([*_columns(layout, touched), *_metadata(touched), "_cdc_group"]).replace("%%", "%")
    return f"COPY {layout.stage} ({columns}) FROM STDIN"


def copy_keys(layout: Layout) -> str:
    """Return the COPY of bare keys with a timestamp into the staging table."""
    return f"COPY {layout.stage} ({layout.key_list}, _cdc_ts) FROM STDIN".replace("%%", "%")


@lru_cache(STATEMENT_CACHE)
def upsert(layout: Layout, touched: Touched) -> str:
    """Return the claim and guarded merge of one group: absent keys are inserted, others locked and merged, in key order."""
    columns = [*_columns(layout, touched), *_metadata(touched)]
    merge = _merge(layout, touched, "excluded")
    return (
        f"INSERT INTO {layout.relation} AS t ({', '.join(columns)})"
        f" SELECT {', '.join(columns)} FROM {layout.stage} WHERE _cdc_group = %(group)s ORDER BY {layout.key_list}"
        f" ON CONFLICT ({layout.key_list}) DO UPDATE SET {_assign(merge.assignments())} WHERE {merge.changes()}"
    )


@lru_cache(STATEMENT_CACHE)
def drop_unchanging(layout: Layout, touched: Touched) -> str:
    """Return the filter: staged rows that would change nothing leave the stage."""
    changes = _merge(layout, touched, "s").changes()
    return (
        f"DELETE FROM {layout.stage} AS s WHERE s._cdc_group = %(group)s AND EXISTS"
        f" (SELECT 1 FROM {layout.relation} AS t WHERE {layout.same_key('t', 's')} AND ({changes}) IS NOT TRUE OFFSET 0)"
    )


@lru_cache(STATEMENT_CACHE)
def lock_staged(layout: Layout) -> str:
    """Return the claim of what is there: the staged keys' rows, locked in key order before any group is merged."""
    ordered = ", ".join(f"t.{column.sql}" for column in layout.key)
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
    """Return what is left to do: whether the graveyard holds anything, anything has expired, bytes must decide anything."""
    due = f"SELECT 1 FROM {layout.relation} WHERE _cdc_sweep_at"
    expired = f"{due} > {TIED} AND _cdc_sweep_at <= {NOW}"
    return f"SELECT EXISTS (SELECT 1 FROM {layout.graveyard}), EXISTS ({expired}), EXISTS ({due} = {TIED})"


def decide_tie(layout: Layout, column: int) -> str:
    """Return the update that gives a tied cell its winning bytes: parameters `value`, then the key's columns."""
    stored = layout.columns[column]
    keys = " AND ".join(f"{c.sql} = %s::{c.type}" for c in layout.key)
    return f"UPDATE {layout.relation} SET {stored.sql} = %s::{stored.type} WHERE {keys}"


@lru_cache(STATEMENT_CACHE)
def fold_graveyard(layout: Layout) -> str:
    """Return the fold: what the graveyard has of the staged keys is taken out and merged into their claimed rows."""
    return (
        f"WITH g AS (DELETE FROM {layout.graveyard} AS y USING {layout.stage} AS s WHERE {layout.same_key('y', 's')}"
        f" RETURNING y.*) UPDATE {layout.relation} AS t SET {_assign(GeneralMerge(layout, 'g').assignments())}"
        f" FROM g WHERE {layout.same_key('t', 'g')}"
    )


@lru_cache(STATEMENT_CACHE)
def bury_invisible(layout: Layout, *, one_group: bool = False) -> str:
    """Return the burial: staged keys (of one group, or all) whose rows `SELECT` must not show move to the graveyard."""
    of_group = " AND s._cdc_group = %(group)s" if one_group else ""
    kept = ", ".join(f"t.{column.sql}" for column in layout.key)
    return (
        f"WITH dead AS (DELETE FROM {layout.relation} AS t USING {layout.stage} AS s"
        f" WHERE {layout.same_key('t', 's')} AND NOT ({visible(layout)}){of_group}"
        f" RETURNING {kept}, t._cdc_ts, t._cdc_marker, {dense_cells(layout)}, t._cdc_expires)"
        f" INSERT INTO {layout.graveyard} ({layout.key_list}, _cdc_ts, _cdc_marker, _cdc_cells, _cdc_expires, stored_at)"
        f" SELECT dead.*, to_timestamp({NOW}) FROM dead"
    )


@lru_cache(STATEMENT_CACHE)
def erase_expired(layout: Layout) -> str:
    """Return the sweep of the staged keys' rows that are due: expired values go, timestamps and expiries stay."""
    sets = {c.sql: f"CASE WHEN ({expiry('t', c)} <= {NOW}) IS NOT TRUE THEN t.{c.sql} END" for c in layout.columns}
    pending = [
        f"CASE WHEN t.{c.sql} IS NOT NULL AND {expiry('t', c)} > {NOW} THEN {expiry('t', c)} END" for c in layout.columns
    ]
    pending.append(f"CASE WHEN {marker_expiry('t')} > {NOW} THEN {marker_expiry('t')} END")
    sets |= {"_cdc_cells": dense_cells(layout), "_cdc_sweep_at": f"LEAST({', '.join(pending)})"}
    return (
        f"UPDATE {layout.relation} AS t SET {_assign(sets)} FROM {layout.stage} AS s"
        f" WHERE {layout.same_key('t', 's')} AND t._cdc_sweep_at <= {NOW}"
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
    newest = f"GREATEST(t._cdc_ts, t._cdc_marker, {deletion('t')})"
    return (
        f"DELETE FROM {layout.relation} AS t USING {layout.stage} AS s"
        f" WHERE {layout.same_key('t', 's')} AND {newest} <= s._cdc_ts"
    )


@lru_cache(STATEMENT_CACHE)
def strip_covered(layout: Layout) -> str:
    """Return the update that takes covered cells, expiries and markers out of staged keys' rows."""
    survives = {c.name: f"{written_at('t', c)} > s._cdc_ts" for c in layout.columns}
    marker_lives = "t._cdc_marker > s._cdc_ts"
    sets = {c.sql: f"CASE WHEN {survives[c.name]} THEN t.{c.sql} END" for c in layout.columns}
    sets["_cdc_marker"] = f"CASE WHEN {marker_lives} THEN t._cdc_marker END"
    stamps = {c.name: f"CASE WHEN {survives[c.name]} THEN {written_at('t', c)} END" for c in layout.columns}
    sets["_cdc_cells"] = slots(layout, deletion("t"), stamps)
    expires = {c.name: f"CASE WHEN {survives[c.name]} THEN {expiry('t', c)} END" for c in layout.columns}
    kept = slots(layout, f"CASE WHEN {marker_lives} THEN {marker_expiry('t')} END", expires)
    sets["_cdc_expires"] = f"CASE WHEN t._cdc_expires IS NOT NULL THEN {kept} END"
    covered = " OR ".join(["t._cdc_marker <= s._cdc_ts", *(f"({written_at('t', c)}) <= s._cdc_ts" for c in layout.columns)])
    return (
        f"UPDATE {layout.relation} AS t SET {_assign(sets)} FROM {layout.stage} AS s"
        f" WHERE {layout.same_key('t', 's')} AND ({covered})"
    )


def _merge(layout: Layout, touched: Touched, other: str) -> SimpleMerge | GeneralMerge:
    return GeneralMerge(layout, other) if touched is None else SimpleMerge(layout, touched, other)


def _columns(layout: Layout, touched: Touched) -> list[str]:
    cells = layout.columns if touched is None else [layout.columns[i] for i in touched]
    return [column.sql for column in (*layout.key, *cells)]


def _metadata(touched: Touched) -> tuple[str, ...]:
    return METADATA if touched is None else SIMPLE_METADATA


def _assign(sets: Mapping[str, str]) -> str:
    return ", ".join(f"{column} = {expression}" for column, expression in sets.items())
