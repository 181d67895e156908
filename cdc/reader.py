"""All that is needed to read the events of one table, made once."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import msgspec

from cdc.envelope import Envelope, EnvelopeDecoder
from cdc.errors import UnsupportedType
from cdc.event import Record, Skip
from cdc.interpret import Interpreter
from cdc.key_columns import CodecOf
from cdc.plain_events import PlainEvents
from cdc.runs import PlainRun, RecordRun
from cdc.schema import Table


class TableReader:
    """Reads the events of one table. Raises `UnsupportedType` for a table that cannot be mirrored."""

    def __init__(self, table: Table, codec_of: CodecOf) -> None:
        if table.is_counter:
            raise UnsupportedType(f"{table.full_name} is a counter table: its writes make no events")
        decoder = EnvelopeDecoder(table, lambda cql: codec_of(cql).wire)
        self.table = table
        self.full_name = table.full_name
        self.plain: Callable[[RecordRun], tuple[list[PlainRun], RecordRun | None]] = PlainEvents(table)
        self.decode = decoder.decode
        self.parse = decoder.parse
        self.interpret = Interpreter(table, decoder.attributes, codec_of)
        self.rules = self.interpret.rules
        static = {column.name for column in table.static}
        self._ignored = [
            (attribute, Skip.STATIC_CELL if name in static else Skip.DROPPED_CELL)
            for name, attribute in decoder.attributes.items()
            if name in static or name in table.dropped_columns
        ]
        self.has_ignored = bool(self._ignored)
        tests = [(decoder.attributes[column.name], codec_of(column.type).loses_precision) for column in table.regular]
        self._rounding = [(attribute, loses) for attribute, loses in tests if loses is not None]
        self.has_rounding = bool(self._rounding)

    def ignored_cells(self, envelope: Envelope[Any]) -> Iterator[Skip]:
        """Yield the reason of each written cell that the change will not have."""
        for attribute, reason in self._ignored:
            cell = getattr(envelope.after, attribute)
            if cell is not None and cell.value is not None:
                yield reason

    def rounded_cells(self, envelope: Envelope[Any]) -> int:
        """Return how many values PostgreSQL holds with fewer digits."""
        cells = [(getattr(envelope.after, attribute), loses) for attribute, loses in self._rounding]
        return sum(loses(cell.value) for cell, loses in cells if cell is not None and cell.value is not None)


class Event(msgspec.Struct, gc=False):
    """One decoded record."""

    record: Record
    reader: TableReader
    envelope: Envelope[Any]
