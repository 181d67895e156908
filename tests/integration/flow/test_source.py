from __future__ import annotations

from pathlib import Path

import pytest
from bytewax.errors import BytewaxRuntimeError

from cdc.errors import PostgresUnavailable
from cdc.event import Position
from operators.source_lane import FeedLimits
from runtime.status import LostRange
from tests.integration.flow.source_flow import SourceFlow, Topics, eventually


@pytest.fixture
def topics(kafka_bootstrap: str, topic_prefix: str) -> Topics:
    return Topics(kafka_bootstrap, topic_prefix)


def flow(topics: Topics, **settings: object) -> SourceFlow:
    return SourceFlow(topics.bootstrap, topics.prefix, **settings)  # type: ignore[arg-type]


def upto(end: int, start: int = 0) -> list[int]:
    return list(range(start, end))


@pytest.mark.parametrize("workers", [1, 2])
def test_until_caught_up_reads_every_record_once_and_commits_the_group(topics: Topics, workers: int) -> None:
    topics.create("shop.orders", 3)
    for partition, count in enumerate((700, 0, 3)):
        topics.numbers("shop.orders", count, partition)
    got = flow(topics, until_caught_up=True, workers=workers).run()
    assert got.offsets() == {("shop.orders", 0): upto(700), ("shop.orders", 2): upto(3)}
    assert [topics.committed("shop.orders", partition) for partition in (0, 2)] == [700, 3]


def test_without_any_partition_a_flow_until_caught_up_ends(topics: Topics) -> None:
    assert flow(topics, until_caught_up=True).run().offsets() == {}


def test_control_records_at_the_end_do_not_keep_it_from_ending(topics: Topics) -> None:
    topics.create("shop.orders")
    topics.write("shop.orders", [b"1", b"2"], settings={"transactional.id": topics.prefix})
    assert flow(topics, until_caught_up=True).run().offsets() == {("shop.orders", 0): [0, 1]}


def test_records_that_are_all_deleted_do_not_keep_it_from_ending(topics: Topics) -> None:
    topics.create("shop.orders")
    topics.numbers("shop.orders", 5)
    topics.delete_records("shop.orders", 5)
    assert flow(topics, until_caught_up=True).run().offsets() == {}


def test_the_dead_letter_topic_and_foreign_topics_are_not_read(topics: Topics) -> None:
    for name in ("cdc.dlq", "shop", "shop.orders.old", "shop.orders"):
        topics.create(name)
        topics.numbers(name, 1)
    assert flow(topics, until_caught_up=True).run().offsets() == {("shop.orders", 0): [0]}


@pytest.mark.parametrize("count", [2, 4])
def test_shards_read_every_partition_exactly_once(topics: Topics, count: int) -> None:
    topics.create("shop.orders", 12)
    for partition in range(12):
        topics.numbers("shop.orders", 2, partition)
    shards = [flow(topics, until_caught_up=True, shard=(index, count)).run().offsets() for index in range(count)]
    assert sum(len(shard) for shard in shards) == 12
    assert {key: offsets for shard in shards for key, offsets in shard.items()} == {
        ("shop.orders", partition): [0, 1] for partition in range(12)
    }


def test_a_restart_goes_on_behind_the_last_snapshot(topics: Topics, tmp_path: Path) -> None:
    topics.create("shop.orders")
    topics.numbers("shop.orders", 10)
    first = flow(topics, until_caught_up=True, recovery=tmp_path).run()
    topics.numbers("shop.orders", 5)
    second = flow(topics, until_caught_up=True, recovery=tmp_path, stored=first.positions).run()
    assert second.offsets() == {("shop.orders", 0): upto(15, 10)}
    assert second.source.starts(0) == []  # all slots have ended and forgotten


def test_without_a_recovery_store_the_group_says_where_to_go_on(topics: Topics) -> None:
    topics.create("shop.orders")
    topics.numbers("shop.orders", 10)
    first = flow(topics, until_caught_up=True).run()
    topics.numbers("shop.orders", 5)
    assert flow(topics, until_caught_up=True, stored=first.positions).run().offsets() == {("shop.orders", 0): upto(15, 10)}


def test_an_older_postgres_is_read_again_from_its_own_offset(topics: Topics, tmp_path: Path) -> None:
    topics.create("shop.orders")
    topics.numbers("shop.orders", 10)
    first = flow(topics, until_caught_up=True, recovery=tmp_path).run()
    older = [Position(p.topic, p.partition, p.topic_id, 4) for p in first.positions()]
    second = flow(topics, until_caught_up=True, recovery=tmp_path, stored=lambda: older).run()
    assert second.offsets() == {("shop.orders", 0): upto(10, 4)}


def test_an_empty_postgres_is_filled_from_the_beginning(topics: Topics, tmp_path: Path) -> None:
    topics.create("shop.orders")
    topics.numbers("shop.orders", 10)
    flow(topics, until_caught_up=True, recovery=tmp_path).run()
    assert flow(topics, until_caught_up=True, recovery=tmp_path).run().offsets() == {("shop.orders", 0): upto(10)}


