"""The embedded Valkey."""

from __future__ import annotations

import pytest
import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from runtime.embedded.valkey import ValkeyServer


def test_a_value_comes_back(valkey_server: ValkeyServer) -> None:
    with redis.Redis.from_url(valkey_server.url) as client:
        client.set("a", "1")
        assert client.get("a") == b"1"


def test_without_the_password_nobody_gets_in(valkey_server: ValkeyServer) -> None:
    with (
        redis.Redis(port=valkey_server.port, retry=Retry(NoBackoff(), 0)) as client,
        pytest.raises(redis.AuthenticationError),
    ):
        client.get("a")
