"""What `PlainEvents` reads, event by event."""

from __future__ import annotations

from collections.abc import Sequence

from cdc.event import PlainRow, Record
from cdc.plain_events import PlainEvents
from cdc.runs import RecordRun
from cdc.schema import Table


class PlainReading:
    """The plain events of one table, with what a run makes of its records held to be right."""

    def __init__(self, table: Table) -> None:
        self.events = PlainEvents(table)

    def __call__(self, payloads: Sequence[bytes | None]) -> list[PlainRow | None]:
        """Return the row of each event, None where it is not plain."""
        records = [Record("cdc.t", 3, at, 100 + at, b"k", value, b"%016d" % at) for at, value in enumerate(payloads)]
        plain, others = self.events(RecordRun.of("cdc.t", 3, records))
        rows: dict[int, PlainRow] = {}
        for run in plain:
            assert len({row.touched for row in run.rows()}) == 1
            assert list(run.records.records()) == [change.record for change in run.changes()]
            rows |= zip((record.offset for record in run.records.records()), run.rows(), strict=True)
        left = [] if others is None else list(others.records())
        assert sorted([*rows, *(record.offset for record in left)]) == list(range(len(records)))
        for record in (*left, *(record for run in plain for record in run.records.records())):
            assert record == records[record.offset]
        return [rows.get(at) for at in range(len(records))]
