"""How the rows of a peer differ from those that must be there."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import psycopg

from bench.peers.history import Cells, Key, Rows
from bench.workloads import REGULAR

TABLE = """
CREATE TABLE {table} (
    {key} uuid, seq integer, count integer, name text, note text, paid boolean, parent uuid, price {price},
    ratio double precision, total bigint, updated {updated}, PRIMARY KEY ({key}, seq))
"""
NATURAL = {"key": "id", "price": "numeric", "updated": "timestamptz"}
_SELECTED: Mapping[str, str] = {
    "parent": "parent::text",
    "price": "price::numeric",
    "updated": "(extract(epoch FROM updated::timestamptz) * 1000)::bigint",
}


@dataclass(frozen=True)
class Differences:
    """What is wrong in a table: cells of rows that are rightly there, rows that are not there, rows that must not be."""

    wrong_cells: int
    missing_rows: int
    extra_rows: int


def compare(expected: Rows, got: Rows) -> Differences:
    """Count the differences."""
    both = expected.keys() & got.keys()
    wrong = sum(mine != theirs for key in both for mine, theirs in zip(expected[key], got[key], strict=True))
    return Differences(wrong, len(expected) - len(both), len(got) - len(both))


def read_rows(dsn: str, table: str, key: str = "id") -> Rows:
    """Read a peer's table, whatever of the types that a value can have its columns are; `key` is its name for `id`."""
    selected = ", ".join(_SELECTED.get(column, column) for column in REGULAR)
    rows: dict[Key, Cells] = {}
    with psycopg.connect(dsn) as connection:
        for partition, seq, *cells in connection.execute(f"SELECT {key}::text, seq, {selected} FROM {table}"):
            rows[partition, seq] = tuple(cells)
    return rows
