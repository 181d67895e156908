"""What tests rely on in every server, embedded or in a container: run it with CASSMIRROR_TEST_SERVERS either way."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager

import psycopg
import pytest
import redis
from confluent_kafka import Consumer, Producer
from confluent_kafka.admin import AdminClient
from confluent_kafka.cimpl import NewTopic
from psycopg.conninfo import make_conninfo

TIMEOUT_S = 60


@pytest.mark.parametrize(
    ("query", "want"),
    [
        ("SELECT current_setting('server_version_num')::int / 10000", 18),
        ("SELECT datcollate FROM pg_database WHERE datname = current_database()", "C"),
        ("SELECT pg_encoding_to_char(encoding) FROM pg_database WHERE datname = current_database()", "UTF8"),
        ("SELECT current_setting('TimeZone')", "UTC"),
        ("SELECT current_setting('max_connections')::int >= 200", True),
        ("SELECT rolsuper FROM pg_roles WHERE rolname = current_user", True),
        ("SELECT string_agg(s, '' ORDER BY s) FROM unnest(ARRAY['b', 'A', 'a', 'B', 'é']) AS s", "ABabé"),
        ("SELECT count(*) FROM pg_tables WHERE schemaname = 'public'", 0),
    ],
)
def test_a_database_of_postgresql(postgres_dsn: str, query: str, want: object) -> None:
    with psycopg.connect(postgres_dsn) as connection:
        (got,) = connection.execute(query).fetchone() or (None,)
        assert got == want


def test_postgresql_makes_databases_and_drops_them_with_their_sessions(postgres_dsn: str) -> None:
    with psycopg.connect(postgres_dsn, autocommit=True) as connection:
        name = f"{connection.info.dbname}_more"
        connection.execute(f'CREATE DATABASE "{name}" TEMPLATE template0'.encode())
        with psycopg.connect(make_conninfo(postgres_dsn, dbname=name)) as other:
            assert other.execute("SELECT current_database()").fetchone() == (name,)
            connection.execute(f'DROP DATABASE "{name}" WITH (FORCE)'.encode())
            with pytest.raises(psycopg.OperationalError):
                other.execute("SELECT 1")


@contextmanager
def topic(bootstrap: str, name: str, partitions: int) -> Iterator[AdminClient]:
    admin = AdminClient({"bootstrap.servers": bootstrap})
    admin.create_topics([NewTopic(name, partitions, 1)], operation_timeout=TIMEOUT_S)[name].result(TIMEOUT_S)
    try:
        yield admin
    finally:
        admin.delete_topics([name], operation_timeout=TIMEOUT_S)[name].result(TIMEOUT_S)


def test_kafka_makes_topics_with_their_partitions_and_deletes_them(kafka_bootstrap: str, topic_prefix: str) -> None:
    with topic(kafka_bootstrap, topic_prefix, 5) as admin:
        wait_for_partitions(admin, topic_prefix, 5)
    wait_for_partitions(admin, topic_prefix, 0)


def wait_for_partitions(admin: AdminClient, name: str, count: int) -> None:
    """Wait until the broker knows a topic with so many partitions: it learns of it after its controller has answered."""
    deadline = time.monotonic() + TIMEOUT_S
    while (found := partitions(admin, name)) != count:
        assert time.monotonic() < deadline, f"{found} partitions"
        time.sleep(0.05)


def partitions(admin: AdminClient, name: str) -> int:
    known = admin.list_topics(timeout=TIMEOUT_S).topics.get(name)
    return 0 if known is None else len(known.partitions)


def send(bootstrap: str, name: str, values: dict[int, bytes], **settings: object) -> None:
    producer = Producer({"bootstrap.servers": bootstrap, **settings})
    for partition, value in values.items():
        producer.produce(name, value, b"k", partition=partition)
    assert producer.flush(TIMEOUT_S) == 0


def received(bootstrap: str, name: str, count: int) -> dict[int, bytes | None]:
    settings = {"bootstrap.servers": bootstrap, "group.id": name, "auto.offset.reset": "earliest"}
    consumer = Consumer(settings)
    consumer.subscribe([name])
    try:
        return {message.partition() or 0: message.value() for message in consumer.consume(count, TIMEOUT_S)}
    finally:
        consumer.close()


def test_kafka_gives_back_what_it_got_to_a_group(kafka_bootstrap: str, topic_prefix: str) -> None:
    sent = {0: b"a", 1: b"b", 2: b"c"}
    with topic(kafka_bootstrap, topic_prefix, 3):
        send(kafka_bootstrap, topic_prefix, sent)
        assert received(kafka_bootstrap, topic_prefix, 3) == sent


def test_kafka_takes_messages_of_sixteen_megabytes(kafka_bootstrap: str, topic_prefix: str) -> None:
    great = {0: bytes(16_000_000)}
    with topic(kafka_bootstrap, topic_prefix, 1):
        send(kafka_bootstrap, topic_prefix, great, **{"message.max.bytes": 16_777_216})
        assert received(kafka_bootstrap, topic_prefix, 1) == great


def test_a_topic_of_kafka_appears_with_its_first_message(kafka_bootstrap: str, topic_prefix: str) -> None:
    producer = Producer({"bootstrap.servers": kafka_bootstrap, "allow.auto.create.topics": True})
    producer.produce(topic_prefix, b"a")
    assert producer.flush(TIMEOUT_S) == 0
    admin = AdminClient({"bootstrap.servers": kafka_bootstrap})
    assert len(admin.list_topics(topic_prefix, TIMEOUT_S).topics[topic_prefix].partitions) == 3


@pytest.fixture
def client(redis_url: str) -> Iterator[redis.Redis]:
    with redis.Redis.from_url(redis_url, decode_responses=True) as connected:
        yield connected


def test_redis_keeps_values_for_their_time(client: redis.Redis) -> None:
    assert client.set("a", "1", px=60_000)
    assert client.set("b", "2")
    assert (client.get("a"), client.get("b")) == ("1", "2")
    assert 0 < int(str(client.pttl("a"))) <= 60_000
    assert client.ttl("b") == -1


def test_redis_sets_a_key_that_is_not_there_only_once(client: redis.Redis) -> None:
    assert [client.set("lock", value, nx=True) for value in ("1", "2")] == [True, None]


def test_redis_forgets_nothing_when_it_is_full(client: redis.Redis) -> None:
    assert client.config_get("maxmemory*") == client.config_get("maxmemory*") | {
        "maxmemory": str(256 * 1024 * 1024),
        "maxmemory-policy": "noeviction",
    }


def test_redis_lets_nobody_in_without_the_password(redis_url: str) -> None:
    address = redis.Redis.from_url(redis_url).connection_pool.connection_kwargs
    with redis.Redis(host=address["host"], port=address["port"]) as stranger, pytest.raises(redis.AuthenticationError):
        stranger.get("a")
