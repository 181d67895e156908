"""What the mirror must know of one CQL type, both ways it is needed."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from cdc.schema import CqlType


@dataclass(frozen=True)
class TypeCodec:
    """One CQL type: JSON of the event, text of PostgreSQL, bytes of Cassandra.

    "Text" is what PostgreSQL's input function takes and, for `serialize`, also what its output function gives (session
    settings of `sinks.postgres.connection`: ISO dates, UTC, `bytea_output` hex, `extra_float_digits` 1, `intervalstyle` iso_8601).
    """

    cql: CqlType
    postgres: str
    """The PostgreSQL type as DDL names it: `integer`, `text[]`, `jsonb`."""
    wire: Any
    """The annotation that msgspec decodes the event's `value` with (without None)."""
    from_event: Callable[[Any], str]
    """Wire value to text. Raises `ValueOutOfRange`, `UnrepresentableValue` or `InvalidValue`."""
    key_from_event: Callable[[Any], str]
    """The same for a primary key column. Raises `UnrepresentableKey` when text would not be one-to-one."""
    serialize: Callable[[str], bytes]
    """Text, as sent or as PostgreSQL prints it, to Cassandra's serialised value: what ties are decided by."""
    to_text: Callable[[bytes], str]
    """Cassandra's serialised value to text."""
    sort_key: Callable[[bytes], Any]
    """Cassandra's serialised value to something that compares as Cassandra's comparator does, ascending."""
    from_bound: Callable[[str], bytes]
    """The connector's notation in range bounds (facts in `docs/events.md`) to Cassandra's serialised value."""
    postgres_order: bool
    """True when PostgreSQL orders the column as Cassandra does (text under COLLATE "C")."""
