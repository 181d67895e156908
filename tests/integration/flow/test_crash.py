"""What kills, stops and restarts do to a mirror: nothing, once it has caught up again."""

from __future__ import annotations

import random
import signal
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import psycopg
import pytest

from runtime.embedded.kafka import KafkaServer
from runtime.embedded.postgres import PostgresServer
from tests.fixtures.servers import reachable_directory
from tests.integration.flow.flow_process import FlowProcess
from tests.integration.flow.mirrored import Mirrored, exit_codes
from tests.integration.flow.recorded_topics import write_records
from tests.integration.flow.source_flow import Topics, eventually
from tests.model.recorded import varied

SLOWLY = {"CDC_KAFKA__POLL_MAX_RECORDS": "5"}
"""Many small batches: there is something to interrupt."""


@pytest.fixture
def mirrored(kafka_bootstrap: str, topic_prefix: str, postgres_dsn: str, tmp_path: Path) -> Mirrored:
    found = Mirrored("workload_shop", Topics(kafka_bootstrap, topic_prefix), postgres_dsn, tmp_path, SLOWLY)
    write_records(found.topics, varied(found.replay.records, "tripled", seed=3))
    return found


def offsets_in(dsn: str) -> int:
    """Return how many records PostgreSQL has behind it, over all partitions."""
    with psycopg.connect(dsn) as connection:
        try:
            row = connection.execute("SELECT coalesce(sum(next_offset), 0)::bigint FROM cdc.offsets").fetchone()
        except psycopg.errors.UndefinedTable:
            return 0
    return int(row[0]) if row else 0


def reached_or_ended(dsn: str, offsets: int, flow: FlowProcess) -> bool:
    """Return whether so many records are applied, or there are no more of them."""
    return offsets_in(dsn) >= offsets or not flow.is_running()


@pytest.mark.parametrize("seed", [0, *(pytest.param(seed, marks=pytest.mark.long) for seed in range(1, 12))])
def test_killed_at_random_moments_it_ends_equal(mirrored: Mirrored, seed: int) -> None:
    dice = random.Random(seed)
    with mirrored.running() as flow:
        for _ in range(3):
            enough = offsets_in(mirrored.dsn) + dice.randrange(1, 800)
            eventually(partial(reached_or_ended, mirrored.dsn, enough, flow), "progress")
            flow.kill()
            flow.start()
        assert flow.wait() == 0, flow.log.read_text()
    assert mirrored.unexplained() == []


@pytest.mark.parametrize(
    ("command", "number"),
    [
        ("run", signal.SIGTERM),
        ("bytewax", signal.SIGINT),
        pytest.param("run", signal.SIGINT, marks=pytest.mark.long),
        pytest.param("bytewax", signal.SIGTERM, marks=pytest.mark.long),
    ],
)
def test_a_signal_drains_and_a_restart_goes_on(mirrored: Mirrored, command: str, number: signal.Signals) -> None:
    with mirrored.running(command, KAFKA__UNTIL_CAUGHT_UP="false") as flow:
        eventually(lambda: offsets_in(mirrored.dsn) > 100, "progress")
        flow.ask_to_stop(number)
        assert flow.wait() == 0, flow.log.read_text()
    mirrored.run_here()
    assert mirrored.unexplained() == []


def test_a_zombie_on_the_same_partitions_does_no_harm(mirrored: Mirrored) -> None:
    with mirrored.running() as one, mirrored.running("bytewax", name="zombie") as zombie:
        assert exit_codes([one, zombie]) == [0, 0]
    assert mirrored.unexplained() == []


def test_an_emptied_postgres_is_filled_again(mirrored: Mirrored) -> None:
    with mirrored.running() as flow:
        assert flow.wait() == 0
        with psycopg.connect(mirrored.dsn, autocommit=True) as connection:
            connection.execute(f"DROP SCHEMA cdc, {mirrored.replay.expected.keyspace} CASCADE".encode())
        flow.start()
        assert flow.wait() == 0, flow.log.read_text()
    assert mirrored.unexplained() == []


@pytest.fixture
def own_postgres() -> Iterator[PostgresServer]:
    with reachable_directory() as directory:
        server = PostgresServer(directory / "postgres")
        server.start()
        try:
            yield server
        finally:
            server.stop("immediate")


def test_postgres_stopped_and_started_again_loses_nothing(mirrored: Mirrored, own_postgres: PostgresServer) -> None:
    mirrored.dsn = own_postgres.dsn
    with mirrored.running(BREAKER__OPEN_SECONDS="1") as flow:
        eventually(lambda: offsets_in(mirrored.dsn) > 100, "progress")
        own_postgres.stop("immediate")
        time.sleep(1)  # long enough for a few attempts
        own_postgres.start()
        assert flow.wait() == 0, flow.log.read_text()
    assert mirrored.unexplained() == []


def test_with_postgres_away_a_stop_gives_up_and_loses_nothing(mirrored: Mirrored, own_postgres: PostgresServer) -> None:
    mirrored.dsn = own_postgres.dsn
    with mirrored.running(STOP__GRACE_SECONDS="2") as flow:
        eventually(lambda: offsets_in(mirrored.dsn) > 100, "progress")
        own_postgres.stop("immediate")
        flow.ask_to_stop()
        assert flow.wait() == 1, flow.log.read_text()
        own_postgres.start()
        flow.start()
        assert flow.wait() == 0, flow.log.read_text()
    assert mirrored.unexplained() == []


def test_kafka_stopped_and_started_again_loses_nothing(tmp_path: Path, topic_prefix: str, postgres_dsn: str) -> None:
    with reachable_directory() as directory:
        kafka = KafkaServer(directory / "kafka")
        kafka.start()
        try:
            mirrored = Mirrored("workload_shop", Topics(kafka.bootstrap_servers, topic_prefix), postgres_dsn, tmp_path, SLOWLY)
            write_records(mirrored.topics, varied(mirrored.replay.records, "tripled", seed=3))
            with mirrored.running() as flow:
                eventually(lambda: offsets_in(postgres_dsn) > 100, "progress")
                kafka.stop()
                kafka.start()
                assert flow.wait() == 0, flow.log.read_text()
            assert mirrored.unexplained() == []
        finally:
            kafka.kill()
