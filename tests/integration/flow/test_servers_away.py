"""PostgreSQL and Kafka stop in the middle of the work and come back: nothing is lost."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from runtime.embedded.kafka import KafkaServer
from runtime.embedded.postgres import PostgresServer
from tests.fixtures.servers import reachable_directory
from tests.integration.flow.flow_process import FlowProcess
from tests.integration.flow.mirrored import Mirrored
from tests.integration.flow.recorded_topics import write_records
from tests.integration.flow.source_flow import Topics, eventually


def has_retried(flow: FlowProcess, times: int) -> bool:
    return flow.log.read_text().count("postgres_retry") >= times


def test_postgres_stopped_and_started_under_load_loses_nothing(
    crowd: Mirrored, own_postgres: PostgresServer, own_database: Callable[[], str]
) -> None:
    crowd.dsn = own_database()
    with crowd.running(BREAKER__FAILURES="2", BREAKER__OPEN_SECONDS="0.5", POSTGRES__RETRY_MAX_SECONDS="0.5") as flow:
        for part in (1, 2):
            crowd.await_applied(part * len(crowd.story.records) // 4, flow)
            own_postgres.stop("immediate")
            eventually(partial(has_retried, flow, 2 * part), "attempts in vain")
            own_postgres.start()
        assert flow.wait() == 0, flow.log.read_text()
    assert crowd.unexplained() == []


def test_with_postgres_away_a_stop_gives_up_and_loses_nothing(
    crowd: Mirrored, own_postgres: PostgresServer, own_database: Callable[[], str]
) -> None:
    crowd.dsn = own_database()
    with crowd.running(STOP__GRACE_SECONDS="1") as flow:
        crowd.await_applied(len(crowd.story.records) // 4, flow)
        own_postgres.stop("immediate")
        flow.ask_to_stop()
        assert flow.wait() == 1, flow.log.read_text()
        own_postgres.start()
        flow.start()
        assert flow.wait() == 0, flow.log.read_text()
    assert crowd.unexplained() == []


def test_kafka_stopped_and_started_under_load_loses_nothing(crowd: Mirrored, topic_prefix: str) -> None:
    with reachable_directory() as directory:
        kafka = KafkaServer(directory / "kafka")
        kafka.start()
        try:
            crowd.topics = Topics(kafka.bootstrap_servers, topic_prefix)
            half = len(crowd.story.records) // 2
            write_records(crowd.topics, crowd.story.records[:half])
            with crowd.running(KAFKA__UNTIL_CAUGHT_UP="false") as flow:
                crowd.await_applied(half // 4, flow)
                kafka.stop()
                kafka.start()
                write_records(crowd.topics, crowd.story.records[half:])
                crowd.await_applied(len(crowd.story.records), flow)
                flow.ask_to_stop()
                assert flow.wait() == 0, flow.log.read_text()
            assert crowd.unexplained() == []
        finally:
            kafka.kill()
