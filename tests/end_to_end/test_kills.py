"""Whoever is killed in the middle of a workload: once it is back, both sides are equal."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from cdc.ddl import read_ddl
from cdc.schema import Table
from dataflows.shop.schema import ddl
from runtime.embedded.server import Server
from tests.end_to_end.live_mirror import LiveMirror
from tests.end_to_end.scenario import create_keyspace
from tests.end_to_end.workload import Workload, shown

pytestmark = [pytest.mark.real, pytest.mark.timeout(600)]

KEYSPACE = "e2e_kills"
TABLES: list[Table] = list(read_ddl(";\n".join(ddl(KEYSPACE)), default_keyspace=KEYSPACE).tables.values())


@pytest.fixture(scope="module")
def shop(mirror: LiveMirror) -> LiveMirror:
    """The mirror with the tables of the demo."""
    mirror.live.define(KEYSPACE, create_keyspace(KEYSPACE), *ddl(KEYSPACE))
    return mirror


@pytest.fixture
def workload(shop: LiveMirror, request: pytest.FixtureRequest) -> Iterator[Workload]:
    with shop.live.cassandra.session() as session:
        yield Workload(session, KEYSPACE, seed=len(request.node.name), keys=20)


@pytest.mark.parametrize("name", ["connector", "kafka", "cassandra"])
def test_a_server_is_killed(shop: LiveMirror, workload: Workload, name: str) -> None:
    server: Server = getattr(shop.live, name)
    with workload.going_on():
        workload.await_more(200)
        server.kill()
        if name != "cassandra":
            workload.await_more(50)
        server.start()
        workload.await_more(100)
    shop.live.reconnect()
    shop.catch_up()
    assert shown(shop.differences(TABLES)) == []


def test_the_flow_is_killed(shop: LiveMirror, workload: Workload) -> None:
    with workload.going_on():
        for _ in range(3):
            workload.await_more(100)
            shop.flow.kill()
            workload.await_more(50)
            shop.flow.start()
    shop.catch_up()
    assert shown(shop.differences(TABLES)) == []
