"""A mirrored table beside the rows that Cassandra returned."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass

from cdc.recording import Difference, Rows, differences, recorded_rows, without_gaps
from cdc.schema import Table
from dataflows.demo_recordings import Recording, Round
from sinks.postgres.migrate import migrate
from sinks.postgres.read import MirrorReader


@dataclass(frozen=True)
class Comparison:
    """One table on both sides. `explained` counts the known gaps found, by unit and reason; `unexplained` must be empty."""

    recording: str
    table: Table
    want: Rows
    got: Rows
    unexplained: list[Difference]
    explained: Counter[tuple[str, str]]

    @property
    def cells(self) -> int:
        """Return how many cells were compared, keys included."""
        return len(self.want) * self._width

    @property
    def differing_cells(self) -> int:
        """Return the number of cells that differ; a row that is on one side only differs in all of them."""
        return sum(self._width if difference.column is None else 1 for difference in self.unexplained)

    @property
    def _width(self) -> int:
        return len(self.table.primary_key) + len(self.table.regular)


def compare(dsn: str, played: Round) -> list[Comparison]:
    """Read every table of a round's database and compare it with what Cassandra held."""
    tables = [table for recording in played.recordings for table in recording.tables]
    layouts = {layout.table.full_name: layout for layout in migrate(dsn, tables, create_tables=False)}
    with MirrorReader(dsn) as reader:
        return [
            _compared(recording, table, reader.rows(layouts[table.full_name]))
            for recording in played.recordings
            for table in recording.tables
        ]


def _compared(recording: Recording, table: Table, got: Rows) -> Comparison:
    want = recorded_rows(table, recording.expected.tables[table.name])
    found = list(differences(table, want, got))
    keyspace = recording.expected.keyspace
    unexplained = without_gaps(recording.schema, keyspace, found, recording.gaps)
    explained: Counter[tuple[str, str]] = Counter()
    for gap in recording.gaps:
        explained["cell" if gap.columns else "row", gap.reason] += len(found) - len(
            without_gaps(recording.schema, keyspace, found, [gap])
        )
    return Comparison(recording.name, table, want, got, unexplained, +explained)


def not_compared(recordings: Iterable[Recording]) -> list[str]:
    """Return what no event speaks of, so that there is nothing to compare."""
    notes = []
    for recording in recordings:
        for name in recording.expected.tables:
            table = recording.schema.table(recording.expected.keyspace, name)
            if table is not None and table.is_counter:
                notes.append(f"{table.full_name}: counters")
            elif table is not None and table.static:
                notes.append(f"{table.full_name}: static columns {', '.join(column.name for column in table.static)}")
    return notes
