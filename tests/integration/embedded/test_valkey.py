"""The embedded Valkey."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest
import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from runtime.embedded import ports
from runtime.embedded.valkey import ValkeyServer
from tests.fixtures.servers import reachable_directory


def test_a_value_comes_back(embedded_valkey: ValkeyServer) -> None:
    with redis.Redis.from_url(embedded_valkey.url) as client:
        client.set("a", "1")
        assert client.get("a") == b"1"


def test_without_the_password_nobody_gets_in(embedded_valkey: ValkeyServer) -> None:
    with (
        redis.Redis(port=embedded_valkey.port, retry=Retry(NoBackoff(), 0)) as client,
        pytest.raises(redis.AuthenticationError),
    ):
        client.get("a")


@pytest.mark.parametrize("name", ["password", "valkey.conf"])
def test_files_with_the_password_are_for_their_owner_only(embedded_valkey: ValkeyServer, name: str) -> None:
    assert (embedded_valkey.state_dir / name).stat().st_mode & 0o777 == 0o600


def test_a_stop_and_a_start_keep_the_values_and_the_address() -> None:
    with reachable_directory() as directory:
        server = ValkeyServer(directory / "valkey")
        server.start()
        try:
            before = server.url
            with redis.Redis.from_url(before) as client:
                client.set("a", "1")
            server.stop()
            server.start()
            assert server.url == before
            with redis.Redis.from_url(before) as client:
                assert client.get("a") == b"1"
        finally:
            server.kill()


def test_a_port_taken_between_the_look_and_the_start_is_given_up_for_another(monkeypatch: pytest.MonkeyPatch) -> None:
    choose = ports.choose
    with reachable_directory() as directory, socket.create_server((ports.LOOPBACK, 0)) as thief:
        taken = [thief.getsockname()[1]]

        def late(memory: Path, *, wanted: int | None = None, name: str) -> int:
            return taken.pop() if taken else choose(memory, wanted=wanted, name=name)

        monkeypatch.setattr(ports, "choose", late)
        server = ValkeyServer(directory / "valkey")
        server.start()
        try:
            assert server.running()
            assert server.port != thief.getsockname()[1]
        finally:
            server.stop()
