"""The writer on a thread of its own: one batch merges while the next is decoded and staged."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Final

from cdc.batch import Batch
from cdc.event import Change, Position
from runtime.metrics import stage_time
from sinks.postgres.prepare import Prepared
from sinks.postgres.writer import Outcome, Writer

PREPARE: Final = "postgres_prepare"  # the two parts of the stage, as their processor time is told
WRITE: Final = "postgres_write"
MAX_BYTES: Final = 16_777_216  # of the events of one transaction: three of them are held at once, whatever a row's size
SAMPLE: Final = 16


class OverlappedWriter:
    """Hands batches to the writer in the order they came; waits when it falls behind. May be called from several threads.

    An idle writer takes at once what there is; a busy one finds all that gathered meanwhile: few are late, many are fast. No
    more gathers than `max_rows` or `MAX_BYTES`, and the batch that goes beyond.
    """

    def __init__(self, writer: Writer, *, max_rows: int, on_written: Callable[[Prepared, Outcome], None]) -> None:
        self._writer = writer
        self._max_rows = max_rows
        self._on_written = on_written
        self._changed = threading.Condition()
        self._pending: list[Batch[Change]] = []
        self._pending_rows = self._pending_bytes = 0
        self._ready: Prepared | None = None
        self._preparing = False
        self._writing = False
        self._closed = False
        self._error: BaseException | None = None
        self._thread: threading.Thread | None = None

    def submit(self, batch: Batch[Change]) -> None:
        """Take a batch; may wait for the writer. Raises what the writer raised."""
        with self._changed:
            self._start()
            self._pending.append(batch)
            self._pending_rows += len(batch.items) + sum(map(len, batch.plain))
            self._pending_bytes += _bytes_of(batch)
            if self._pending_rows < self._max_rows and self._pending_bytes < MAX_BYTES:
                self._changed.notify_all()
                return
            self._wait_for(lambda: self._ready is None and not self._preparing)
            if not self._pending:
                return
            batches = self._take()
            self._preparing = True
        self._make_ready(batches)

    def flush(self) -> None:
        """Return when everything submitted is committed. Raises what the writer raised."""
        with self._changed:
            self._wait_for(lambda: self._ready is None and not (self._pending or self._preparing or self._writing))

    def raise_error(self) -> None:
        """Raise what the writer raised."""
        if self._error is not None:
            raise self._error

    def close(self) -> None:
        """End the thread and close the connection; what is not committed is read again after a restart."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()
        if self._thread is not None:
            self._thread.join()
        self._writer.close()

    def _make_ready(self, batches: list[Batch[Change]]) -> None:
        ready: Prepared | None = None
        try:
            ready = self._prepare(batches)
        except BaseException as error:
            self._error = error  # the batches are taken: nobody may believe them written
            raise
        finally:
            with self._changed:
                self._ready, self._preparing = ready, False
                self._changed.notify_all()

    @stage_time(PREPARE)
    def _prepare(self, batches: list[Batch[Change]]) -> Prepared:
        changes = [change for batch in batches for change in batch.items]
        positions: list[Position] = [position for batch in batches for position in batch.positions]
        prepared = self._writer.prepare(changes, positions, [run for batch in batches for run in batch.plain])
        prepared.polled_at = [batch.polled_at for batch in batches if batch.polled_at is not None]
        return prepared

    @stage_time(WRITE)
    def _write(self, prepared: Prepared) -> None:
        outcome = self._writer.write(prepared)
        self._on_written(prepared, outcome)

    def _take(self) -> list[Batch[Change]]:
        batches, self._pending = self._pending, []
        self._pending_rows = self._pending_bytes = 0
        return batches

    def _wait_for(self, condition: Callable[[], bool]) -> None:
        self._changed.wait_for(lambda: self._error is not None or condition())
        self.raise_error()

    def _start(self) -> None:
        self.raise_error()
        if self._thread is None:
            self._thread = threading.Thread(target=self._run, name="postgres-writer", daemon=True)
            self._thread.start()

    def _run(self) -> None:
        try:
            while (work := self._next()) is not None:
                self._write(work if isinstance(work, Prepared) else self._prepare(work))
                with self._changed:
                    self._writing = False
                    self._changed.notify_all()
        except BaseException as error:  # noqa: BLE001  # it is raised where the engine can see it
            with self._changed:
                self._error = error
                self._changed.notify_all()

    def _next(self) -> Prepared | list[Batch[Change]] | None:
        """Wait for work and take it: what is ready first, it is older."""
        with self._changed:
            self._changed.wait_for(lambda: self._closed or self._ready or (self._pending and not self._preparing))
            if self._closed:
                return None
            self._writing = True
            if self._ready is not None:
                ready, self._ready = self._ready, None
                self._changed.notify_all()
                return ready
            return self._take()


def _bytes_of(batch: Batch[Change]) -> int:
    """Return about how many bytes the events of a batch have."""
    changes, plain = batch.items, sum(run.records.size for run in batch.plain)
    sample = changes[:: max(1, len(changes) // SAMPLE)]
    return plain + sum(len(change.record.value or b"") for change in sample) * len(changes) // max(1, len(sample))
