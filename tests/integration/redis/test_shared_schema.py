"""The schema that processes share, in a real Valkey."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing
from pathlib import Path

import msgspec
import pytest
import redis
from pydantic import SecretStr
from structlog.testing import capture_logs

from cdc.schema_document import decode_document, fingerprint_of
from cdc.system_schema import SystemSchema
from runtime import redis_cache
from runtime.embedded.valkey import ValkeyServer
from runtime.redis_cache import RedisCache
from runtime.settings import RedisSettings
from runtime.shared_schema import SharedSchema, VersionedSchema
from tests.fixtures.clusters import ScriptedCluster
from tests.fixtures.servers import reachable_directory

CQL = "CREATE TABLE shop.t (a int PRIMARY KEY, b text); CREATE TABLE audit.log (a int PRIMARY KEY) WITH gc_grace_seconds = 7;"


def settings(url: str) -> RedisSettings:
    return RedisSettings(url=SecretStr(url))


def cache_of(url: str) -> RedisCache:
    return RedisCache(settings(url))


@pytest.fixture
def client(redis_url: str) -> Iterator[redis.Redis]:
    with redis.Redis.from_url(redis_url) as connection:
        yield connection


def value_of(client: redis.Redis, key: str) -> bytes:
    value = client.get(key)
    assert isinstance(value, bytes)
    return value


class OtherProcess:
    """What a process has of its own: its connections. The cluster is one for all."""

    def __init__(self, url: str, cluster: ScriptedCluster, ttl_seconds: float = 60) -> None:
        self.shared = SharedSchema(cluster, cache_of(url), ttl_seconds=ttl_seconds)

    def newest(self, known: VersionedSchema | None = None) -> VersionedSchema:
        return self.shared.newest(known)


def test_every_table_has_a_document_that_lives_for_a_minute(redis_url: str, client: redis.Redis) -> None:
    with closing(OtherProcess(redis_url, ScriptedCluster(CQL)).shared) as shared:
        found = shared.newest()
    assert sorted(client.keys("*")) == [b"schema", b"schema:audit:log", b"schema:shop:t"]
    for (keyspace, name), table in found.schema.tables.items():
        document = decode_document(value_of(client, f"schema:{keyspace}:{name}"))
        assert (document.version, document.fingerprint, document.table) == ("v1", fingerprint_of(table), table)
        assert 0 < client.pttl(f"schema:{keyspace}:{name}") <= 60_000


def test_what_one_process_fetched_another_need_not_fetch(redis_url: str) -> None:
    cluster = ScriptedCluster(CQL)
    first, second = OtherProcess(redis_url, cluster), OtherProcess(redis_url, cluster)
    with closing(first.shared), closing(second.shared):
        assert first.newest() == second.newest()
    assert (cluster.reads, cluster.questions) == (1, 2)


def test_processes_that_ask_at_once_fetch_once(redis_url: str) -> None:
    cluster = SlowCluster(CQL)
    together = threading.Barrier(8)
    with ExitStack() as stack, ThreadPoolExecutor(8) as pool:
        processes = [OtherProcess(redis_url, cluster) for _ in range(8)]
        for process in processes:
            stack.enter_context(closing(process.shared))

        def ask(process: OtherProcess) -> VersionedSchema:
            together.wait()
            return process.newest()

        found = list(pool.map(ask, processes))
    assert cluster.reads == 1
    assert all(one == found[0] for one in found)


class SlowCluster(ScriptedCluster):
    """Takes long enough that the others come while it is asked."""

    def read(self) -> tuple[str, SystemSchema]:
        time.sleep(0.2)
        return super().read()


def test_an_old_version_is_not_believed_while_the_cluster_answers(redis_url: str) -> None:
    cluster = ScriptedCluster(CQL)
    process = OtherProcess(redis_url, cluster)
    with closing(process.shared):
        process.newest()
        cluster.run("ALTER TABLE shop.t ADD c int;")
        found = process.newest()
        assert [column.name for column in found.schema.tables["shop", "t"].columns] == ["a", "b", "c"]
        assert process.shared.cached("v1") is None
        assert process.shared.cached() == found


@pytest.mark.parametrize("damage", ["gone", "not JSON", "another version's"])
def test_documents_that_are_not_whole_are_fetched_again(redis_url: str, client: redis.Redis, damage: str) -> None:
    cluster = ScriptedCluster(CQL)
    process = OtherProcess(redis_url, cluster)
    with closing(process.shared):
        want = process.newest()
        if damage == "gone":
            client.delete("schema:shop:t")
        else:
            client.set("schema:shop:t", b"{" if damage == "not JSON" else value_of(client, "schema:audit:log"))
        assert process.shared.cached() is None
        assert process.newest() == want
        assert cluster.reads == 2
        assert process.shared.cached() == want


def test_a_list_of_another_release_is_no_list(redis_url: str, client: redis.Redis) -> None:
    client.set("schema", msgspec.json.encode({"format": 99}))
    with closing(OtherProcess(redis_url, ScriptedCluster(CQL)).shared) as shared:
        assert shared.cached() is None
        assert shared.newest().version == "v1"


def test_who_still_knows_the_newest_lets_it_live_on(redis_url: str, client: redis.Redis) -> None:
    cluster, now = ScriptedCluster(CQL), [0.0]
    with closing(SharedSchema(cluster, cache_of(redis_url), ttl_seconds=60, clock=lambda: now[0])) as shared:
        known = shared.newest()
        client.flushall()
        assert shared.newest(known) is known
        assert shared.cached() is None  # it was written a moment ago
        now[0] = 31.0
        assert shared.newest(known) is known
        assert shared.cached() == known
    assert cluster.reads == 1


def test_a_lock_is_released_by_its_holder_only(redis_url: str, client: redis.Redis) -> None:
    with closing(cache_of(redis_url)) as mine, closing(cache_of(redis_url)) as other:
        token = mine.acquire("schema", 30)
        assert token is not None
        assert 0 < client.pttl("lock:schema") <= 30_000
        assert other.acquire("schema", 30) is None
        other.release("schema", "not the token")
        assert value_of(client, "lock:schema") == token.encode()
        mine.release("schema", token)
        assert client.get("lock:schema") is None
        assert other.acquire("schema", 30) is not None


def test_the_lock_of_a_process_that_died_ends_by_itself(redis_url: str) -> None:
    cluster = ScriptedCluster(CQL)
    process = OtherProcess(redis_url, cluster)
    with closing(process.shared), closing(cache_of(redis_url)) as dead:
        assert dead.acquire("schema", 0.3) is not None
        assert process.newest().version == "v1"
    assert cluster.reads == 1


def test_a_lock_that_never_ends_is_not_waited_for_for_ever(redis_url: str) -> None:
    cluster = ScriptedCluster(CQL)
    times = iter(range(0, 1_000, 10))
    with closing(cache_of(redis_url)) as other:
        assert other.acquire("schema", 60) is not None
        shared = SharedSchema(cluster, cache_of(redis_url), ttl_seconds=60, clock=lambda: next(times))
        with closing(shared):
            assert shared.newest().version == "v1"


def test_with_redis_away_each_process_has_its_own_and_says_so_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(redis_cache, "AWAY_SECONDS", 0.0)
    cluster = ScriptedCluster(CQL)
    process = OtherProcess("redis://127.0.0.1:1", cluster)
    with closing(process.shared), capture_logs() as logs:
        known = process.newest()
        assert process.newest(known) is known
        assert process.shared.cached() is None
    assert [line["event"] for line in logs] == ["redis_away", "schema_fetched"]
    assert cluster.reads == 1


def test_a_server_that_is_away_is_left_alone_for_a_while() -> None:
    now = [0.0]
    with closing(RedisCache(settings("redis://127.0.0.1:1"), clock=lambda: now[0])) as cache, capture_logs() as logs:
        for _ in range(3):
            assert cache.get_all(["a", "b"]) == [None, None]
            assert cache.acquire("x", 1)
            now[0] += 10
    assert [line["event"] for line in logs] == ["redis_away"]


def test_a_server_that_stops_and_starts_again_is_used_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(redis_cache, "AWAY_SECONDS", 0.0)
    with reachable_directory() as directory:
        server = ValkeyServer(Path(directory) / "valkey")
        server.start()
        try:
            with closing(cache_of(server.url)) as cache, capture_logs() as logs:
                cache.put_all({"a": b"1"}, 60)
                assert cache.get_all(["a"]) == [b"1"]
                server.stop()
                assert cache.get_all(["a"]) == [None]
                cache.put_all({"a": b"2"}, 60)
                assert not cache.write_hashes({"h": {"x": 1}})
                server.start()
                cache.put_all({"a": b"3"}, 60)
                assert cache.get_all(["a"]) == [b"3"]
                assert cache.write_hashes({"h": {"x": 1}})
        finally:
            server.kill()
    assert [line["event"] for line in logs] == ["redis_away", "redis_works_again"]
