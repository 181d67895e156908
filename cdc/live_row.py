"""The fast way from a decoded event to a row: nothing in it expires, nothing is missing.

Of the events that are not plain (`cdc.plain_events`) most are like that: they have values that C does not read. So for each
table straight-line code is generated once, as `dataclasses` and `msgspec` do: a third to half less time a row than a loop over
the columns (`bench/decode.py`). Only numbers are put into its text; the names of columns, which are any strings, never are.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

from cdc.errors import BadRecord
from cdc.event import ABSENT, RowState
from cdc.key_columns import ColumnReader, PartitionKeyReader

Keys = Sequence[ColumnReader[str]]
Cells = Sequence[ColumnReader[str | None]]
LiveRowReader = Callable[[Any, int, int | None], RowState | None]


def live_row_reader(partition: PartitionKeyReader, clustering: Keys, regular: Cells, dropped: Sequence[str]) -> LiveRowReader:
    """Return a function of `after`, write timestamp and marker that gives a row, or None where the careful way has to judge.

    None stands for a cell that expires, a null key, or bad data: the careful way then tells which column it is.
    """
    names: dict[str, Any] = {f"text_{column.attribute}": column.to_text for column in (*partition.columns, *clustering)}
    names |= {f"text_{column.attribute}": column.to_text for column in regular}
    names |= {"ABSENT": ABSENT, "RowState": RowState, "BadRecord": BadRecord, "partition_texts": partition.texts}
    exec("\n".join(_source(partition, clustering, regular, dropped)), names)  # noqa: S102 - reasons in the module's docstring
    reader: LiveRowReader = names["read"]
    return reader


def _source(partition: PartitionKeyReader, clustering: Keys, regular: Cells, dropped: Sequence[str]) -> Iterator[str]:
    yield "def read(after, write_ts, marker):"
    yield "    is_whole = True"
    yield "    try:"
    for attribute in dropped:
        yield f"        if after.{attribute} is not None: return None"
    for attribute in (column.attribute for column in clustering):
        yield f"        key_{attribute} = after.{attribute}"
        yield f"        if key_{attribute} is None or key_{attribute}.value is None: return None"
    for column in regular:
        yield from _cell(column)
    values = ", ".join(column.attribute for column in regular)
    unused = ", ".join(["None"] * 4)  # stamps, expires, marker_expires, deletion
    yield f"        return RowState({_key(partition, clustering)}, write_ts, [{values}], marker, {unused}, is_whole)"
    yield "    except BadRecord: return None"


def _cell(column: ColumnReader[str | None]) -> Iterator[str]:
    attribute = column.attribute
    yield f"        cell = after.{attribute}"
    yield f"        if cell is None: {attribute} = ABSENT; is_whole = False"
    yield "        elif cell.deletion_ts is None:"
    yield f"            {attribute} = cell.value"
    yield f"            if {attribute} is None: is_whole = False"
    yield f"            else: {attribute} = text_{attribute}({attribute})"
    if column.gives_null:
        yield f"            if {attribute} is None: is_whole = False"
    yield "        else: return None"


def _key(partition: PartitionKeyReader, clustering: Keys) -> str:
    texts = [f"text_{reader.attribute}(key_{reader.attribute}.value)" for reader in clustering]
    if not partition.is_simple:
        texts.insert(0, "*partition_texts(after)")
    else:
        texts[:0] = [f"text_{reader.attribute}(after.{reader.attribute}.value)" for reader in partition.columns]
    return f"({', '.join(texts)},)"
