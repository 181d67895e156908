"""Redis as what it is here: a cache, locks that save work, notes for operators. It may be away at any moment."""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final, TypeVar, cast

import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from cdc.errors import RedisUnavailable, SettingsError
from runtime.logs import get_logger
from runtime.settings import RedisSettings

AWAY_SECONDS: Final = 5.0  # how long Redis is left alone after a failure: its time limit is not paid at every turn
_RELEASE = "if redis.call('GET', KEYS[1]) == ARGV[1] then return redis.call('DEL', KEYS[1]) else return 0 end"
Result = TypeVar("Result")

_log = get_logger("redis")


class RedisCache:
    """Answers as an empty cache would where Redis is away or none is set. For several threads; no call takes long."""

    def __init__(self, settings: RedisSettings, clock: Callable[[], float] = time.monotonic) -> None:
        self._redis = None if settings.url is None else _client(settings)
        self._clock = clock
        self._away_until = float("-inf")
        self._is_away = False

    @property
    def is_set(self) -> bool:
        """Return whether there is a Redis to ask."""
        return self._redis is not None

    def get_all(self, keys: Sequence[str]) -> list[bytes | None]:
        """Return the value of each key, None where there is none."""
        nothing: list[bytes | None] = [None] * len(keys)
        return self._try(lambda cache: cast(list[bytes | None], cache.mget(keys)), nothing) if keys else []

    def put_all(self, values: Mapping[str, bytes], ttl_seconds: float) -> None:
        """Set every key, in order, for the given time."""

        def put(cache: redis.Redis) -> None:
            pipeline = cache.pipeline(transaction=False)
            for key, value in values.items():
                pipeline.set(key, value, px=round(ttl_seconds * 1_000))
            pipeline.execute()

        self._try(put, None)

    def write_hashes(self, hashes: Mapping[str, Mapping[str, str | int]]) -> bool:
        """Write the fields of every hash in one round trip; return whether Redis has them."""

        def write(cache: redis.Redis) -> bool:
            pipeline = cache.pipeline(transaction=False)
            for key, fields in hashes.items():
                pipeline.hset(key, mapping=cast(dict[Any, Any], fields))
            pipeline.execute()
            return True

        return self._try(write, default=False)

    def acquire(self, name: str, hold_seconds: float) -> str | None:
        """Return the token of the lock `lock:<name>`, None while another process holds it.

        A lock ends by itself after `hold_seconds`. With Redis away everyone gets it: correctness never rests on it.
        """
        token = secrets.token_hex(16)
        taken = self._try(
            lambda cache: bool(cache.set(f"lock:{name}", token, nx=True, px=round(hold_seconds * 1_000))), default=True
        )
        return token if taken else None

    def release(self, name: str, token: str) -> None:
        """Give a lock back, if it is still ours."""
        self._try(lambda cache: cache.eval(_RELEASE, 1, f"lock:{name}", token), None)

    def close(self) -> None:
        """Close the connections."""
        if self._redis is not None:
            self._redis.close()

    def _try(self, work: Callable[[redis.Redis], Result], default: Result) -> Result:
        """Return what Redis answers; the default, and a warning when it is news, where it does not."""
        if self._redis is None or self._clock() < self._away_until:
            return default
        try:
            result = work(self._redis)
        except (redis.RedisError, OSError) as error:
            self._away_until = self._clock() + AWAY_SECONDS
            self._note(error)
            return default
        self._note(None)
        return result

    def _note(self, error: Exception | None) -> None:
        """Tell what is news. The health of the process is none of it: it goes on without Redis."""
        was_away, self._is_away = self._is_away, error is not None
        if error is not None and not was_away:
            _log.warning("redis_away", reason=f"{type(error).__name__}: {error}", hint=RedisUnavailable.default_hint)
        elif was_away and error is None:
            _log.info("redis_works_again")


def ping(settings: RedisSettings) -> None:
    """Return when Redis answers, or none is set. Raises `RedisUnavailable`."""
    if settings.url is None:
        return
    try:
        with _client(settings) as cache:
            cache.ping()
    except (redis.RedisError, OSError) as error:
        raise RedisUnavailable(f"Redis does not answer: {error}") from error


def _client(settings: RedisSettings) -> redis.Redis:
    """Return a client that mends a connection that broke while idle, and else gives up at once."""
    url = "" if settings.url is None else settings.url.get_secret_value()
    timeout, retry = settings.timeout_seconds, Retry(NoBackoff(), 1)
    try:
        return redis.Redis.from_url(url, socket_timeout=timeout, socket_connect_timeout=timeout, retry=retry)
    except ValueError as error:
        raise SettingsError(f"redis.url: {error} (CDC_REDIS__URL)") from error
