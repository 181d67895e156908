"""How far each topic partition is, as operators see it in Redis."""

from __future__ import annotations

import threading
from contextlib import closing

import pytest
import redis
from pydantic import SecretStr

from cdc.event import Position
from runtime import redis_cache
from runtime.checkpoints import Checkpoints
from runtime.periodic import Periodic
from runtime.progress import Progress
from runtime.redis_cache import RedisCache
from runtime.settings import RedisSettings


def cache_of(url: str) -> RedisCache:
    return RedisCache(RedisSettings(url=SecretStr(url)))


def committed(progress: Progress, *offsets: int) -> None:
    progress.committed([Position("cdc.shop.t", partition, "id", offset) for partition, offset in enumerate(offsets)])


def stored(url: str) -> dict[str, dict[str, str]]:
    with redis.Redis.from_url(url, decode_responses=True) as client:
        return {key: client.hgetall(key) for key in sorted(client.keys("*"))}


def test_a_checkpoint_is_the_offset_when_it_was_seen_and_by_whom(redis_url: str) -> None:
    progress = Progress()
    with closing(cache_of(redis_url)) as cache:
        checkpoints = Checkpoints(cache, progress, "3", now=lambda: 1_700_000_000.25)
        assert checkpoints.write() == 0
        committed(progress, 7, 9)
        assert checkpoints.write() == 2
    seen = {"timestamp": "2023-11-14T22:13:20.250+00:00", "worker_id": "3"}
    assert stored(redis_url) == {
        "checkpoint:cdc.shop.t:0": {"offset": "7", **seen},
        "checkpoint:cdc.shop.t:1": {"offset": "9", **seen},
    }


def test_only_what_moved_is_written_again(redis_url: str) -> None:
    times, progress = iter(range(100)), Progress()
    with closing(cache_of(redis_url)) as cache:
        checkpoints = Checkpoints(cache, progress, "0", now=lambda: float(next(times)))
        committed(progress, 7, 9)
        assert checkpoints.write() == 2
        assert checkpoints.write() == 0
        committed(progress, 8, 9)
        assert checkpoints.write() == 1
    got = {key: (fields["offset"], fields["timestamp"][17:19]) for key, fields in stored(redis_url).items()}
    assert got == {"checkpoint:cdc.shop.t:0": ("8", "02"), "checkpoint:cdc.shop.t:1": ("9", "00")}


def test_the_last_offsets_are_written_when_the_flow_ends(redis_url: str) -> None:
    progress = Progress()
    with closing(cache_of(redis_url)) as cache:
        writing = Periodic("checkpoints", 3_600, Checkpoints(cache, progress, "0").write, at_end=True)
        writing.start()
        writing.start()
        committed(progress, 42)
        writing.finish()
    assert [fields["offset"] for fields in stored(redis_url).values()] == ["42"]
    assert "checkpoints" not in {thread.name for thread in threading.enumerate()}


def test_what_redis_did_not_take_is_written_with_the_next(redis_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(redis_cache, "AWAY_SECONDS", 0.0)
    progress = Progress()
    committed(progress, 5)
    with closing(cache_of(redis_url)) as cache, redis.Redis.from_url(redis_url) as client:
        checkpoints = Checkpoints(cache, progress, "0")
        client.set("checkpoint:cdc.shop.t:0", "no hash")  # so that Redis refuses the write
        assert checkpoints.write() == 0
        client.delete("checkpoint:cdc.shop.t:0")
        assert checkpoints.write() == 1
    assert [fields["offset"] for fields in stored(redis_url).values()] == ["5"]


def test_without_redis_nothing_is_written() -> None:
    progress = Progress()
    committed(progress, 5)
    assert Checkpoints(RedisCache(RedisSettings()), progress, "0").write() == 0
