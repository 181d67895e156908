"""What the model is told: tables, and the CQL statements that a test runs on them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias

from tests.model.kinds import Kind

Key: TypeAlias = tuple[Any, ...]


@dataclass(frozen=True)
class ModelColumn:
    """One column; `descending` is the order of a clustering column."""

    name: str
    kind: Kind
    descending: bool = False


@dataclass(frozen=True)
class ModelTable:
    """One table of the keyspace `model`."""

    name: str
    partition_key: tuple[ModelColumn, ...]
    clustering: tuple[ModelColumn, ...] = ()
    regular: tuple[ModelColumn, ...] = ()

    @property
    def primary_key(self) -> tuple[ModelColumn, ...]:
        return self.partition_key + self.clustering

    def __repr__(self) -> str:
        return self.name.upper()

    @property
    def ddl(self) -> str:
        """Return the CREATE TABLE."""
        columns = ", ".join(f"{column.name} {column.kind.cql}" for column in self.primary_key + self.regular)
        partition = ", ".join(column.name for column in self.partition_key)
        key = ", ".join([f"({partition})", *(column.name for column in self.clustering)])
        order = ", ".join(f"{column.name} {'DESC' if column.descending else 'ASC'}" for column in self.clustering)
        options = f"CLUSTERING ORDER BY ({order}) AND " if order else ""
        return f"CREATE TABLE model.{self.name} ({columns}, PRIMARY KEY ({key})) WITH {options}cdc = true;"

    def partition_of(self, key: Key) -> Key:
        return key[: len(self.partition_key)]


@dataclass(frozen=True)
class Insert:
    """INSERT INTO table (key, values) USING TIMESTAMP and TTL; a None value is a null that is written."""

    table: ModelTable
    key: Key
    values: Mapping[str, Any]
    timestamp: int
    ttl: int | None = None


@dataclass(frozen=True)
class Update:
    """UPDATE table USING TIMESTAMP and TTL SET values; a None value deletes the cell."""

    table: ModelTable
    key: Key
    values: Mapping[str, Any]
    timestamp: int
    ttl: int | None = None


@dataclass(frozen=True)
class DeleteColumns:
    """DELETE columns FROM table USING TIMESTAMP."""

    table: ModelTable
    key: Key
    columns: tuple[str, ...]
    timestamp: int


@dataclass(frozen=True)
class DeleteRow:
    """DELETE FROM table USING TIMESTAMP with the whole primary key."""

    table: ModelTable
    key: Key
    timestamp: int


@dataclass(frozen=True)
class Edge:
    """One end of a slice: the values of one clustering column or several, and whether they belong to it."""

    values: Key
    inclusive: bool


@dataclass(frozen=True)
class DeleteRange:
    """DELETE FROM table USING TIMESTAMP with the partition key, leading clustering columns by `=`, then a slice as CQL says it.

    `low` and `high` are the `>` and `<` of the relation, whatever the clustering order; None is no such relation.
    """

    table: ModelTable
    partition: Key
    equal: Key
    low: Edge | None
    high: Edge | None
    timestamp: int


@dataclass(frozen=True)
class DeletePartition:
    """DELETE FROM table USING TIMESTAMP with the partition key only."""

    table: ModelTable
    partition: Key
    timestamp: int


Single: TypeAlias = Insert | Update | DeleteColumns | DeleteRow | DeleteRange | DeletePartition


@dataclass(frozen=True)
class Batch:
    """BEGIN BATCH ... APPLY BATCH; all parts have one timestamp, but a partition deletion may be older.

    More timestamps in one partition are misleading in the events, and nobody's oracle then.
    """

    parts: tuple[Single, ...]


Statement: TypeAlias = Single | Batch


def parts_of(statement: Statement) -> tuple[Single, ...]:
    return statement.parts if isinstance(statement, Batch) else (statement,)


def partition_key_of(statement: Single) -> Key:
    """Return the partition that a statement writes to."""
    if isinstance(statement, DeleteRange | DeletePartition):
        return statement.partition
    return statement.table.partition_of(statement.key)


def range_holds(deletion: DeleteRange, clustering: Key) -> bool:
    """Return whether a row stands in the slice, by the comparators of the columns; the direction plays no part."""
    orders = [column.kind.order for column in deletion.table.clustering]

    def ordered(values: Key, skip: int = 0) -> Key:
        return tuple(order(value) for order, value in zip(orders[skip:], values, strict=False))

    width = len(deletion.equal)
    if ordered(clustering[:width]) != ordered(deletion.equal):
        return False
    for edge, sign in ((deletion.low, 1), (deletion.high, -1)):
        if edge is None:
            continue
        mine, theirs = ordered(clustering[width : width + len(edge.values)], width), ordered(edge.values, width)
        if mine == theirs and not edge.inclusive:
            return False
        if mine != theirs and (mine > theirs) is not (sign > 0):
            return False
    return True
