"""What the mirror must know of one CQL type, both ways it is needed."""

from __future__ import annotations

import enum
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from cdc.schema import CqlType


class NulPolicy(enum.StrEnum):
    """What becomes of U+0000, which no PostgreSQL text can hold, in a value. In a key it is always refused."""

    DEAD_LETTER = "dead_letter"
    STRIP = "strip"
    REPLACE = "replace"  # by U+FFFD


class Role(enum.Enum):
    """Where a value stands. Keys are one-to-one; Cassandra compares partition keys by bytes, clustering keys by value."""

    VALUE = enum.auto()
    CLUSTERING = enum.auto()
    PARTITION = enum.auto()


@dataclass(frozen=True)
class TypeCodec:
    """One CQL type: JSON of the event, text of PostgreSQL, bytes of Cassandra.

    "Text" is what PostgreSQL's input function takes and, for `serialize`, also what its output function gives (session
    settings of `sinks.postgres.connection`: ISO dates, UTC, hex `bytea`, `extra_float_digits` 1, `intervalstyle` iso_8601).
    """

    cql: CqlType
    postgres: str
    """The PostgreSQL type as DDL names it: `integer`, `text[]`, `jsonb`."""
    wire: Any
    """The annotation that msgspec decodes the event's `value` with (without None)."""
    from_event: Callable[[Any], str]
    """Wire value to text. Raises `ValueOutOfRange`, `UnrepresentableValue` or `InvalidValue`."""
    key_from_event: Callable[[Any], str]
    """The same for a clustering column, equal for equal keys. Raises `UnrepresentableKey` when text would not be one-to-one."""
    partition_key_from_event: Callable[[Any], str]
    """The same for a partition key column, where Cassandra tells apart some values that compare equal."""
    serialize: Callable[[str], bytes]
    """Text, as sent or as PostgreSQL prints it, to Cassandra's serialised value: what ties are decided by."""
    to_text: Callable[[bytes], str]
    """Cassandra's serialised value to text. Raises as `from_event`, and `UnrepresentableValue` for the "empty" value."""
    key_to_text: Callable[[bytes], str]
    """Cassandra's serialised clustering value to the text that `key_from_event` gives."""
    partition_key_to_text: Callable[[bytes], str]
    """Cassandra's serialised partition key column to the text that `partition_key_from_event` gives."""
    sort_key: Callable[[bytes], Any]
    """Cassandra's serialised value to something that compares as Cassandra's comparator does, ascending."""
    from_bound: Callable[[str], bytes]
    """The connector's notation in range bounds (see `docs/types.md`) to Cassandra's serialised value. Raises `InvalidValue`."""
    postgres_order: bool
    """True when PostgreSQL orders the column as Cassandra does (text and text[] under COLLATE "C")."""
    loses_precision: Callable[[Any], bool] | None = None
    """Of a wire value: does `from_event` drop digits? None for types that never do."""


@dataclass(frozen=True)
class Form:
    """One type in one role: what a type's module builds, and what containers build on.

    `decode` makes wire values too: what a connector without faults would write. `repair` turns what the connector writes
    into what it should have written;
    None where it is right already.
    """

    cql: CqlType
    postgres: str
    wire: Any
    to_text: Callable[[Any], str]
    """Wire value to PostgreSQL text."""
    to_json: Callable[[Any], str]
    """Wire value to JSON text, as it stands inside jsonb."""
    parse_text: Callable[[str], bytes]
    """PostgreSQL text to serialised value."""
    parse_json: Callable[[Any], bytes]
    """A value inside jsonb (numbers as Decimal) to serialised value."""
    decode: Callable[[bytes], Any]
    sort_key: Callable[[bytes], Any]
    parse_bound: Callable[[str], bytes]
    postgres_order: bool
    empty_is_value: bool = False
    """True where zero bytes are an ordinary value (text, blob); else they read as null inside containers."""
    quoted_in_array: bool = False
    scalar: bool = True
    fixed_length: int | None = None
    """Bytes of every value as Cassandra's vectors count them; None is variable."""
    find_blob: Callable[[Any], bytes | None] | None = None
    """The bytes of any blob inside a wire value; None for types that hold none."""
    repair: Callable[[Any], Any] | None = None
    loses_precision: Callable[[Any], bool] | None = None


@dataclass(frozen=True)
class Building:
    """How a form is to be built: its role, the policy, and the way to the forms of element types."""

    form: Callable[[CqlType, Building], Form]
    role: Role = Role.VALUE
    nul_policy: NulPolicy = NulPolicy.DEAD_LETTER
    inside_frozen: bool = False
    """True below a frozen container, whose bytes the connector writes in place of every blob."""

    @property
    def is_key(self) -> bool:
        return self.role is not Role.VALUE


Builder = Callable[[CqlType, Building], Form]
