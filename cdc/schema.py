"""The Cassandra schema as values: types, columns, tables, and the set of them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from functools import cached_property

NATIVE_TYPES = frozenset(
    "ascii bigint blob boolean counter date decimal double duration empty float inet int smallint text time timestamp timeuuid "
    "tinyint uuid varchar varint".split()
)
_TYPE_WORDS = NATIVE_TYPES | {"frozen", "list", "map", "set", "static", "tuple", "vector"}
_RESERVED_WORDS = frozenset(
    "add allow alter and apply asc authorize batch begin by columnfamily create default delete desc describe drop entries "
    "execute from full grant if in index infinity insert into is keyspace limit materialized mbean mbeans modify nan "
    "norecursive not null of on or order primary rename replace revoke schema select set table to token truncate unlogged "
    "unset update use using view where with".split()
)


class ColumnKind(StrEnum):
    """The part a column plays in its table, as `system_schema.columns.kind` names it."""

    PARTITION_KEY = "partition_key"
    CLUSTERING = "clustering"
    STATIC = "static"
    REGULAR = "regular"


@dataclass(frozen=True, slots=True)
class CqlType:
    """One CQL type, nested ones included; a UDT is resolved to its fields.

    `name` is the CQL keyword in lower case (`int`, `text`, `list`, `set`, `map`, `tuple`, `vector`) or `udt`; `varchar` is
    `text`; a custom type is its quoted Java class. `arguments` are the element types (map: key, value; UDT and tuple: the
    fields in order). A tuple is always frozen; inside a frozen type all is.
    """

    name: str
    arguments: tuple[CqlType, ...] = ()
    frozen: bool = False
    udt_name: str | None = None  # without its keyspace
    field_names: tuple[str, ...] = ()  # of a UDT, aligned with `arguments`
    dimension: int | None = None  # of a vector

    @property
    def is_collection(self) -> bool:
        return self.name in ("list", "set", "map")

    @property
    def is_multicell(self) -> bool:
        """True for non-frozen collections and UDTs, whose events carry only deltas."""
        return not self.frozen and (self.is_collection or self.name == "udt")

    def __str__(self) -> str:
        """Return the CQL notation, as `DESCRIBE` prints it."""
        if self.name == "udt":
            text = f'"{self.udt_name}"' if self.udt_name in _TYPE_WORDS else quote_cql(self.udt_name or "")
        elif self.name == "vector":
            text = f"vector<{self.arguments[0]}, {self.dimension}>"
        elif self.arguments:
            text = f"{self.name}<{', '.join(map(str, self.arguments))}>"
        else:
            text = self.name
        return f"frozen<{text}>" if self.frozen and self.name != "tuple" else text


@dataclass(frozen=True, slots=True)
class Column:
    """One column; `position` counts within its kind, `descending` is the clustering order."""

    name: str
    type: CqlType
    kind: ColumnKind
    position: int = 0
    descending: bool = False


@dataclass(frozen=True)
class Table:
    """One Cassandra table.

    `columns` stand in Cassandra's order: partition key, clustering, then static and regular ones by name. `cdc` is False only
    where the option is off by name. `dropped_columns` are the names it once had: events may still carry them.
    """

    keyspace: str
    name: str
    columns: tuple[Column, ...]
    gc_grace_seconds: int = 864_000
    default_time_to_live: int = 0
    cdc: bool = True
    dropped_columns: frozenset[str] = field(default_factory=frozenset)

    @cached_property
    def full_name(self) -> str:
        return f"{self.keyspace}.{self.name}"

    @cached_property
    def partition_key(self) -> tuple[Column, ...]:
        return self._of_kind(ColumnKind.PARTITION_KEY)

    @cached_property
    def clustering(self) -> tuple[Column, ...]:
        return self._of_kind(ColumnKind.CLUSTERING)

    @cached_property
    def primary_key(self) -> tuple[Column, ...]:
        """Partition key columns, then clustering columns: the order of every key tuple in the project."""
        return self.partition_key + self.clustering

    @cached_property
    def static(self) -> tuple[Column, ...]:
        return self._of_kind(ColumnKind.STATIC)

    @cached_property
    def regular(self) -> tuple[Column, ...]:
        """Regular columns by name: the order of every list of cells in the project."""
        return self._of_kind(ColumnKind.REGULAR)

    @property
    def is_counter(self) -> bool:
        return any(column.type.name == "counter" for column in self.columns)

    def _of_kind(self, kind: ColumnKind) -> tuple[Column, ...]:
        return tuple(column for column in self.columns if column.kind is kind)


@dataclass(frozen=True)
class Schema:
    """Every known table by `(keyspace, table)`."""

    tables: Mapping[tuple[str, str], Table]

    def table(self, keyspace: str, name: str) -> Table | None:
        return self.tables.get((keyspace, name))


def quote_cql(name: str) -> str:
    """Return an identifier as CQL wants it: bare when lower case, plain and no reserved word, else quoted."""
    plain = name.isascii() and name.isidentifier() and name == name.lower() and not name.startswith("_")
    return name if plain and name not in _RESERVED_WORDS else '"' + name.replace('"', '""') + '"'
