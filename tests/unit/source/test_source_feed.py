from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterable, Mapping

import pytest

from cdc.event import Position, Skip
from cdc.runs import RecordRun
from operators.source_feed import STAGE, Feed
from operators.source_lane import Admission, FeedLimits
from operators.source_topics import slot_of
from runtime.metrics import process_metrics
from runtime.progress import Progress
from runtime.status import LostRange, Status
from tests.fixtures.events import as_json, envelope, table_of, written
from tests.fixtures.reader import FakeReader
from tests.fixtures.stage_times import spent

TABLE = table_of("CREATE TABLE shop.orders (a int PRIMARY KEY)")
TOPIC = "cassandra.shop.orders"
KEY = (TOPIC, 0)
SLOT = slot_of(TOPIC, 0)


def numbered(counts: Mapping[int, int], size: int = 2) -> FakeReader:
    """Return a reader of logs with so many records of that many bytes, by partition."""
    return FakeReader({(TOPIC, partition): [(b"k", b"v" * (size - 1))] * count for partition, count in counts.items()})


def feed_of(
    reader: FakeReader, limits: FeedLimits | None = None, status: Status | None = None, progress: Progress | None = None
) -> Feed:
    feed = Feed(lambda: reader, progress or Progress(), status or Status(), limits)  # type: ignore[arg-type,return-value]
    feed.open(SLOT, {})
    return feed


def offsets(runs: Iterable[RecordRun]) -> list[int]:
    return [record.offset for run in runs for record in run.records()]


def take(feed: Feed, slot: int = SLOT) -> list[int]:
    batch = feed.take(slot)
    return [] if batch is None else offsets(batch.items)


def admission(start: int | None = None, log_start: int = 0, end: int | None = None, partition: int = 0) -> Admission:
    return Admission(TOPIC, partition, "id", start, log_start, end)


def test_a_batch_carries_the_offset_behind_its_last_record() -> None:
    feed = feed_of(numbered({0: 3}))
    feed.admit([admission()], slots=[SLOT])
    batch = feed.take(SLOT)
    assert batch is not None
    assert offsets(batch.items) == [0, 1, 2]
    assert batch.positions == [Position(TOPIC, 0, "id", 3)]
    assert feed.take(SLOT) is None


def test_a_batch_knows_when_its_oldest_record_was_polled() -> None:
    feed = feed_of(numbered({0: 3}), FeedLimits(batch_records=2, queue_records=4))
    feed.admit([admission()], slots=[SLOT])
    before = time.monotonic()
    feed._poll()
    feed._poll()
    between = time.monotonic()
    first, second = feed.take(SLOT), feed.take(SLOT)
    assert first is not None
    assert second is not None
    assert offsets([*first.items, *second.items]) == [0, 1, 2]
    assert before <= (first.polled_at or 0) <= (second.polled_at or 0) <= between


def test_of_several_partitions_the_record_that_was_polled_first_counts() -> None:
    other = next(partition for partition in range(1, 1_000) if slot_of(TOPIC, partition) == SLOT)
    feed = feed_of(numbered({0: 1, other: 1}))
    feed.admit([admission(), admission(partition=other)], slots=[SLOT])
    feed._poll()
    feed._lanes[TOPIC, other].polls[0] = (1, 7.0)
    batch = feed.take(SLOT)
    assert batch is not None
    assert (len(batch.positions), batch.polled_at) == (2, 7.0)


def test_a_position_that_moved_without_a_record_has_no_time() -> None:
    reader = numbered({0: 0})
    feed = feed_of(reader)
    feed.admit([admission(end=2)], slots=[SLOT])
    reader.next[KEY] = 2  # a control record and what compaction took
    assert feed.is_caught_up(SLOT)
    batch = feed.take(SLOT)
    assert batch is not None
    assert (batch.items, batch.positions, batch.polled_at) == ([], [Position(TOPIC, 0, "id", 2)], None)


def test_only_what_polls_or_hands_out_counts_as_the_time_of_the_source() -> None:
    feed = feed_of(numbered({0: 3}))
    seen = [spent(STAGE)]
    assert take(feed) == []  # no partition yet
    seen.append(spent(STAGE))
    feed.admit([admission()], slots=[SLOT])
    assert take(feed) == [0, 1, 2]
    seen.append(spent(STAGE))
    feed._next_poll = time.monotonic() + 60
    assert take(feed) == []  # an idle ask
    seen.append(spent(STAGE))
    assert seen[0] == seen[1] < seen[2] == seen[3]


