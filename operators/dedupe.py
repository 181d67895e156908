"""Drops copies of events that came before a restart; those that came since the source has dropped (`operators.copies`).

It only saves work. What is applied twice changes nothing, but a fingerprint that is remembered though PostgreSQL does not
hold its event would lose that event; hence the care about what a restart may restore.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Iterable, Sequence
from itertools import chain, islice
from typing import Final

import msgspec
from bytewax.operators import StatefulBatchLogic

from cdc.batch import Batch
from cdc.event import UNKNOWN, Change, Position, Skip
from cdc.fingerprint import SIZE, split
from cdc.runs import PlainRun
from runtime.metrics import stage_time

STAGE: Final = "dedupe"


class WindowState(msgspec.Struct, frozen=True):
    """What a recovery snapshot keeps of a window: the newest fingerprints, and the offsets that all of them stand before."""

    positions: list[Position]
    fingerprints: bytes  # one behind the other, oldest first


class Window:
    """The fingerprints of the last events of one slot, in two generations: when the young one is full, the old one goes."""

    def __init__(self) -> None:
        self._young: dict[bytes, None] = {}
        self._old: dict[bytes, None] = {}

    def __len__(self) -> int:
        return len(self._young) + len(self._old)

    def seen(self, fingerprint: bytes, generation: int) -> bool:
        """Return whether an event came before, and remember it. `generation` is the most that the young one may hold."""
        if fingerprint in self._young:
            return True
        known = fingerprint in self._old
        if len(self._young) >= generation:
            self._young, self._old = {}, self._young
        self._young[fingerprint] = None
        return known

    def add_new(self, fingerprints: Sequence[bytes], generation: int) -> bool:
        """Remember events of which none came before and none is there twice; else return False and remember nothing."""
        new = dict.fromkeys(fingerprints)
        if len(new) < len(fingerprints) or len(new) > generation or UNKNOWN in new:
            return False
        if not (self._young.keys().isdisjoint(new) and self._old.keys().isdisjoint(new)):
            return False
        if len(self._young) + len(new) > generation:
            self._young, self._old = {}, self._young
        self._young |= new
        return True

    def forget(self, fingerprint: bytes) -> None:
        """Let the next copy of an event through: the copy before was not applied."""
        self._young.pop(fingerprint, None)
        self._old.pop(fingerprint, None)

    def newest(self, limit_bytes: int) -> bytes:
        """Return the newest fingerprints in one piece, oldest first."""
        keep = limit_bytes // SIZE
        newest_first = list(islice(chain(reversed(self._young), reversed(self._old)), keep))
        return b"".join(reversed(newest_first))

    def restore(self, fingerprints: bytes) -> None:
        """Remember what `newest` gave, as the old generation."""
        self._old = dict.fromkeys(split(fingerprints))


class Dedupe:
    """All windows of a process, within one budget of snapshot bytes: build one, hand it to every worker.

    `starts` gives the positions that a slot's reading started from, and only those that PostgreSQL holds: what is restored
    must belong to exactly them, else PostgreSQL may be older, restored or empty, and the fingerprints are dropped.
    """

    def __init__(
        self,
        starts: Callable[[int], Collection[Position]],
        *,
        max_snapshot_bytes: int = 256 * 1024,  # more stalls each epoch
    ) -> None:
        self._starts = starts
        self._max_snapshot_bytes = max_snapshot_bytes
        self._windows: dict[int, Window] = {}

    def logic(self, resume_state: bytes | None) -> SlotDedupe:
        """Build the logic of one slot, as `op.stateful_batch` wants it."""
        state = None if resume_state is None else msgspec.msgpack.decode(resume_state, type=WindowState)
        return SlotDedupe(self, state)

    def open(self, slot: int, state: WindowState | None) -> tuple[Window, dict[tuple[str, int], Position]]:
        """Return a slot's window and the positions that it stands before; both empty unless the start allows more."""
        window = self._windows[slot] = Window()
        if state is None or not _same(state.positions, self._starts(slot)):
            return window, {}
        window.restore(state.fingerprints)
        return window, _by_partition(state.positions)

    def forget(self, changes: Iterable[tuple[int, bytes]]) -> None:
        """Forget events (slot and fingerprint) that the sink rejected."""
        for slot, fingerprint in changes:
            window = self._windows.get(slot)
            if window is not None:
                window.forget(fingerprint)

    @property
    def generation(self) -> int:
        return max(1, self.snapshot_bytes // SIZE)

    @property
    def snapshot_bytes(self) -> int:
        return self._max_snapshot_bytes // max(1, len(self._windows))


class SlotDedupe(StatefulBatchLogic[Batch[Change], Batch[Change], bytes]):
    """The stateful step of one slot. The window is opened by the first batch: only then the start is known."""

    def __init__(self, dedupe: Dedupe, state: WindowState | None) -> None:
        self._dedupe = dedupe
        self._state = state
        self._window: Window | None = None
        self._positions: dict[tuple[str, int], Position] = {}

    @stage_time(STAGE)
    def on_batch(self, values: list[Batch[Change]]) -> tuple[Iterable[Batch[Change]], bool]:
        """Drop the copies in each batch; the batches themselves go on, empty ones too: they carry offsets."""
        return [self._deduped(batch) for batch in values], StatefulBatchLogic.RETAIN

    def snapshot(self) -> bytes:
        """Return what a restart may restore."""
        state = self._state
        if self._window is not None:
            state = WindowState(list(self._positions.values()), self._window.newest(self._dedupe.snapshot_bytes))
        return msgspec.msgpack.encode(state or WindowState([], b""))

    def _deduped(self, batch: Batch[Change]) -> Batch[Change]:
        if self._window is None:
            self._window, self._positions = self._dedupe.open(batch.slot, self._state)
            self._state = None
        window, generation, skipped = self._window, self._dedupe.generation, batch.skipped
        plain = [self._fresh(window, run, skipped) for run in batch.plain]
        fresh = []
        for change in batch.items:
            print_ = change.record.fingerprint
            if print_ != UNKNOWN and window.seen(print_, generation):
                skipped[change.table.full_name, Skip.DUPLICATE] += 1
            else:
                fresh.append(change)
        self._positions |= _by_partition(batch.positions)
        plain = [run for run in plain if len(run)]
        return Batch(batch.slot, fresh, batch.positions, batch.rejected, skipped, plain, batch.polled_at)

    def _fresh(self, window: Window, run: PlainRun, skipped: Counter[tuple[str, Skip]]) -> PlainRun:
        """Return a run without its copies, counting them."""
        prints, generation = split(run.records.fingerprints), self._dedupe.generation
        if window.add_new(prints, generation):
            return run
        places = [at for at, print_ in enumerate(prints) if print_ == UNKNOWN or not window.seen(print_, generation)]
        if len(places) == len(run):
            return run
        skipped[run.table.full_name, Skip.DUPLICATE] += len(run) - len(places)
        return run.some(places)


def _by_partition(positions: Iterable[Position]) -> dict[tuple[str, int], Position]:
    return {(position.topic, position.partition): position for position in positions}


def _same(remembered: Collection[Position], starts: Collection[Position]) -> bool:
    """Return whether the start reads from exactly the remembered positions; of others nothing is remembered."""
    return bool(remembered) and set(remembered) <= set(starts)
