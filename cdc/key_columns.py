"""Readers of single columns and of partition keys, whose blobs the connector writes wrongly."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from cdc.codec.partition_key import decode_composite
from cdc.errors import BadRecord
from cdc.event import Key
from cdc.schema import Column, CqlType
from cdc.types.base import TypeCodec

CodecOf = Callable[[CqlType], TypeCodec]
Text = TypeVar("Text", str, str | None)


@dataclass(frozen=True, slots=True)
class ColumnReader(Generic[Text]):
    """One column: the field of `after` that holds its cell, and the way from its wire value to text (None if `gives_null`)."""

    name: str
    attribute: str
    to_text: Callable[[Any], Text]
    gives_null: bool = False

    def text(self, value: Any) -> Text:
        """Return the text of a wire value. Raises `BadRecord` that names the column."""
        try:
            return self.to_text(value)
        except BadRecord as problem:
            raise type(problem)(f"column {self.name!r}: {problem.message}", hint=problem.hint) from problem


class PartitionKeyReader:
    """The partition key of an event as texts, and those as Cassandra bytes.

    The connector writes every blob of a composite partition key as the base64 of the whole serialised key. So where there
    is one, all components are read from those bytes.
    """

    def __init__(self, columns: Sequence[Column], attributes: Mapping[str, str], codec_of: CodecOf) -> None:
        codecs = [(column.name, attributes[column.name], codec_of(column.type)) for column in columns]
        self.columns = [ColumnReader(name, attribute, codec.partition_key_from_event) for name, attribute, codec in codecs]
        self._parts = [ColumnReader(name, attribute, codec.partition_key_to_text) for name, attribute, codec in codecs]
        blobs = [attributes[column.name] for column in columns if column.type.name == "blob"]
        self._container = blobs[0] if blobs and len(columns) > 1 else None

    @property
    def is_simple(self) -> bool:
        """Return whether each column's own cell holds its value."""
        return self._container is None

    def texts(self, after: Any) -> Key:
        """Return the texts of the partition key. Raises `BadRecord`."""
        if self._container is None:
            return tuple([column.text(getattr(after, column.attribute).value) for column in self.columns])
        serialized = decode_composite(getattr(after, self._container).value, len(self.columns))
        return tuple([column.text(part) for column, part in zip(self._parts, serialized, strict=True)])
