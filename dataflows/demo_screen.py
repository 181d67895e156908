"""What `cassmirror demo` shows: a live table on a terminal, plain lines in a pipe, and both sides at the end."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from itertools import islice

from rich.console import Console
from rich.live import Live
from rich.table import Table
from rich.text import Text

from cdc.recorded_values import comparable
from cdc.recording import Row, pairs
from cdc.schema import Column
from dataflows.demo_compare import Comparison
from dataflows.demo_flow import Lane, TableProgress, total
from runtime.embedded.server import Server

PIPE_WIDTH = 120
_LINE_EVERY_S = 1.0
_FRAME_LINES = 8  # heading, rules, total, and a line to spare
_LONGEST_TEXT = 24


class Screen:
    """Standard output. `lanes` is what the progress is of."""

    def __init__(self, console: Console | None = None) -> None:
        self.console = console or Console(highlight=False)
        if not self.console.is_terminal:
            self.console.width = PIPE_WIDTH

    def serving(self, server: Server) -> None:
        """Say that a server serves."""
        self.say(f"  {server.name} serves")

    def say(self, text: str) -> None:
        """Print a line."""
        self.console.print(text, markup=False, soft_wrap=True)

    @contextmanager
    def progress(self, lanes: Sequence[Lane]) -> Iterator[Progress]:
        """Yield what shows the progress of lanes each time it is told that they moved."""
        if not self.console.is_terminal:
            yield Progress(self, lanes, None)
            return
        with Live(console=self.console, transient=True, auto_refresh=False) as live:
            yield Progress(self, lanes, live)

    def comparisons(self, lanes: Sequence[Lane], found: Sequence[Comparison]) -> None:
        """Print each table of Cassandra beside that of PostgreSQL."""
        shown = bare_table(
            "table", "events sent", "dead letters", "rows in Cassandra", "rows in PostgreSQL", "named gaps", "differing cells"
        )
        lane_of = {recording.name: lane for lane in lanes for recording in lane.played.recordings}
        for one in found:
            lane = lane_of[one.recording]
            progress = lane.tables.get(one.table.full_name, TableProgress())
            name = one.table.full_name if lane is lanes[0] else f"{one.table.full_name} ({lane.name})"
            numbers = (progress.sent, progress.dead_letters, len(one.want), len(one.got), one.explained.total())
            wrong = Text(f"{one.differing_cells:,}", style="red" if one.differing_cells else "green")
            shown.add_row(name, *(f"{number:,}" for number in numbers), wrong)
        self.console.print(shown)

    def gaps(self, lanes: Sequence[Lane], found: Sequence[Comparison], uncompared: Sequence[str]) -> None:
        """Print what the events cannot say, with the reason."""
        letters = sum((lane.reasons for lane in lanes), Counter[str]())
        if letters:
            self.say(f"\ndead letters: {', '.join(f'{count} {reason}' for reason, count in sorted(letters.items()))}")
        named = [(one, unit, reason, count) for one in found for (unit, reason), count in one.explained.items()]
        if named or uncompared:
            self.say("\nnot counted as differences, because the events cannot say it (docs/limits.md):")
        for one, unit, reason, count in named:
            self.say(f"  {one.recording}, {one.table.full_name}: {count} {unit}{'s' if count > 1 else ''} ({reason})")
        for note in uncompared:
            self.say(f"  {note}: no events")

    def side_by_side(self, one: Comparison, rows: int) -> None:
        """Print some rows of a table as both sides hold them; equal values in one notation, PostgreSQL's."""
        columns = (*one.table.primary_key, *one.table.regular)
        title = f"{one.table.full_name}, {min(rows, len(one.want))} of {len(one.want)} rows"
        shown = bare_table("", *(column.name for column in columns), title=title)
        for mine, theirs in islice(pairs(one.table, one.want, one.got), min(rows, len(one.want))):
            want, got = _cells(mine), _cells(theirs)
            shown.add_row("Cassandra", *map(_short, map(_in_one_notation, columns, want, got) if got else want))
            shown.add_row("PostgreSQL", *map(_short, got), end_section=True)
        self.console.print(shown)

    def differences(self, found: Iterable[Comparison], at_most: int = 20) -> None:
        """Print where the two sides are not equal."""
        wrong = [(one.recording, difference) for one in found for difference in one.unexplained]
        for recording, difference in wrong[:at_most]:
            self.say(f"  {recording}: {difference}")
        if len(wrong) > at_most:
            self.say(f"  and {len(wrong) - at_most} more")


class Progress:
    """Redraws a live table, or prints a line now and then."""

    def __init__(self, screen: Screen, lanes: Sequence[Lane], live: Live | None) -> None:
        self._screen, self._lanes, self._live = screen, lanes, live
        self._next_line, self._last = time.monotonic() + _LINE_EVERY_S, ""

    def show(self, *, last: bool = False) -> None:
        """Show how far it is; `last` shows it in any case."""
        if self._live is not None:
            self._live.update(self._drawn(), refresh=True)
        elif last or time.monotonic() >= self._next_line:
            self._next_line = time.monotonic() + _LINE_EVERY_S
            self._print_line()

    def _print_line(self) -> None:
        sums = total(self._lanes)
        line = f"  {sums.applied:,} of {sums.sent:,} events applied, {sums.rows:,} rows, {sums.dead_letters:,} dead letters"
        if line != self._last:
            self._screen.say(line)
            self._last = line

    def _drawn(self) -> Table:
        """Return the tables with the most events, as many as the terminal has lines for, and the total."""
        drawn = bare_table("table", "events sent", "applied", "rows", "dead letters")
        tables = [(name, table) for lane in self._lanes for name, table in lane.tables.items()]
        tables.sort(key=lambda item: -item[1].sent)
        room = max(1, self._screen.console.height - _FRAME_LINES)
        for name, table in tables[:room]:
            drawn.add_row(name, *_numbers(table))
        drawn.add_section()
        drawn.add_row(f"all {len(tables)} tables", *_numbers(total(self._lanes)), style="bold")
        return drawn


def bare_table(first: str, *more: str, title: str | None = None) -> Table:
    """Return a table without rows; with a title its columns hold text, else numbers."""
    table = Table(title=title, title_justify="left", title_style="")
    table.add_column(first, no_wrap=title is None)
    for heading in more:
        table.add_column(heading, justify="right" if title is None else "left")
    return table


def _numbers(progress: TableProgress) -> list[str]:
    counts = (progress.sent, progress.applied, progress.rows, progress.dead_letters)
    return [f"{count:,}" for count in counts]


def _cells(row: Row | None) -> list[str | None]:
    return [] if row is None else [*row[0], *row[1]]


def _in_one_notation(column: Column, want: str | None, got: str | None) -> str | None:
    return got if comparable(column.type, want) == comparable(column.type, got) else want


def _short(cell: str | None) -> Text:
    if cell is None:
        return Text("null", style="dim")
    return Text(cell if len(cell) <= _LONGEST_TEXT else cell[: _LONGEST_TEXT - 1] + "…")
