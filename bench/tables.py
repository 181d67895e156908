"""Tables of results: on the terminal, as Markdown, as JSON."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

from rich.console import Console
from rich.table import Table

from bench.machine import describe

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

WIDTH = 160


def show(columns: Sequence[str], rows: Sequence[Sequence[str]], *, dense: bool = False) -> None:
    """Print a table; the first column is text, the others are figures. A dense one leaves nothing beside its rules."""
    Console(width=None if Console().is_terminal else WIDTH).print(drawn(columns, rows, dense=dense))


def drawn(columns: Sequence[str], rows: Sequence[Sequence[str]], *, dense: bool = False) -> Table:
    """Return the table."""
    table = Table(padding=(0, 0 if dense else 1))
    for i, column in enumerate(columns):
        table.add_column(column, justify="right" if i else "left")
    for row in rows:
        table.add_row(*row)
    return table


def write_markdown(path: Path, columns: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Write the table as docs/performance.md has it."""
    lines = [columns, ["---"] * len(columns), *rows]
    path.write_text("".join(f"| {' | '.join(line)} |\n" for line in lines))


def write_json(path: Path, results: Sequence[DataclassInstance]) -> None:
    """Write the results and the machine they are of."""
    document = {"machine": describe(), "results": [asdict(result) for result in results]}
    path.write_text(json.dumps(document, indent=2) + "\n")
