"""One statement of the workload, and the few forms of CQL that it is made of."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TypeAlias

from cdc.schema import quote_cql

Cells: TypeAlias = Mapping[str, object]
Condition: TypeAlias = tuple[str, str, object]
"""Column, operator, value."""


@dataclass(frozen=True)
class Statement:
    """CQL to prepare, with its parameters. Few texts, so that each is prepared once. `kind` is what it shows of CQL."""

    kind: str
    tables: tuple[str, ...]
    cql: str
    parameters: tuple[object, ...]


@dataclass(frozen=True)
class Writer:
    """Makes the statements of one keyspace."""

    keyspace: str

    def insert(self, table: str, cells: Cells, *, ttl: int | None = None) -> Statement:
        """Return an INSERT; a None among the cells deletes."""
        names, marks = ", ".join(map(quote_cql, cells)), ", ".join("?" * len(cells))
        cql = f"INSERT INTO {self._name(table)} ({names}) VALUES ({marks})"  # noqa: S608 - names of ours
        if ttl is None:
            return Statement("insert", (table,), cql, tuple(cells.values()))
        return Statement("insert with TTL", (table,), f"{cql} USING TTL ?", (*cells.values(), ttl))

    def update(self, table: str, key: Cells, cells: Cells, *, ttl: int | None = None) -> Statement:
        """Return an UPDATE of some columns of a row."""
        using, first = ("", ()) if ttl is None else (" USING TTL ?", (ttl,))
        assignments = ", ".join(f"{quote_cql(name)} = ?" for name in cells)
        where, values = _where([(name, "=", value) for name, value in key.items()])
        kind = "update" if ttl is None else "update with TTL"
        cql = f"UPDATE {self._name(table)}{using} SET {assignments} {where}"  # noqa: S608 - names of ours
        return Statement(kind, (table,), cql, (*first, *cells.values(), *values))

    def delete_cells(self, table: str, key: Cells, names: Sequence[str]) -> Statement:
        """Return a DELETE of some columns of a row."""
        where, values = _where([(name, "=", value) for name, value in key.items()])
        cql = f"DELETE {', '.join(map(quote_cql, names))} FROM {self._name(table)} {where}"
        return Statement("delete cells", (table,), cql, values)

    def delete_row(self, table: str, key: Cells) -> Statement:
        """Return a DELETE by the whole key."""
        return self._delete("delete row", table, [(name, "=", value) for name, value in key.items()])

    def delete_partition(self, table: str, key: Cells) -> Statement:
        """Return a DELETE by the partition key of a table that has clustering columns."""
        return self._delete("delete partition", table, [(name, "=", value) for name, value in key.items()])

    def delete_range(self, table: str, conditions: Sequence[Condition]) -> Statement:
        """Return a DELETE of a slice of a partition."""
        return self._delete("delete range", table, conditions)

    def batch(self, parts: Sequence[Statement], *, logged: bool) -> Statement:
        """Return all of them as one batch."""
        kind, first = ("logged batch", "BEGIN BATCH") if logged else ("unlogged batch", "BEGIN UNLOGGED BATCH")
        tables = tuple(dict.fromkeys(table for part in parts for table in part.tables))
        cql = f"{first} {' '.join(f'{part.cql};' for part in parts)} APPLY BATCH"
        return Statement(kind, tables, cql, tuple(value for part in parts for value in part.parameters))

    def _delete(self, kind: str, table: str, conditions: Sequence[Condition]) -> Statement:
        where, values = _where(conditions)
        cql = f"DELETE FROM {self._name(table)} {where}"  # noqa: S608 - names of ours
        return Statement(kind, (table,), cql, values)

    def _name(self, table: str) -> str:
        return f"{quote_cql(self.keyspace)}.{quote_cql(table)}"


def _where(conditions: Sequence[Condition]) -> tuple[str, tuple[object, ...]]:
    clauses = " AND ".join(f"{quote_cql(name)} {operator} ?" for name, operator, _ in conditions)
    return f"WHERE {clauses}", tuple(value for *_, value in conditions)
