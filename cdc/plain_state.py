"""Between the COPY text of plain rows and the texts in it: it is looked into only where rows meet."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final, TypeAlias

from cdc.event import ABSENT, Key, PlainRow, RowState, Value
from cdc.schema import Table

Row: TypeAlias = RowState | PlainRow

ESCAPES: Final = str.maketrans({"\\": "\\\\", "\t": "\\t", "\n": "\\n", "\r": "\\r"})
_ESCAPED: Final = re.compile(r"\\(.)")
_CHARACTERS: Final = {"t": "\t", "n": "\n", "r": "\r", "\\": "\\"}


def row_state(table: Table, row: PlainRow) -> RowState:
    """Return the state that the line of a row of this table holds."""
    width = len(table.primary_key)
    texts = texts_of(row.line, width + len(row.touched))
    values: list[Value] = [ABSENT] * len(table.regular)
    for position, text in zip(row.touched, texts[width:], strict=True):
        values[position] = text
    return RowState(texts[:width], row.write_ts, values, row.marker, is_whole=len(row.touched) == len(values))


def state_of(table: Table, row: Row) -> RowState:
    """Return the state of a row of this table, whichever way it came."""
    return row if isinstance(row, RowState) else row_state(table, row)


def oldest_ts(row: Row) -> int:
    """Return the smallest timestamp in a row: a deletion that is older, and not of the same one, takes nothing from it."""
    if isinstance(row, PlainRow):
        return row.write_ts if row.marker is None else min(row.write_ts, row.marker)
    stamps: list[int | None] = [row.write_ts, row.marker, row.deletion, *(row.stamps or ())]
    return min([stamp for stamp in stamps if stamp is not None])


def texts_of(line: bytes, count: int | None = None) -> Key:
    """Return the first texts in COPY text, or all; NULL must not be among them."""
    texts = line.decode().split("\t")[:count]
    return tuple([_ESCAPED.sub(_character, text) if "\\" in text else text for text in texts])


def copy_texts(rows: Sequence[Sequence[str]]) -> list[str]:
    """Return each row as COPY text; escaping is rare, so its need is looked for in all of them at once."""
    lines = list(map("\t".join, rows))
    text = "\n".join(lines)
    tabs, newlines = sum(map(len, rows)) - len(rows), len(rows) - 1
    if "\\" in text or "\r" in text or text.count("\t") != tabs or text.count("\n") != newlines:
        return ["\t".join([value.translate(ESCAPES) for value in row]) for row in rows]
    return lines


def key_texts(rows: Sequence[Row]) -> list[bytes]:
    """Return the key of each row as COPY text: plain rows and others have one dictionary key."""
    others = iter(copy_texts([row.key for row in rows if type(row) is RowState]))
    return [row.key if type(row) is PlainRow else next(others).encode() for row in rows]


def _character(escaped: re.Match[str]) -> str:
    return _CHARACTERS[escaped[1]]
