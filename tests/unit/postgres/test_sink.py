"""The sink when its server is away for good."""

from __future__ import annotations

from collections.abc import Iterable
from threading import Event

import psycopg
import pytest

from cdc.errors import PostgresUnavailable
from cdc.event import Batch, Position
from runtime.metrics import create_metrics
from runtime.progress import Progress
from sinks.postgres.layout import Layout
from sinks.postgres.sink import PostgresPartition, PostgresSink
from sinks.postgres.sweeper import Sweeper
from sinks.postgres.writer import Writer, WriterOptions


@pytest.fixture
def part() -> PostgresPartition:
    """A partition of a process that has given up."""
    gives_up, options = Event(), WriterOptions("", "group")
    gives_up.set()

    def read_layouts() -> Iterable[Layout]:
        raise psycopg.OperationalError("away")

    sink = PostgresSink(
        options,
        read_layouts,
        lambda _: None,
        lambda _: None,
        max_batch_rows=1,
        progress=Progress(),
        metrics=create_metrics(),
        sweeper=Sweeper(
            Writer(options, read_layouts, lambda _: None, gives_up), interval_seconds=60, purge_interval_seconds=60
        ),
        worker_id="0",
        gives_up=gives_up,
    )
    return sink.build_part("postgres", "00", None)


def test_what_the_engine_was_told_once_is_not_raised_again_while_it_unwinds(part: PostgresPartition) -> None:
    part.write_batch([Batch(0, [], [Position("t", 0, "id", 1)])])
    with pytest.raises(PostgresUnavailable):
        part.snapshot()
    part.close()


def test_what_is_found_at_the_end_is_raised(part: PostgresPartition) -> None:
    part.write_batch([Batch(0, [], [Position("t", 0, "id", 1)])])
    with pytest.raises(PostgresUnavailable):
        part.close()
