"""What the live demo shows: steps with the time since its start, a live table on a terminal, both sides at the end."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager

from rich.live import Live
from rich.table import Table
from rich.text import Text

from dataflows.demo_compare import Comparison
from dataflows.demo_screen import Screen, bare_table
from dataflows.shop.schema import KEYSPACE
from runtime.embedded.server import Server
from runtime.glance import Glance, TableGlance

_LINE_EVERY_S = 5.0
_PERCENTILES = "p50, p99: upper bounds of the time from CQL write to PostgreSQL commit"


class LiveScreen(Screen):
    """Standard output, and the clock of the demo."""

    def __init__(self) -> None:
        super().__init__()
        self._started = time.monotonic()

    def step(self, text: str) -> None:
        """Print a line that says when it happened."""
        self.say(f"[{time.monotonic() - self._started:5.1f} s] {text}")

    def serving(self, server: Server) -> None:
        """Say when a server serves."""
        self.step(f"{server.name} serves")

    @contextmanager
    def live(self) -> Iterator[View]:
        """Yield what shows the tables while they are mirrored."""
        if not self.console.is_terminal:
            yield View(self, None)
            return
        with Live(console=self.console, auto_refresh=False) as live:
            yield View(self, live)

    def report(self, glance: Glance, found: Sequence[Comparison], shown: str, rows: int) -> None:
        """Print both sides, and where they are not equal."""
        drawn = bare_table(
            "table", "events", "p50", "p99", "dead letters", "rows in Cassandra", "rows in PostgreSQL", "differing cells"
        )
        drawn.caption = _PERCENTILES
        for one in found:
            table = glance.tables.get(one.table.full_name, TableGlance())
            wrong = Text(f"{one.differing_cells:,}", style="red" if one.differing_cells else "green")
            times = (_within(table.latency_p50_seconds), _within(table.latency_p99_seconds))
            sides = (f"{table.dead_letters:,}", f"{len(one.want):,}", f"{len(one.got):,}")
            drawn.add_row(one.table.full_name, f"{table.events:,}", *times, *sides, wrong)
        self.console.print(drawn)
        filled = [one for one in found if one.want]
        if rows and filled:
            self.side_by_side(next((one for one in filled if one.table.full_name == shown), filled[0]), rows)
        self.differences(found)


class View:
    """Redraws a live table, or prints a line now and then."""

    def __init__(self, screen: Screen, live: Live | None) -> None:
        self._screen, self._live = screen, live
        self._next_line = 0.0

    def show(self, glance: Glance, rows: Mapping[str, int], written: int, seconds: float) -> None:
        """Show how far it is."""
        if self._live is not None:
            self._live.update(_drawn(glance, rows, written, seconds), refresh=True)
        elif seconds >= self._next_line:
            self._next_line = seconds + _LINE_EVERY_S
            shop = _of_shop(glance)
            events, letters = (sum(getattr(one, name) for one in shop.values()) for name in ("events", "dead_letters"))
            held = sum(count for name, count in rows.items() if name.startswith(f"{KEYSPACE}."))
            self._screen.say(f"  {written:,} statements, {events:,} events applied, {held:,} rows, {letters:,} dead letters")


def _drawn(glance: Glance, rows: Mapping[str, int], written: int, seconds: float) -> Table:
    rate = written / max(seconds, 1e-9)
    drawn = bare_table("table", "events", "rows", "lag", "p50", "p99", "dead letters")
    for name, table in _of_shop(glance).items():
        times = (f"{table.lag_seconds:.1f} s", _within(table.latency_p50_seconds), _within(table.latency_p99_seconds))
        drawn.add_row(name, f"{table.events:,}", f"{rows.get(name, 0):,}", *times, f"{table.dead_letters:,}")
    pace = f"{written:,} statements in {seconds:.0f} s, {rate:.0f} a second"
    drawn.caption = f"{pace}; {_PERCENTILES}"
    return drawn


def _of_shop(glance: Glance) -> dict[str, TableGlance]:
    return {name: table for name, table in glance.tables.items() if name.startswith(f"{KEYSPACE}.")}


def _within(bound: float | None) -> str:
    return "" if bound is None else f"<= {bound:g} s"
