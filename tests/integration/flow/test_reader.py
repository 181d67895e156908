"""What the source relies on, held against Kafka and against the reader that stands for it in other tests."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest
from confluent_kafka import KafkaException, Producer

from cdc.event import UNKNOWN, Record
from cdc.fingerprint import Fingerprints, split
from runtime.kafka.client import KafkaClient
from runtime.kafka.reader import BEGINNING, PartitionReader
from tests.fixtures.events import as_json, envelope, table_of, written
from tests.fixtures.reader import FakeReader, Log
from tests.integration.flow.source_flow import Topics, eventually

TABLE = table_of("CREATE TABLE shop.orders (a int PRIMARY KEY)")
LOG: Log = [
    *[(b"%d" % number, as_json(envelope(TABLE, "i", {"a": written(number)}, pos=number))) for number in range(40)],
    (None, b"no key"),
    (b"a compaction marker", None),
    (b"", b""),
    (None, None),
    (b"large", b"x" * 300_000),
]
OTHER: Log = [(b"k", b"v")] * 5
Reader = PartitionReader | FakeReader
Open = Callable[[dict[int, Log]], Reader]


@pytest.fixture(params=["kafka", "memory"])
def opened(request: pytest.FixtureRequest, topic_prefix: str) -> Iterator[Open]:
    """Yield how to open a reader of one topic, given the records of each partition; nothing is assigned yet."""
    readers: list[Reader] = []
    topic = f"{topic_prefix}.shop.orders"

    def in_memory(logs: dict[int, Log]) -> Reader:
        readers.append(FakeReader({(topic, partition): log for partition, log in logs.items()}))
        return readers[-1]

    def in_kafka(logs: dict[int, Log]) -> Reader:
        bootstrap = request.getfixturevalue("kafka_bootstrap")
        Topics(bootstrap, topic_prefix).create("shop.orders", len(logs))
        producer = Producer({"bootstrap.servers": bootstrap})
        for partition, log in logs.items():
            for key, value in log:
                producer.produce(topic, key=key, value=value, partition=partition)
        assert producer.flush(30) == 0
        readers.append(PartitionReader(KafkaClient(bootstrap), topic_prefix))
        return readers[-1]

    yield in_memory if request.param == "memory" else in_kafka
    for reader in readers:
        reader.close({})


@pytest.fixture
def topic(topic_prefix: str) -> str:
    return f"{topic_prefix}.shop.orders"


def polled(reader: Reader, count: int, most: int = 500) -> list[Record]:
    """Poll until so many records are there."""
    records: list[Record] = []

    def has_all() -> bool:
        for run in reader.poll(most).runs:
            assert run.count <= most
            records.extend(run.copy().records())
        return len(records) >= count

    eventually(has_all, f"{count} records")
    return records


def test_records_come_as_they_were_written(opened: Open, topic: str) -> None:
    reader = opened({0: LOG, 1: OTHER})
    reader.assign({(topic, 0): BEGINNING, (topic, 1): BEGINNING})
    records = polled(reader, len(LOG) + len(OTHER))
    for partition, log in ((0, LOG), (1, OTHER)):
        mine = [record for record in records if record.partition == partition]
        assert [(record.key, record.value) for record in mine] == log
        assert [record.offset for record in mine] == list(range(len(log)))
        assert {record.topic for record in mine} == {topic}
    assert {record.fingerprint for record in records} == {UNKNOWN}


def test_a_run_tells_its_end_its_size_and_its_fingerprints(opened: Open, topic: str) -> None:
    reader = opened({0: LOG})
    reader.assign({(topic, 0): 3})
    at, size, prints, chosen = 3, 0, list[bytes](), list[Record]()

    def has_all() -> bool:
        nonlocal at, size
        for run in reader.poll(7).runs:
            at += run.count
            assert (run.origin, run.next_offset) == ((topic, 0), at)
            size += run.size
            mine = split(run.fingerprints())
            prints.extend(mine)
            places = [place for place in range(run.count) if mine[place] != UNKNOWN]
            chosen.extend(run.copy(run.fingerprints(), places).records())
        return at == len(LOG)

    eventually(has_all, "the whole log")
    assert size == sum(len(key or b"") + len(value or b"") for key, value in LOG[3:])
    assert prints == split(Fingerprints(topic)([value for _, value in LOG[3:]]))
    assert [record.offset for record in chosen] == list(range(3, 40))
    assert [record.fingerprint for record in chosen] == prints[:37]


def test_a_poll_never_brings_more_than_asked_for(opened: Open, topic: str) -> None:
    reader = opened({0: LOG})
    reader.assign({(topic, 0): BEGINNING})
    assert len(polled(reader, len(LOG), most=2)) == len(LOG)


def test_a_paused_partition_goes_on_behind_the_last_poll(opened: Open, topic: str) -> None:
    reader = opened({0: LOG, 1: OTHER})
    reader.assign({(topic, 0): BEGINNING})
    first = polled(reader, 2, most=2)
    reader.pause([(topic, 0)])
    reader.assign({(topic, 1): BEGINNING})
    assert {record.partition for record in polled(reader, len(OTHER))} == {1}
    reader.resume([(topic, 0)])
    rest = polled(reader, len(LOG) - len(first))
    assert [record.offset for record in (*first, *rest)] == list(range(len(LOG)))
    assert reader.positions([(topic, 0), (topic, 1)]) == {(topic, 0): len(LOG), (topic, 1): len(OTHER)}


def test_what_is_unassigned_is_not_read_and_may_be_read_again(opened: Open, topic: str) -> None:
    reader = opened({0: OTHER, 1: OTHER})
    reader.assign({(topic, 0): BEGINNING})
    polled(reader, len(OTHER))
    reader.unassign([(topic, 0)])
    reader.assign({(topic, 1): 4})
    assert [(record.partition, record.offset) for record in polled(reader, 1)] == [(1, 4)]
    reader.assign({(topic, 0): 2})
    assert [(record.partition, record.offset) for record in polled(reader, 3)] == [(0, 2), (0, 3), (0, 4)]


# What only Kafka does.


@contextmanager
def reading(bootstrap: str, group: str, **properties: str) -> Iterator[PartitionReader]:
    reader = PartitionReader(KafkaClient(bootstrap, properties), group)
    try:
        yield reader
    finally:
        reader.close({})


def test_records_carry_the_time_that_kafka_keeps(kafka_bootstrap: str, topic_prefix: str) -> None:
    topics, before = Topics(kafka_bootstrap, topic_prefix), time.time() * 1000
    topics.create("shop.orders")
    topics.numbers("shop.orders", 1)
    with reading(kafka_bootstrap, topic_prefix) as reader:
        reader.assign({(topics.full("shop.orders"), 0): BEGINNING})
        (record,) = polled(reader, 1)
    assert before - 1 <= record.timestamp_ms <= time.time() * 1000


def test_offsets_are_committed_and_the_last_ones_at_the_end(kafka_bootstrap: str, topic_prefix: str) -> None:
    topics = Topics(kafka_bootstrap, topic_prefix)
    topics.create("shop.orders")
    topics.numbers("shop.orders", 5)
    key = (topics.full("shop.orders"), 0)
    reader = PartitionReader(KafkaClient(kafka_bootstrap), topic_prefix)
    reader.assign({key: BEGINNING})
    polled(reader, 5)
    reader.commit({key: 3})
    eventually(lambda: not reader.poll(1).runs and topics.committed("shop.orders") == 3, "committed")
    reader.close({key: 5})
    assert topics.committed("shop.orders") == 5


def test_an_offset_that_is_not_there_is_told_and_a_topic_that_is_not_is_a_trouble(
    kafka_bootstrap: str, topic_prefix: str
) -> None:
    topics = Topics(kafka_bootstrap, topic_prefix)
    topics.create("shop.orders")
    lost, nothing = (topics.full("shop.orders"), 0), (topics.full("shop.nothing"), 0)
    troubles: list[str] = []
    soon = {"topic.metadata.propagation.max.ms": "1000"}  # a topic may be there and not known yet: else for 30 s
    reader = PartitionReader(KafkaClient(kafka_bootstrap, soon, troubles.append), topic_prefix)
    reader.assign({lost: 1_000, nothing: BEGINNING})
    found: list[tuple[str, int]] = []

    def both() -> bool:
        found.extend(reader.poll(10).offset_lost)
        return bool(found and troubles)

    eventually(both, "both are told")
    reader.close({})
    assert found == [lost]
    assert f"{nothing[0]} [0]" in troubles[0]


def test_a_setting_that_librdkafka_does_not_know_is_refused(kafka_bootstrap: str) -> None:
    with pytest.raises(KafkaException, match=r"no\.such\.thing"):
        PartitionReader(KafkaClient(kafka_bootstrap, {"no.such.thing": "1"}), "g")
    with pytest.raises(KafkaException, match="SASL mechanism"):
        PartitionReader(KafkaClient(kafka_bootstrap, {"sasl.mechanism": "nonsense", "security.protocol": "sasl_ssl"}), "g")


def test_what_was_polled_outlives_the_reader(kafka_bootstrap: str, topic_prefix: str) -> None:
    topics = Topics(kafka_bootstrap, topic_prefix)
    topics.create("shop.orders")
    topics.numbers("shop.orders", 300)
    with reading(kafka_bootstrap, topic_prefix) as reader:
        reader.assign({(topics.full("shop.orders"), 0): BEGINNING})
        records = polled(reader, 300)
    assert [record.value for record in records] == [b"%d" % number for number in range(300)]
