"""What came out, as a table for a terminal, for a page, or as JSON."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from rich.console import Console
from rich.table import Table

from bench.machine import describe

HEAD = ("peer", "version", "events/s", "of the ceiling", "s in all", "wrong cells", "missing rows", "extra rows", "remarks")
WHOLE_RUN = "rate from the first to the last commit"


@dataclass
class Result:
    """A peer in both workloads; None where it did not come to that, and `failures` say why."""

    peer: str
    version: str = ""
    events_per_second: int | None = None
    seconds: float | None = None
    """From its start to its last commit."""
    middle: bool = True
    wrong_cells: int | None = None
    missing_rows: int | None = None
    extra_rows: int | None = None
    failures: tuple[str, ...] = ()

    def cells(self, ceiling_per_second: float) -> list[str]:
        """Return a line of the table."""
        counts = [_number(self.wrong_cells), _number(self.missing_rows), _number(self.extra_rows)]
        ratio = "" if self.events_per_second is None else f"{self.events_per_second / ceiling_per_second:.2f}"
        remarks = [*dict.fromkeys(self.failures), *([] if self.middle else [WHOLE_RUN])]
        seconds = "" if self.seconds is None else f"{self.seconds:.1f}"
        return [self.peer, self.version, _number(self.events_per_second), ratio, seconds, *counts, "; ".join(remarks)]


@dataclass(frozen=True)
class Report:
    """All results of one run, and what they are to be compared with."""

    rows: int
    history_events: int
    expected_rows: int
    workers: int
    ceiling_per_second: float
    results: Sequence[Result]

    def show(self) -> None:
        """Print the table."""
        table = Table(*HEAD, caption=self.caption())
        for result in self.results:
            table.add_row(*result.cells(self.ceiling_per_second))
        Console(width=None if Console().is_terminal else 160).print(table)

    def markdown(self) -> str:
        """Return the table for a page."""
        lines = [HEAD, ["---"] * len(HEAD), *(result.cells(self.ceiling_per_second) for result in self.results)]
        table = "\n".join(f"| {' | '.join(cell.replace('|', '/') for cell in line)} |" for line in lines)
        return f"{table}\n\n{self.caption()}."

    def caption(self) -> str:
        """Say what the figures are of."""
        return (
            f"{self.rows:,} inserts, ceiling {self.ceiling_per_second:,.0f}/s, {self.workers} workers each; wrong, missing and "
            f"extra after {self.history_events:,} other events, which leave {self.expected_rows:,} rows"
        )

    def write(self, path: Path) -> None:
        """Write it as JSON."""
        path.write_text(json.dumps({"machine": describe(), **asdict(self)}, indent=2) + "\n")


def _number(value: int | None) -> str:
    return "" if value is None else f"{value:,}"