def test_copies_are_left_out_and_counted_but_their_offsets_are_not() -> None:
    one, other = (as_json(envelope(TABLE, "i", {"a": written(number)})) for number in range(2))
    log = [(b"k", value) for value in (one, other, one, one, other)]
    reader = FakeReader({KEY: list(log[:3])})
    feed = feed_of(reader, FeedLimits(batch_records=1))
    feed.admit([admission(end=5)], slots=[SLOT])
    first, second = feed.take(SLOT), feed.take(SLOT)
    assert first is not None
    assert second is not None
    assert offsets([*first.items, *second.items]) == [0, 1]
    reader.logs[KEY] = list(log)
    assert not feed.is_caught_up(SLOT)
    polls = [batch for _ in range(5) if (batch := feed.take(SLOT)) is not None]
    assert [run for batch in polls for run in batch.items] == []
    assert polls[-1].positions == [Position(TOPIC, 0, "id", 5)]
    assert sum((batch.skipped for batch in polls), Counter()) == {("shop.orders", Skip.DUPLICATE): 3}
    assert feed.is_caught_up(SLOT)


def test_what_was_queued_of_a_partition_that_is_gone_is_no_copy_when_it_comes_again() -> None:
    reader = FakeReader({KEY: [(b"k", as_json(envelope(TABLE, "i", {"a": written(n)}))) for n in range(2)]})
    feed = feed_of(reader, FeedLimits(batch_records=2))
    feed.admit([admission()], slots=[SLOT])
    feed._poll()
    feed.drop([KEY])
    feed.admit([admission()], slots=[SLOT])
    assert take(feed) == [0, 1]


def test_the_state_covers_what_is_handed_out_not_what_is_queued() -> None:
    feed = feed_of(numbered({0: 10}), FeedLimits(batch_records=4))
    feed.admit([admission()], slots=[SLOT])
    take(feed)
    assert feed.state(SLOT) == {f"{TOPIC}-0": ("id", 4)}


def test_a_state_is_kept_until_its_partition_is_found_or_known_to_be_gone() -> None:
    feed = Feed(lambda: numbered({}), Progress(), Status())  # type: ignore[arg-type,return-value]
    state = {f"{TOPIC}-0": ("id", 4), "gone-7": ("id", 1)}
    feed.open(SLOT, state)
    assert feed.state(SLOT) == state
    reader = numbered({0: 4})
    status = Status()
    feed = Feed(lambda: reader, Progress(), status)  # type: ignore[arg-type,return-value]
    feed.open(SLOT, state)
    feed.admit([admission(4)], slots=[SLOT])
    assert feed.state(SLOT) == {f"{TOPIC}-0": ("id", 4)}
    assert status.facts().vanished_partitions == (("gone", 7),)


def test_dedupe_may_build_on_starts_that_postgres_holds() -> None:
    feed = feed_of(numbered({0: 4}))
    feed.admit([admission(2)], slots=[SLOT])
    take(feed)
    assert feed.starts(SLOT) == [Position(TOPIC, 0, "id", 2)]


def test_from_the_beginning_dedupe_builds_on_nothing() -> None:
    feed = feed_of(numbered({0: 4}))
    feed.admit([admission(None, 2)], slots=[SLOT])
    assert feed.starts(SLOT) == []


def test_a_slot_that_nobody_empties_is_paused_and_loses_nothing() -> None:
    other = next(partition for partition in range(1, 100) if slot_of(TOPIC, partition) != SLOT)
    reader = numbered({0: 1_000, other: 1_000})
    feed = feed_of(reader, FeedLimits(batch_records=10, queue_records=20))
    feed.open(slot_of(TOPIC, other), {})
    feed.admit([admission(), admission(partition=other)], slots=[SLOT, slot_of(TOPIC, other)])
    got: list[int] = []
    while len(got) < 1_000:
        got += take(feed, slot_of(TOPIC, other))
    assert got == list(range(1_000))
    assert reader.next[KEY] <= 40
    mine: list[int] = []
    while len(mine) < 1_000:
        mine += take(feed)
    assert mine == list(range(1_000))


def test_large_records_are_polled_few_at_a_time() -> None:
    reader = numbered({0: 10_000}, size=100_000)
    feed = feed_of(reader, FeedLimits(batch_records=100, batch_bytes=1_000_000))
    feed.admit([admission()], slots=[SLOT])
    take(feed)
    reader.largest_poll = 0
    for _ in range(20):
        take(feed)
    assert reader.largest_poll == 9


def test_a_slot_is_caught_up_when_its_partitions_were_found_and_read() -> None:
    feed = feed_of(numbered({0: 3}), FeedLimits(batch_records=2))
    assert not feed.is_caught_up(SLOT)
    feed.admit([admission(end=3)], slots=[SLOT])
    seen = [feed.is_caught_up(SLOT)]
    for _ in range(2):
        take(feed)
        seen.append(feed.is_caught_up(SLOT))
    assert seen == [False, False, True]


