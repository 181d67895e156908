from __future__ import annotations

import pytest

from operators.source_topics import SLOTS, TopicFilter, owned_slots, slot_key, slot_of, table_of


@pytest.mark.parametrize(("topic", "partition", "want"), [("cassandra.shop.orders", 0, 35), ("cassandra.shop.orders", 1, 21)])
def test_slots_never_change_for_stores_and_sinks_are_keyed_by_them(topic: str, partition: int, want: int) -> None:
    assert slot_of(topic, partition) == want


@pytest.mark.parametrize("count", [1, 2, 3, 4, 7, 63, 64])
def test_the_shards_together_own_every_slot_exactly_once(count: int) -> None:
    owned = sorted(slot for index in range(count) for slot in owned_slots(index, count))
    assert owned == list(range(SLOTS))


def test_keys_have_two_digits_so_that_they_sort_as_numbers() -> None:
    keys = [slot_key(slot) for slot in range(SLOTS)]
    assert keys == sorted(keys)


@pytest.mark.parametrize(
    ("topic", "want"),
    [
        ("cassandra.shop.orders", ("shop", "orders")),
        ("cassandra.shop.MixedCase", ("shop", "MixedCase")),
        ("cassandra.shop", None),
        ("cassandra.shop.", None),
        ("cassandra..orders", None),
        ("cassandra.shop.orders.old", None),
        ("cassandra2.shop.orders", None),
        ("other", None),
    ],
)
def test_a_topic_names_its_table(topic: str, want: tuple[str, str] | None) -> None:
    assert table_of(topic, "cassandra") == want


def test_a_prefix_may_hold_dots() -> None:
    assert table_of("eu.west.shop.orders", "eu.west") == ("shop", "orders")


def test_the_dead_letter_topic_is_never_a_source() -> None:
    topics = TopicFilter("cassandra", "cassandra.cdc.dlq", lambda _keyspace, _table: True)
    assert not topics.accepts("cassandra.cdc.dlq")
    assert topics.accepts("cassandra.cdc.dlq2")


def test_the_choice_of_tables_decides() -> None:
    topics = TopicFilter("cassandra", "dlq", lambda keyspace, table: (keyspace, table) == ("shop", "orders"))
    assert [topics.accepts(f"cassandra.shop.{table}") for table in ("orders", "items")] == [True, False]
