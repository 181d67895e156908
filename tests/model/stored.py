"""What PostgreSQL remembers of a table's rows, the invisible ones too, read back as row states."""

from __future__ import annotations

from typing import Any

import psycopg

from cdc.event import Key, RowState
from cdc.ordering import Cell, row_state
from sinks.postgres.layout import Layout


def stored_states(connection: psycopg.Connection, layout: Layout) -> dict[Key, RowState]:
    """Return the state of each key, of the table and of the graveyard, which never hold the same key."""
    visible = _states(connection, layout, layout.relation, [column.sql for column in layout.columns])
    buried = _states(connection, layout, layout.graveyard, ["NULL"] * len(layout.columns))
    assert visible.keys().isdisjoint(buried)
    return visible | buried


def _states(connection: psycopg.Connection, layout: Layout, relation: str, values: list[str]) -> dict[Key, RowState]:
    selected = [f"{column.sql}::text" for column in layout.key] + [f"{value}::text" for value in values]
    metadata = "_cdc_ts, _cdc_marker, _cdc_cells, _cdc_expires"
    query = f"SELECT {', '.join(selected)}, {metadata} FROM {relation}".replace("%%", "%")
    width = len(layout.key)
    return {row[:width]: _state(layout, row[:width], row[width:]) for row in connection.execute(query.encode())}


def _state(layout: Layout, key: Key, row: tuple[Any, ...]) -> RowState:
    count = len(layout.columns)
    newest, marker, stamps, expires = row[count:]
    cells: list[Cell | None] = []
    for column, value in zip(layout.columns, row[:count], strict=True):
        stamp = (newest if value is not None else None) if stamps is None else stamps[column.slot - 1]
        expiry = None if expires is None else expires[column.slot - 1]
        cells.append(None if stamp is None else Cell(stamp, value, expiry))
    marker_expiry = None if expires is None else expires[0]
    return row_state(key, cells, None if marker is None else (marker, marker_expiry), None if stamps is None else stamps[0])
