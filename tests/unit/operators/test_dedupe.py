"""What the window remembers, and what of it survives a restart."""

from __future__ import annotations

from array import array
from collections import Counter
from collections.abc import Collection, Sequence

import msgspec
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from cdc.batch import Batch
from cdc.event import UNKNOWN, Change, Position, Record, RowState, Skip
from cdc.fingerprint import SIZE
from cdc.runs import PlainRun, RecordRun
from operators.dedupe import STAGE, Dedupe, SlotDedupe, Window, WindowState
from tests.fixtures.events import table_of
from tests.fixtures.stage_times import spent

TABLE = table_of("CREATE TABLE k.t (a int PRIMARY KEY)")
SLOT = 3


def print_of(number: int) -> bytes:
    return number.to_bytes(16, "big")


def change(number: int | None) -> Change:
    fingerprint = UNKNOWN if number is None else print_of(number)
    record = Record("cdc.k.t", 0, 0, -1, None, None, fingerprint)
    return Change(TABLE, RowState((str(number),), 1, []), record)


def plain_run(numbers: Sequence[int | None]) -> PlainRun:
    """Return plain rows of these numbers, as a run."""
    records = RecordRun.of("cdc.k.t", 0, [change(number).record for number in numbers])
    keys = [str(number).encode() for number in numbers]
    return PlainRun(TABLE, (), records, keys, keys, array("q", [1] * len(keys)), bytes([2] * len(keys)))


def at(next_offset: int, topic: str = "cdc.k.t", topic_id: str = "id") -> Position:
    return Position(topic, 0, topic_id, next_offset)


def dedupe(*starts: Position, **limits: int) -> Dedupe:
    def starts_of(slot: int) -> Collection[Position]:
        return starts if slot == SLOT else []

    return Dedupe(starts_of, **limits)


def passed(logic: SlotDedupe, *numbers: int | None, positions: Collection[Position] = ()) -> list[str]:
    """Return which changes of a batch go on."""
    batches, is_done = logic.on_batch([Batch(SLOT, [change(number) for number in numbers], list(positions))])
    assert not is_done
    (batch,) = batches
    assert batch.positions == list(positions)
    return [item.what.key[0] for item in batch.items if isinstance(item.what, RowState)]


def passed_plain(logic: SlotDedupe, *numbers: int | None) -> list[str]:
    """Return which rows of a run go on."""
    ((batch,), _) = logic.on_batch([Batch(SLOT, [], [], plain=[plain_run(numbers)])])
    dropped = sum(batch.skipped.values())
    assert dropped + sum(map(len, batch.plain)) == len(numbers)
    return [key.decode() for run in batch.plain for key in run.keys]


FIFTY_OR_FEWER = st.lists(st.integers(1, 50) | st.none(), max_size=20)


@settings(deadline=None)
@given(st.lists(st.tuples(st.booleans(), FIFTY_OR_FEWER), max_size=30), st.sampled_from([1, 10, 50]))
def test_plain_rows_are_copies_of_others_and_others_of_them(
    polls: list[tuple[bool, list[int | None]]], generation: int
) -> None:
    logic = dedupe(max_snapshot_bytes=generation * SIZE).logic(None)
    known: set[int] = set()
    for is_plain, numbers in polls:
        got = (passed_plain if is_plain else passed)(logic, *numbers)
        fresh = [str(n) for at, n in enumerate(numbers) if n is None or (n not in known and n not in numbers[:at])]
        assert not Counter(fresh) - Counter(got)  # nothing is lost
        if generation == 50:
            assert got == fresh
        known |= {number for number in numbers if number is not None}


def test_copies_are_dropped_within_a_batch_and_later() -> None:
    logic = dedupe().logic(None)
    assert passed(logic, 1, 2, 1) == ["1", "2"]
    assert passed(logic, 2, 3) == ["3"]


def test_a_batch_keeps_the_time_of_its_poll_and_adds_to_the_time_of_the_stage() -> None:
    before = spent(STAGE)
    batches, _ = dedupe().logic(None).on_batch([Batch(SLOT, [change(1)], [], polled_at=12.5), Batch(SLOT, [], [])])
    assert [batch.polled_at for batch in batches] == [12.5, None]
    assert spent(STAGE) > before


def test_dropped_copies_are_counted() -> None:
    batches, _ = dedupe().logic(None).on_batch([Batch(SLOT, [change(1), change(1), change(1)], [])])
    assert [batch.skipped for batch in batches] == [{("k.t", Skip.DUPLICATE): 2}]


def test_a_batch_without_changes_goes_on_with_its_offsets() -> None:
    logic = dedupe().logic(None)
    assert passed(logic, 1, positions=[at(1)]) == ["1"]
    assert passed(logic, 1, positions=[at(2)]) == []


def test_events_without_fingerprint_always_pass() -> None:
    assert passed(dedupe().logic(None), None, None) == ["None", "None"]


def test_slots_do_not_know_of_each_other() -> None:
    both = dedupe()
    assert passed(both.logic(None), 1) == ["1"]
    other, _ = both.logic(None).on_batch([Batch(SLOT + 1, [change(1)], [])])
    assert [len(batch.items) for batch in other] == [1]


