"""Real servers know each name that stands in the files that compose mounts for them."""

from __future__ import annotations

import psycopg
import redis

from runtime.embedded.valkey import ValkeyServer
from tests.fixtures.compose import CONFIG, lines


def test_postgres_knows_every_setting_and_value(postgres_dsn: str) -> None:
    told = dict(line.split(" = ", 1) for line in lines(CONFIG / "postgres/postgresql.conf"))
    with psycopg.connect(postgres_dsn) as connection:
        query = "SELECT lower(name), enumvals FROM pg_settings WHERE lower(name) = ANY(%s)"
        known: dict[str, list[str] | None] = dict(connection.execute(query, [list(told)]).fetchall())
    assert told.keys() - known.keys() == set()
    for name, allowed in known.items():
        assert allowed is None or told[name].strip("'") in allowed, name


def test_redis_takes_every_setting_and_value(embedded_valkey: ValkeyServer) -> None:
    places = {"bind", "port", "dir"}  # of the container
    told = dict(line.split(" ", 1) for line in lines(CONFIG / "redis/redis.conf"))
    with redis.Redis.from_url(embedded_valkey.url, decode_responses=True) as client:
        before = {name: client.config_get(name)[name] for name in told}
        try:
            for name in told.keys() - places:
                client.config_set(name, told[name])
            got = {name: client.config_get(name)[name] for name in told.keys() - places}
        finally:
            for name in told.keys() - places:
                client.config_set(name, before[name])
    want = {name: value for name, value in told.items() if name not in places}
    assert got == want | {"maxmemory": str(256 * 2**20)}
