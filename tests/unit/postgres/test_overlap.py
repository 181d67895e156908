"""The writer on its own thread: order, waiting, and errors that nobody can overlook."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from typing import Any, cast

import pytest

from cdc.batch import Batch
from cdc.event import Change, Position, Record, RowState
from cdc.runs import PlainRun
from sinks.postgres.overlap import MAX_BYTES, PREPARE, WRITE, OverlappedWriter
from sinks.postgres.prepare import Prepared
from sinks.postgres.writer import Outcome, Writer
from tests.fixtures.events import table_of
from tests.fixtures.stage_times import spent

TABLE = table_of("CREATE TABLE k.t (a int PRIMARY KEY)")


class FakeWriter:
    """Takes what it is given; `open` lets writes through, `fails` makes one raise."""

    def __init__(self) -> None:
        self.written: list[Position] = []
        self.open = threading.Event()
        self.writing = threading.Event()
        self.fails: Exception | None = None
        self.fails_to_prepare: Exception | None = None
        self.closed = False
        self.open.set()

    def prepare(self, changes: Iterable[Change], positions: Iterable[Position], plain: Iterable[PlainRun]) -> Prepared:
        if self.fails_to_prepare is not None:
            raise self.fails_to_prepare
        return Prepared([], list(positions))

    def write(self, prepared: Prepared) -> Outcome:
        self.writing.set()
        self.open.wait()
        if self.fails is not None:
            raise self.fails
        self.written += prepared.positions
        return Outcome()

    def close(self) -> None:
        self.closed = True


@pytest.fixture
def fake() -> FakeWriter:
    return FakeWriter()


@pytest.fixture
def overlapped(fake: FakeWriter) -> Iterator[OverlappedWriter]:
    writer = OverlappedWriter(cast("Writer", fake), max_rows=10, on_written=lambda prepared, outcome: None)
    yield writer
    fake.open.set()
    writer.close()


def batch(partition: int, offset: int, rows: int = 3, size: int = 100) -> Batch[Change]:
    record = Record("t", partition, offset, -1, None, bytes(size))
    change = Change(TABLE, RowState(("1",), 1, []), record)
    return Batch(partition, [change] * rows, [Position("t", partition, "id", offset)])


def test_flush_returns_when_all_is_written(fake: FakeWriter, overlapped: OverlappedWriter) -> None:
    for offset in range(50):
        overlapped.submit(batch(0, offset))
    overlapped.flush()
    assert [position.next_offset for position in fake.written] == list(range(50))


def test_what_is_written_knows_when_each_of_its_batches_was_polled(fake: FakeWriter) -> None:
    written: list[Prepared] = []
    before = [spent(PREPARE), spent(WRITE)]
    writer = OverlappedWriter(cast("Writer", fake), max_rows=10, on_written=lambda prepared, _: written.append(prepared))
    for polled_at in (1.5, 2.5, None, 3.5):
        writer.submit(Batch(0, [], [Position("t", 0, "id", 1)], polled_at=polled_at))
    writer.flush()
    writer.close()
    assert [polled_at for prepared in written for polled_at in prepared.polled_at] == [1.5, 2.5, 3.5]
    assert all(late > early for late, early in zip([spent(PREPARE), spent(WRITE)], before, strict=True))


def test_flush_waits_for_a_slow_write(fake: FakeWriter, overlapped: OverlappedWriter) -> None:
    fake.open.clear()
    overlapped.submit(batch(0, 1))
    fake.writing.wait()
    flushed = in_thread(overlapped.flush)
    assert flushed.is_alive()
    assert fake.written == []
    fake.open.set()
    flushed.join()
    assert len(fake.written) == 1


def test_flush_of_nothing_returns(overlapped: OverlappedWriter) -> None:
    overlapped.flush()


def test_a_writer_that_is_behind_is_waited_for(fake: FakeWriter, overlapped: OverlappedWriter) -> None:
    fake.open.clear()
    overlapped.submit(batch(0, 1))
    fake.writing.wait()
    overlapped.submit(batch(0, 2, rows=10))
    waiting = in_thread(lambda: overlapped.submit(batch(0, 3, rows=10)))
    waiting.join(0.05)
    assert waiting.is_alive()
    fake.open.set()
    waiting.join()
    overlapped.flush()
    assert [position.next_offset for position in fake.written] == [1, 2, 3]


def test_each_partition_keeps_its_order_when_several_threads_submit(fake: FakeWriter, overlapped: OverlappedWriter) -> None:
    def submit_all(partition: int) -> None:
        for offset in range(200):
            overlapped.submit(batch(partition, offset))

    threads = [in_thread(partial(submit_all, partition)) for partition in range(4)]
    for thread in threads:
        thread.join()
    overlapped.flush()
    by_partition = {p: [found.next_offset for found in fake.written if found.partition == p] for p in range(4)}
    assert by_partition == {partition: list(range(200)) for partition in range(4)}


@pytest.mark.parametrize("large", [{"rows": 10}, {"rows": 2, "size": MAX_BYTES // 2}])
def test_what_gathers_is_bounded_in_rows_and_in_bytes(
    fake: FakeWriter, overlapped: OverlappedWriter, large: dict[str, int]
) -> None:
    fake.open.clear()
    overlapped.submit(batch(0, 1))
    fake.writing.wait()
    overlapped.submit(batch(0, 2, **large))  # is made ready
    waiting = in_thread(lambda: overlapped.submit(batch(0, 3, **large)))
    waiting.join(0.05)
    assert waiting.is_alive()
    fake.open.set()
    waiting.join()


@pytest.mark.parametrize("call", ["submit", "flush"])
def test_what_the_writer_raised_is_raised_where_the_engine_sees_it(
    fake: FakeWriter, overlapped: OverlappedWriter, call: str
) -> None:
    fake.fails = ConnectionError("gone")
    overlapped.submit(batch(0, 1))
    calls: dict[str, Callable[[], Any]] = {"submit": lambda: submit_until_raised(overlapped), "flush": overlapped.flush}
    with pytest.raises(ConnectionError, match="gone"):
        calls[call]()
    with pytest.raises(ConnectionError):
        overlapped.flush()


def test_a_batch_that_cannot_be_prepared_is_never_flushed(fake: FakeWriter, overlapped: OverlappedWriter) -> None:
    fake.fails_to_prepare = KeyError("table")
    with pytest.raises(KeyError):
        overlapped.submit(batch(0, 1, rows=10))
    with pytest.raises(KeyError):
        overlapped.flush()


def test_close_ends_the_thread_and_the_connection(fake: FakeWriter) -> None:
    before = threading.active_count()
    writer = OverlappedWriter(cast("Writer", fake), max_rows=10, on_written=lambda prepared, outcome: None)
    writer.submit(batch(0, 1))
    writer.flush()
    writer.close()
    assert (fake.closed, threading.active_count()) == (True, before)


def submit_until_raised(overlapped: OverlappedWriter) -> None:
    while True:
        overlapped.submit(batch(0, 2))


def in_thread(work: Callable[[], Any]) -> threading.Thread:
    thread = threading.Thread(target=work)
    thread.start()
    return thread