def test_a_topic_recreated_while_away_is_read_from_its_beginning(topics: Topics, tmp_path: Path) -> None:
    topics.create("shop.orders")
    topics.numbers("shop.orders", 10)
    first = flow(topics, until_caught_up=True, recovery=tmp_path).run()
    topics.delete("shop.orders")
    topics.create("shop.orders")
    topics.numbers("shop.orders", 12)
    second = flow(topics, until_caught_up=True, recovery=tmp_path, stored=first.positions).run()
    assert second.offsets() == {("shop.orders", 0): upto(12)}


def test_a_topic_recreated_while_running_is_read_from_its_beginning(topics: Topics) -> None:
    topics.create("shop.orders")
    topics.numbers("shop.orders", 3)
    running = flow(topics).start()
    eventually(lambda: running.offsets() == {("shop.orders", 0): upto(3)}, "read")
    topics.delete("shop.orders")
    topics.create("shop.orders")
    topics.numbers("shop.orders", 5)
    eventually(lambda: running.offsets() == {("shop.orders", 0): upto(3) + upto(5)}, "read again")
    running.end()
    assert len({position.topic_id for batch in running.sink.batches for position in batch.positions}) == 2


def test_a_topic_that_appears_while_running_is_read(topics: Topics) -> None:
    running = flow(topics).start()
    topics.create("shop.orders", 2)
    topics.numbers("shop.orders", 3, partition=1)
    eventually(lambda: running.offsets() == {("shop.orders", 1): upto(3)}, "read")
    running.end()


def test_a_vanished_topic_is_dropped_and_the_others_go_on(topics: Topics) -> None:
    for name in ("shop.orders", "shop.items"):
        topics.create(name)
        topics.numbers(name, 3)
    running = flow(topics).start()
    eventually(lambda: len(running.offsets()) == 2, "both read")
    topics.delete("shop.items")
    vanished = ((topics.full("shop.items"), 0),)
    eventually(lambda: running.status.facts().vanished_partitions == vanished, "missed")
    topics.numbers("shop.orders", 2)
    eventually(lambda: running.offsets()["shop.orders", 0] == upto(5), "the other goes on")
    running.end()


def test_what_retention_removed_is_counted_and_reading_goes_on(topics: Topics, tmp_path: Path) -> None:
    topics.create("shop.orders")
    topics.numbers("shop.orders", 10)
    first = flow(topics, until_caught_up=True, recovery=tmp_path).run()
    topics.numbers("shop.orders", 10)
    topics.delete_records("shop.orders", 15)
    second = flow(topics, until_caught_up=True, recovery=tmp_path, stored=first.positions).run()
    assert second.offsets() == {("shop.orders", 0): upto(20, 15)}
    assert second.status.facts().lost_ranges == (LostRange(topics.full("shop.orders"), 0, 10, 15),)


def test_an_offset_behind_the_end_of_the_log_is_read_again_from_its_start(topics: Topics) -> None:
    topics.create("shop.orders")
    topics.numbers("shop.orders", 10)
    first = flow(topics, until_caught_up=True).run()
    ahead = [Position(p.topic, p.partition, p.topic_id, 1_000) for p in first.positions()]
    running = flow(topics, stored=lambda: ahead).start()
    eventually(lambda: topics.committed("shop.orders") == 10, "committed")
    running.end()
    assert running.offsets() == {}


def test_a_small_queue_pauses_partitions_and_loses_nothing(topics: Topics) -> None:
    topics.create("shop.orders", 6)
    for partition in range(6):
        topics.numbers("shop.orders", 2_000, partition)
    limits = FeedLimits(batch_records=50, queue_records=60)
    got = flow(topics, until_caught_up=True, limits=limits).run()
    assert got.offsets() == {("shop.orders", partition): upto(2_000) for partition in range(6)}
    assert max(sum(map(len, batch.items)) for batch in got.sink.batches) <= 50


def test_large_records_make_small_batches(topics: Topics) -> None:
    topics.create("shop.orders")
    topics.write("shop.orders", [b"x" * 500_000] * 60)
    got = flow(topics, until_caught_up=True, limits=FeedLimits(batch_bytes=2_000_000)).run()
    assert got.offsets() == {("shop.orders", 0): upto(60)}
    assert max(sum(map(len, batch.items)) for batch in got.sink.batches[2:]) <= 16


def test_a_stop_ends_the_flow_while_kafka_is_away() -> None:
    waiting = SourceFlow("127.0.0.1:1", "nobody").start()
    eventually(lambda: "kafka" in waiting.status.facts().troubles, "the trouble is seen")
    assert waiting.end().offsets() == {}


def test_postgres_away_at_the_start_is_waited_for(topics: Topics) -> None:
    answers: list[Exception | None] = [PostgresUnavailable("not yet"), None]

    def stored() -> list[Position]:
        if len(answers) > 1 and (error := answers.pop(0)):
            raise error
        return []

    topics.create("shop.orders")
    topics.numbers("shop.orders", 2)
    got = flow(topics, until_caught_up=True, stored=stored).run()
    assert got.offsets() == {("shop.orders", 0): [0, 1]}
    assert got.status.facts().troubles == {}


def test_a_bug_while_looking_for_topics_ends_the_flow(topics: Topics) -> None:
    def stored() -> list[Position]:
        raise ZeroDivisionError

    topics.create("shop.orders")
    with pytest.raises(BytewaxRuntimeError) as raised:
        flow(topics, stored=stored).run()
    assert isinstance(raised.value.__cause__, ZeroDivisionError)
