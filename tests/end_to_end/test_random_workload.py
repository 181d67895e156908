"""Twenty thousand random statements on the tables of the demo: afterwards `SELECT` is equal on both sides."""

from __future__ import annotations

import logging
import time

import pytest

from cdc.ddl import read_ddl
from dataflows.shop.schema import ddl
from tests.end_to_end.live_mirror import LiveMirror
from tests.end_to_end.scenario import create_keyspace
from tests.end_to_end.workload import Workload, shown

pytestmark = [pytest.mark.real, pytest.mark.long, pytest.mark.timeout(1_800)]

KEYSPACE = "e2e_random"
SEED = 20_261_123
STATEMENTS = 20_000

_log = logging.getLogger(__name__)


def test_postgres_holds_what_cassandra_returns(mirror: LiveMirror) -> None:
    mirror.live.define(KEYSPACE, create_keyspace(KEYSPACE), *ddl(KEYSPACE))
    with mirror.live.cassandra.session() as session:
        started = time.monotonic()
        Workload(session, KEYSPACE, SEED).write(STATEMENTS)
        _log.info("%.0f statements a second", STATEMENTS / (time.monotonic() - started))
    mirror.catch_up(600)
    tables = read_ddl(";\n".join(ddl(KEYSPACE)), default_keyspace=KEYSPACE).tables.values()
    assert shown(mirror.differences(tables, seconds=60)) == []
    assert mirror.letters(KEYSPACE) == {}
