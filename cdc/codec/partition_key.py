"""Cassandra's serialised partition key: one column's bytes, or several behind their lengths."""

from __future__ import annotations

from collections.abc import Sequence

from cdc.errors import InvalidValue
from cdc.event import Key
from cdc.schema import Table
from cdc.types.registry import codec_for

_END_OF_COMPONENT = b"\x00"


def serialize_partition_key(table: Table, texts: Key) -> bytes:
    """Return the partition key of a key in PostgreSQL texts; columns beyond the partition key are ignored."""
    components = [codec_for(column.type).serialize(text) for column, text in zip(table.partition_key, texts, strict=False)]
    return encode_composite(components)


def encode_composite(components: Sequence[bytes]) -> bytes:
    """Return the bytes of a partition key of these columns. Raises `InvalidValue` where Cassandra could not hold it."""
    if len(components) == 1:
        return components[0]
    return b"".join(_length(component) + component + _END_OF_COMPONENT for component in components)


def decode_composite(serialized: bytes, columns: int) -> list[bytes]:
    """Return the columns of a partition key. Raises `InvalidValue`.

    A blob in a composite partition key arrives as these bytes, all of them: this is where its true value is.
    """
    if columns == 1:
        return [serialized]
    components, at = [], 0
    while at < len(serialized):
        start = at + 2
        end = start + int.from_bytes(serialized[at:start], "big")
        if serialized[end : end + 1] != _END_OF_COMPONENT:
            raise InvalidValue("not the bytes of a composite partition key")
        components.append(serialized[start:end])
        at = end + 1
    if len(components) != columns:
        raise InvalidValue(f"a partition key of {len(components)} columns where there are {columns}")
    return components


def _length(component: bytes) -> bytes:
    if len(component) > 0xFFFF:
        raise InvalidValue(f"a column of {len(component)} bytes in a composite partition key")
    return len(component).to_bytes(2, "big")