@pytest.mark.parametrize(("log_start", "log_end", "goes_on_at"), [(5, 9, 5), (0, 9, 3), (0, 2, 0)])
def test_a_refused_offset_is_mended(log_start: int, log_end: int, goes_on_at: int) -> None:
    reader, status = numbered({0: 3}), Status()
    feed = feed_of(reader, status=status)
    feed.admit([admission()], slots=[SLOT])
    take(feed)
    reader.lost = [KEY]
    while not feed.broken():
        take(feed)
    feed.restart(KEY, log_start, log_end)
    assert (feed.broken(), feed.state(SLOT)) == ({}, {f"{TOPIC}-0": ("id", goes_on_at)})
    want = (LostRange(TOPIC, 0, 3, 5),) if log_start == 5 else ()
    assert status.facts().lost_ranges == want


def test_the_last_slot_closes_the_reader_with_what_is_left_to_commit() -> None:
    reader = numbered({0: 3})
    feed = feed_of(reader)
    feed.admit([admission()], slots=[SLOT])
    take(feed)
    feed.commit(SLOT, [Position(TOPIC, 0, "id", 1)])
    feed.commit(SLOT, [Position(TOPIC, 0, "id", 3)])
    feed.end(SLOT)
    feed.end(SLOT)
    assert (reader.commits, reader.closed_with) == ([{KEY: 1}], {KEY: 3})


def test_a_dropped_partition_is_no_longer_read_nor_committed() -> None:
    reader = numbered({0: 3})
    feed = feed_of(reader)
    feed.admit([admission()], slots=[SLOT])
    feed.drop([KEY])
    feed.commit(SLOT, [Position(TOPIC, 0, "id", 1)])
    assert (take(feed), feed.state(SLOT), reader.next, reader.commits) == ([], {}, {}, [])


def test_a_failure_of_the_watcher_reaches_the_flow() -> None:
    feed = feed_of(numbered({}))
    feed.fail(ZeroDivisionError())
    with pytest.raises(ZeroDivisionError):
        feed.take(SLOT)


def test_the_age_of_a_checkpoint_grows_only_while_something_waits_for_it() -> None:
    def age() -> float | None:
        labels = {"table": "shop.orders", "partition": "0"}
        return process_metrics().registry.get_sample_value("cdc_checkpoint_age_seconds", labels)

    feed = feed_of(numbered({0: 3}))
    feed.admit([admission()], slots=[SLOT])
    take(feed)
    before = age()
    feed.commit(SLOT, [Position(TOPIC, 0, "id", 3)])
    after = age()
    assert before is not None
    assert after is not None
    feed.end(SLOT)
    assert age() is None


def lag() -> float | None:
    return process_metrics().registry.get_sample_value("cdc_replication_lag_seconds", {"table": "shop.orders"})


def test_nothing_lags_behind_once_all_that_was_read_is_committed() -> None:
    progress = Progress()
    feed = feed_of(numbered({0: 3}), progress=progress)
    feed.admit([admission(start=0)], slots=[SLOT])
    assert lag() == 0
    take(feed)
    progress.sink_opened(SLOT)
    progress.wrote("shop.orders", 1_000_000)
    assert (lag() or 0) > 1e9
    progress.committed([Position(TOPIC, 0, "id", 3)])
    feed.commit(SLOT, [Position(TOPIC, 0, "id", 3)])
    assert lag() == 0


def test_before_the_first_commit_the_wait_for_it_is_the_lag() -> None:
    feed = feed_of(numbered({0: 3}))
    feed.admit([admission(start=0)], slots=[SLOT])
    take(feed)
    assert 0 < (lag() or 0) < 1e6


def test_a_partition_with_nothing_new_has_no_age() -> None:
    progress = Progress()
    progress.sink_opened(SLOT)
    feed = feed_of(numbered({0: 3}), progress=progress)
    feed.admit([admission(start=3)], slots=[SLOT])
    (lane,) = feed._lanes.values()
    admitted_at = lane.moved_at
    feed.commit(SLOT, [Position(TOPIC, 0, "id", 3)])
    assert lane.moved_at > admitted_at


def test_a_lost_range_that_is_found_twice_is_counted_once() -> None:
    status = Status()
    for _ in range(2):
        status.lost(LostRange(TOPIC, 0, 10, 15))
    assert (status.facts().lost_ranges, status.facts().lost_records) == ((LostRange(TOPIC, 0, 10, 15),), 5)