def test_a_forgotten_event_passes_again() -> None:
    all_windows = dedupe()
    logic = all_windows.logic(None)
    passed(logic, 1, 2)
    all_windows.forget([(SLOT, print_of(1)), (SLOT, print_of(99)), (SLOT + 1, print_of(2))])
    assert passed(logic, 1, 2) == ["1"]


@settings(deadline=None)
@given(st.lists(st.integers(0, 30)), st.integers(1, 5))
@example([0, 2, 3, 1, 2, 4, 0, 3], 3)
def test_the_window_is_bounded_and_remembers_at_least_one_generation(numbers: list[int], generation: int) -> None:
    window = Window()
    for index, number in enumerate(numbers):
        before = list(dict.fromkeys(reversed(numbers[:index])))  # each once, the newest first
        seen = window.seen(print_of(number), generation)
        assert len(window) <= 2 * generation
        assert seen or number not in before[:generation]
        assert not seen or number in before


def restarted(state: bytes, *starts: Position) -> SlotDedupe:
    return dedupe(*starts).logic(state)


def state_of(*numbers: int, positions: Collection[Position] = (at(10),), **limits: int) -> bytes:
    logic = dedupe(**limits).logic(None)
    passed(logic, *numbers, positions=positions)
    return logic.snapshot()


def test_a_start_from_the_remembered_offsets_restores_the_window() -> None:
    assert passed(restarted(state_of(1, 2), at(10)), 1, 2, 3) == ["3"]


OTHER_STARTS = {
    "PostgreSQL is older": [at(9)],
    "PostgreSQL is newer": [at(11)],
    "PostgreSQL is empty": [],
    "the topic was recreated": [at(10, topic_id="new")],
    "another topic": [at(10, topic="cdc.k.u")],
}


@pytest.mark.parametrize("case", OTHER_STARTS)
def test_any_other_start_restores_nothing(case: str) -> None:
    assert passed(restarted(state_of(1, 2), *OTHER_STARTS[case]), 1, 2, 3) == ["1", "2", "3"]


def test_one_partition_that_starts_elsewhere_is_enough_to_restore_nothing() -> None:
    two = (at(10), at(20, topic="cdc.k.u"))
    state = state_of(1, positions=two)
    assert passed(restarted(state, *two, at(5, topic="cdc.k.new")), 1) == []
    assert passed(restarted(state, two[0], at(19, topic="cdc.k.u")), 1) == ["1"]


def test_the_snapshot_belongs_to_the_last_offsets_of_every_partition() -> None:
    logic = dedupe().logic(None)
    passed(logic, 1, positions=[at(10), at(20, topic="cdc.k.u")])
    passed(logic, 2, positions=[at(11)])
    state = msgspec.msgpack.decode(logic.snapshot(), type=WindowState)
    assert state == WindowState([at(11), at(20, topic="cdc.k.u")], print_of(1) + print_of(2))


def test_a_restored_window_keeps_the_offsets_of_partitions_that_stay_silent() -> None:
    two = (at(10), at(20, topic="cdc.k.u"))
    logic = restarted(state_of(1, positions=two), *two)
    passed(logic, 2, positions=[at(11)])
    state = msgspec.msgpack.decode(logic.snapshot(), type=WindowState)
    assert state == WindowState([at(11), two[1]], print_of(1) + print_of(2))


def test_a_discarded_window_is_not_kept_for_the_next_start() -> None:
    logic = restarted(state_of(1), at(5))
    passed(logic, 2, positions=[at(6)])
    assert msgspec.msgpack.decode(logic.snapshot(), type=WindowState) == WindowState([at(6)], print_of(2))


def test_a_window_that_saw_no_batch_is_kept_as_it_was() -> None:
    state = state_of(1)
    assert restarted(state, at(5)).snapshot() == state
    assert msgspec.msgpack.decode(dedupe().logic(None).snapshot(), type=WindowState) == WindowState([], b"")


def test_the_newest_fingerprints_are_kept_within_the_budget() -> None:
    state = msgspec.msgpack.decode(state_of(1, 2, 3, 4, max_snapshot_bytes=40), type=WindowState)
    assert state.fingerprints == print_of(3) + print_of(4)
    assert msgspec.msgpack.decode(state_of(1, 2, max_snapshot_bytes=15), type=WindowState).fingerprints == b""


def test_the_old_generation_fills_what_the_young_one_leaves() -> None:
    window = Window()
    for number in range(5):
        window.seen(print_of(number), 3)
    assert window.newest(16 * 4) == b"".join(map(print_of, [1, 2, 3, 4]))
    assert window.newest(10**6) == b"".join(map(print_of, range(5)))


def test_the_windows_of_a_process_share_its_budget() -> None:
    process = dedupe(max_snapshot_bytes=1600)
    assert (process.generation, process.snapshot_bytes) == (100, 1600)
    for slot in range(64):
        process.logic(None).on_batch([Batch(slot, [], [])])
    assert (process.generation, process.snapshot_bytes) == (1, 25)
