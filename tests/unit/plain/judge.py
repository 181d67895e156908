"""What the stages make of an event, and how it is compared with a plain row."""

from __future__ import annotations

from typing import Any

import msgspec

from cdc.event import ABSENT, PlainRow, RowState
from cdc.plain_state import row_state
from cdc.schema import CqlType, Table
from operators.deserialize import Deserialize
from operators.map_types import map_types
from operators.validate import validate
from tests.fixtures.events import batch, judged, record, schema_of

FLOATS = ("float", "double")


class Judge:
    """Reads the events of a table by the stages alone."""

    def __init__(self, table: Table) -> None:
        self.table = table
        self._deserialize = Deserialize(schema_of(table), "cdc")

    def text_of_key(self, payload: bytes) -> str:
        """Return the text of the only key column."""
        (change,) = self._read(payload).items
        return "".join(change.what.key)

    def _read(self, payload: bytes) -> Any:
        return map_types(validate(self._deserialize(batch(judged(record(self.table, payload))))))

    def __call__(self, payload: bytes) -> object:
        """Return the row, or all that is said of what is none."""
        got = self._read(payload)
        if [type(change.what) for change in got.items] == [RowState] and not got.rejected and not got.skipped:
            return comparable(self.table, got.items[0].what)
        return got

    def confirm(self, payload: bytes, row: PlainRow) -> None:
        """Raise AssertionError if a row is not what the stages make of its event."""
        fields = row.line.split(b"\t")
        width = len(self.table.primary_key)
        assert fields[-3:] == [b"%d" % row.write_ts, rb"\N" if row.marker is None else b"%d" % row.marker, b""]
        assert (len(fields), b"\t".join(fields[:width])) == (width + len(row.touched) + 3, row.key)
        assert comparable(self.table, row_state(self.table, row)) == self(payload)


def comparable(table: Table, state: Any) -> object:
    """Return a row state with its floats as numbers."""
    key = tuple(_value(column.type, text) for column, text in zip(table.primary_key, state.key, strict=True))
    values = [_value(column.type, value) for column, value in zip(table.regular, state.values, strict=True)]
    return msgspec.structs.astuple(msgspec.structs.replace(state, key=key, values=values))


def _value(cql: CqlType, text: Any) -> object:
    if cql.name not in FLOATS or text in (None, ABSENT, "NaN"):
        return text
    return float(text).hex()  # keeps the sign of zero
