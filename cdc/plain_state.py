"""A plain row's text read back: where rows meet, their cells are needed one by one."""

from __future__ import annotations

import re
from typing import Final

from cdc.event import ABSENT, PlainRow, RowState, Value
from cdc.schema import Table

_ESCAPED: Final = re.compile(r"\\(.)")
_CHARACTERS: Final = {"t": "\t", "n": "\n", "r": "\r", "\\": "\\"}


def row_state(table: Table, row: PlainRow) -> RowState:
    """Return the state that the line of a row of this table holds."""
    width = len(table.primary_key)
    texts = row.line.decode().split("\t")[: width + len(row.touched)]
    if b"\\" in row.line:
        texts = [_ESCAPED.sub(_character, text) for text in texts]
    values: list[Value] = [ABSENT] * len(table.regular)
    for position, text in zip(row.touched, texts[width:], strict=True):
        values[position] = text
    return RowState(tuple(texts[:width]), row.write_ts, values, row.marker, is_whole=len(row.touched) == len(values))


def _character(escaped: re.Match[str]) -> str:
    return _CHARACTERS[escaped[1]]
