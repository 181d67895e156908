"""How one Cassandra table stands in PostgreSQL: relations, columns and slots."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

from cdc.ordering import Serialize
from cdc.ranges import ClusteringOrder
from cdc.schema import Column, Table
from cdc.types.base import TypeCodec
from cdc.types.registry import codec_for
from sinks.postgres.naming import quote

DELETION_SLOT = 1  # of `_cdc_cells`; in `_cdc_expires` the same place is the row marker's
FIRST_COLUMN_SLOT = 2

COMPARED_AS_IS = frozenset({"text", "smallint", "integer", "bigint", "boolean", "uuid", "bytea", "date", "time", "timestamptz"})
"""Types whose equality in PostgreSQL is equality of Cassandra's bytes; the others are compared as text."""

ORDER_FUNCTIONS = {"uuid": "cdc.uuid_order", "timeuuid": "cdc.timeuuid_order", "inet": "cdc.inet_order"}
"""Functions (made by migration 0002) that give the bytes of `TypeCodec.sort_key`, by CQL type."""


@dataclass(frozen=True)
class StoredColumn:
    """One column: `sql` is the quoted PostgreSQL name, `slot` the place in `_cdc_cells` (0: a key column)."""

    name: str
    sql: str
    type: str
    codec: TypeCodec
    slot: int = 0
    descending: bool = False

    @property
    def compared(self) -> str:
        """Return the suffix that makes equality in SQL mean equal bytes."""
        return "" if self.type in COMPARED_AS_IS else "::text"

    @property
    def order_function(self) -> str | None:
        """Return the function that orders the type as Cassandra does, None where there is none or none is needed."""
        return ORDER_FUNCTIONS.get(self.codec.cql.name)


@dataclass(frozen=True, eq=False)
class Layout:
    """One mirrored table. `columns` stand in the order of `Table.regular`, `key` in that of the primary key.

    Compared by identity: a layout is read once and its statements are cached by it.
    """

    table: Table
    table_id: int
    schema: str
    relation_name: str
    key: tuple[StoredColumn, ...]
    columns: tuple[StoredColumn, ...]
    slots: int
    version: int

    @cached_property
    def relation(self) -> str:
        return f"{quote(self.schema)}.{quote(self.relation_name)}"

    @cached_property
    def graveyard(self) -> str:
        return f"cdc.graveyard_{self.table_id}"

    @cached_property
    def stage(self) -> str:
        return f"pg_temp.stage_{self.table_id}"

    @cached_property
    def key_list(self) -> str:
        return ", ".join(column.sql for column in self.key)

    @cached_property
    def ranged(self) -> StoredColumn | None:
        """Return the first clustering column: the one that an index can narrow a range of."""
        return self.key[self.partition_length] if len(self.key) > self.partition_length else None

    @cached_property
    def by_slot(self) -> dict[int, StoredColumn]:
        return {column.slot: column for column in self.columns}

    @cached_property
    def partition_length(self) -> int:
        return len(self.table.partition_key)

    @cached_property
    def clustering_order(self) -> ClusteringOrder:
        clustering = self.key[self.partition_length :]
        return ClusteringOrder([c.codec.sort_key for c in clustering], [c.descending for c in clustering])

    @cached_property
    def serializers(self) -> list[Serialize]:
        return [column.codec.serialize for column in self.columns]

    def same_key(self, kept: str, small: str) -> str:
        """Return the join condition on the primary key, of which each row of `small` is looked up in the `kept` relation.

        `= ANY` of one value is no condition to merge by. With a plain `=` the order of the index could serve a merge join, so
        the planner keeps a walk through the whole index in mind, and takes it for a table that it believes to be empty. A first
        column of arrays has no such form.
        """
        first, *others = self.key
        value = f"{small}.{first.sql}"
        looked_up = value if first.type.endswith("[]") else f"ANY (ARRAY[{value}])"
        equal = [f"{kept}.{first.sql} = {looked_up}", *(f"{kept}.{c.sql} = {small}.{c.sql}" for c in others)]
        return " AND ".join(equal)


def stored_column(column: Column, sql_name: str, slot: int = 0) -> StoredColumn:
    """Return how a column of this type is stored under the PostgreSQL name."""
    codec = codec_for(column.type)
    return StoredColumn(column.name, quote(sql_name), codec.postgres, codec, slot, column.descending)
