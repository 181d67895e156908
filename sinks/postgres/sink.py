"""The PostgreSQL sink as Bytewax knows it: 64 partitions, writers on threads of their own, a sweeper beside them."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from functools import partial

from bytewax.outputs import FixedPartitionedSink, StatefulSinkPartition

from cdc.batch import Batch
from cdc.event import Change, Position, Rejected
from runtime.metrics import Metrics
from runtime.progress import Progress
from sinks.postgres.layout import Layout
from sinks.postgres.overlap import OverlappedWriter
from sinks.postgres.prepare import Prepared
from sinks.postgres.sweeper import Sweeper
from sinks.postgres.writer import Outcome, Writer, WriterOptions

PARTS = [f"{slot:02d}" for slot in range(64)]


class PostgresSink(FixedPartitionedSink[Batch[Change], None]):
    """Merge batches of changes into PostgreSQL. Idempotent; in order for each topic partition, as a slot has one writer.

    A snapshot waits for the commits only while the source is draining: what a restart reads rests on the offsets in
    PostgreSQL, and a pause in every epoch costs a fifth of the rate. `confirm_dead_letters` returns when rows that PostgreSQL
    refused are safe; `forget` lets their copies through again.
    """

    def __init__(
        self,
        options: WriterOptions,
        read_layouts: Callable[[], Iterable[Layout]],
        confirm_dead_letters: Callable[[list[Rejected]], None],
        forget: Callable[[Iterable[Change]], None],
        *,
        max_batch_rows: int,
        writers: int = 1,
        progress: Progress,
        metrics: Metrics,
        sweeper: Sweeper,
        worker_id: str,
        gives_up: threading.Event | None = None,
        is_unwinding: Callable[[], bool] = lambda: False,
        is_draining: Callable[[], bool] = lambda: True,
    ) -> None:
        self._writers = [Writer(options, read_layouts, confirm_dead_letters, gives_up) for _ in range(writers)]
        self._overlapped = [
            OverlappedWriter(writer, max_rows=max_batch_rows, on_written=partial(self._note, writer))
            for writer in self._writers
        ]
        for writer in self._writers[1:]:
            writer.watch(self._writers[0])
        self._forget = forget
        self._progress = progress
        self._metrics = metrics
        self._is_unwinding = is_unwinding
        self._is_draining = is_draining
        self._sweeper = sweeper
        sweeper.watch(self._writers[0])
        self._worker_id = worker_id
        self._lock = threading.Lock()
        self._open_parts = 0
        self._failed = False

    @property
    def halted(self) -> frozenset[str]:
        """Full names of the tables that wait for an operator."""
        return frozenset(name for writer in self._writers for name in writer.halted)

    def list_parts(self) -> list[str]:
        return PARTS

    def part_fn(self, item_key: str) -> int:
        """Return the slot itself: the list of parts is sorted."""
        return int(item_key)

    def build_part(self, step_id: str, for_part: str, resume_state: None) -> PostgresPartition:  # noqa: ARG002  # Bytewax's signature
        self._progress.sink_opened(int(for_part))
        with self._lock:
            self._open_parts += 1
        self._sweeper.start()
        return PostgresPartition(self)

    def start(self) -> None:
        """Begin to sweep: the engine opens partitions only for what arrives, and what expires does not wait for that."""
        self._sweeper.start()

    def before_end(self) -> None:
        """Sweep once more where no partition is open, which would do it when it is closed. Raises what the sweeper raised."""
        with self._lock:
            is_last = not self._open_parts
        if is_last and self._sweeper.is_started:
            self._sweeper.finish()

    def submit(self, batch: Batch[Change]) -> None:
        """Take a batch; may wait for the writer."""
        with self._failing():
            self._overlapped[batch.slot % len(self._overlapped)].submit(batch)

    def snapshot(self) -> None:
        """Return when everything submitted is committed; at once while more is to come. Raises what the threads raised."""
        with self._failing():
            for overlapped in self._overlapped:
                if self._is_draining():
                    overlapped.flush()
                else:
                    overlapped.raise_error()
            self._sweeper.raise_error()

    def close_part(self) -> None:
        """End the threads with the last partition, after one more sweep.

        After a failure it raises nothing: the engine closes partitions while it unwinds, and an error would abort the process.
        """
        with self._lock:
            self._open_parts -= 1
            if self._open_parts:
                return
        if self._failed or self._is_unwinding():
            self._sweeper.abandon()
            self._close_writers()
            return
        for overlapped in self._overlapped:
            overlapped.flush()
        self._close_writers()
        self._sweeper.finish()

    def _close_writers(self) -> None:
        for overlapped in self._overlapped:
            overlapped.close()

    @contextmanager
    def _failing(self) -> Iterator[None]:
        try:
            yield
        except BaseException:
            self._failed = True
            raise

    def _note(self, writer: Writer, prepared: Prepared, outcome: Outcome) -> None:
        self._progress.committed(writer.committed())
        self._forget(outcome.poison)
        now, reached = time.time(), time.monotonic()
        for polled_at in prepared.polled_at:
            self._metrics.processing_seconds.observe(reached - polled_at)
        for table in prepared.tables:
            name = table.layout.table.full_name
            self._metrics.events_processed.labels(name, self._worker_id).inc(table.count)
            self._metrics.postgres_batch_size.labels(name).observe(table.count)
            if table.newest_write is not None:
                self._progress.wrote(name, table.newest_write)
                self._metrics.replication_latency_seconds.labels(name).observe(max(0.0, now - table.newest_write / 1e6))
        for change in outcome.refused:
            self._metrics.replays_refused.labels(change.table.full_name).inc()
        for name in writer.halted:
            self._metrics.table_halted.labels(name).set(1)


class PostgresPartition(StatefulSinkPartition[Batch[Change], None]):
    """One slot of the sink. The offsets that a restart reads from stand in PostgreSQL, so nothing is kept here."""

    def __init__(self, sink: PostgresSink) -> None:
        self._sink = sink

    def write_batch(self, values: list[Batch[Change]]) -> None:
        for batch in values:
            self._sink.submit(batch)

    def snapshot(self) -> None:
        self._sink.snapshot()

    def close(self) -> None:
        self._sink.close_part()


class StoredPositions:
    """Reads where each topic partition stands in PostgreSQL, on a connection of its own; makes what is missing first.

    Waits for the server. For several threads.
    """

    def __init__(self, options: WriterOptions, read_layouts: Callable[[], Iterable[Layout]], gives_up: threading.Event) -> None:
        self._writer = Writer(options, read_layouts, lambda _: None, gives_up)
        self._lock = threading.Lock()

    def __call__(self) -> list[Position]:
        """Return the stored positions of the consumer group."""
        with self._lock:
            try:
                return self._writer.stored_positions()
            finally:
                self._writer.close()
