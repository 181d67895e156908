"""The sink when its server is away for good, and what its snapshots wait for."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from threading import Event, Thread
from typing import Any

import psycopg
import pytest

from cdc.batch import Batch
from cdc.errors import PostgresUnavailable
from cdc.event import Change, Position
from cdc.runs import PlainRun
from runtime.metrics import create_metrics
from runtime.progress import Progress
from sinks.postgres import sink as sink_module
from sinks.postgres.layout import Layout
from sinks.postgres.prepare import Prepared
from sinks.postgres.sink import PostgresPartition, PostgresSink
from sinks.postgres.sweeper import Sweeper
from sinks.postgres.writer import Outcome, Writer, WriterOptions


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


class SlowWriter(Writer):
    """Writes nothing, and that only when it is let."""

    def __init__(self) -> None:
        super().__init__(WriterOptions("", "group"), list, lambda _: None)
        self.begun = Event()
        self.may_end = Event()
        self.written: list[Position] = []

    def prepare(self, changes: Iterable[Change], positions: Iterable[Position], plain: Iterable[PlainRun] = ()) -> Prepared:
        return Prepared([], list(positions))

    def write(self, prepared: Prepared) -> Outcome:
        self.begun.set()
        self.may_end.wait()
        self.written += prepared.positions
        return Outcome()


def sink_with(**parts: Any) -> PostgresSink:
    """Return a sink whose server is never asked."""
    return PostgresSink(
        WriterOptions("", "group"),
        list,
        lambda _: None,
        lambda _: None,
        max_batch_rows=1_000,
        progress=Progress(),
        metrics=create_metrics(),
        sweeper=Sweeper(SlowWriter(), interval_seconds=60, purge_interval_seconds=60),
        worker_id="0",
        **parts,
    )


@dataclass
class SlowSink:
    """A sink in the middle of a write, and whether its source drains."""

    writer: SlowWriter = field(default_factory=SlowWriter)
    is_draining: bool = False


@pytest.fixture
def slow(monkeypatch: pytest.MonkeyPatch) -> SlowSink:
    found = SlowSink()
    monkeypatch.setattr(sink_module, "Writer", lambda *_: found.writer)
    return found


@pytest.fixture
def busy(slow: SlowSink) -> Iterator[PostgresPartition]:
    """The partition of the slow sink while a batch of it is being written."""
    # unwinding: the sweeper has no server for its last sweep
    sink = sink_with(is_unwinding=lambda: True, is_draining=lambda: slow.is_draining)
    part = sink.build_part("postgres", "00", None)
    part.write_batch([Batch(0, [], [Position("t", 0, "id", 1)])])
    slow.writer.begun.wait()
    yield part
    slow.writer.may_end.set()
    part.close()


def test_a_snapshot_returns_at_once_while_more_is_to_come(slow: SlowSink, busy: PostgresPartition) -> None:
    busy.snapshot()
    assert slow.writer.written == []


def test_a_snapshot_of_a_draining_source_waits_for_the_commits(slow: SlowSink, busy: PostgresPartition) -> None:
    slow.is_draining = True
    written_by_its_end: list[list[Position]] = []

    def take_snapshot() -> None:
        busy.snapshot()
        written_by_its_end.append(list(slow.writer.written))

    snapshot = Thread(target=take_snapshot)
    snapshot.start()
    snapshot.join(0.05)  # one that does not wait would end here
    slow.writer.may_end.set()
    snapshot.join()
    assert written_by_its_end == [[Position("t", 0, "id", 1)]]


def test_each_batch_of_the_source_is_timed_once_from_its_poll_to_its_commit(slow: SlowSink) -> None:
    slow.is_draining = True
    slow.writer.may_end.set()
    sink = sink_with(is_unwinding=lambda: True)
    part = sink.build_part("postgres", "00", None)
    polled_at = time.monotonic() - 5
    part.write_batch([Batch(0, [], [Position("t", 0, "id", 1)], polled_at=at) for at in (polled_at, polled_at - 10, None)])
    part.snapshot()
    part.close()
    value = sink._metrics.registry.get_sample_value
    assert value("cdc_processing_seconds_count") == 2
    assert (value("cdc_processing_seconds_sum") or 0) >= 20


def test_a_slot_has_one_writer_and_a_snapshot_waits_for_all(monkeypatch: pytest.MonkeyPatch) -> None:
    writers: list[SlowWriter] = []

    def make(*_: object) -> SlowWriter:
        writers.append(SlowWriter())
        return writers[-1]

    monkeypatch.setattr(sink_module, "Writer", make)
    sink = sink_with(writers=2, is_unwinding=lambda: True)
    part = sink.build_part("postgres", "00", None)
    for offset in range(1, 4):
        part.write_batch([Batch(slot, [], [Position(f"t{slot}", 0, "id", offset)]) for slot in (4, 7)])
    for writer in writers:
        writer.begun.wait()  # both write at once
        writer.may_end.set()
    part.snapshot()
    assert [[(position.topic, position.next_offset) for position in writer.written] for writer in writers] == [
        [("t4", 1), ("t4", 2), ("t4", 3)],
        [("t7", 1), ("t7", 2), ("t7", 3)],
    ]
    part.close()


def test_what_any_of_the_writers_fails_with_is_raised(monkeypatch: pytest.MonkeyPatch) -> None:
    class FailingWriter(SlowWriter):
        def write(self, prepared: Prepared) -> Outcome:
            raise PostgresUnavailable("away")

    writers = iter([SlowWriter(), FailingWriter()])
    monkeypatch.setattr(sink_module, "Writer", lambda *_: next(writers))
    sink = sink_with(writers=2)
    part = sink.build_part("postgres", "01", None)
    part.write_batch([Batch(1, [], [Position("t", 0, "id", 1)])])
    with pytest.raises(PostgresUnavailable):
        part.snapshot()
    part.close()
