"""The pages of a running flow, however it is started."""

from __future__ import annotations

import socket
import urllib.error
import urllib.request
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families

from tests.integration.flow.mirrored import Mirrored
from tests.integration.flow.recorded_topics import write_records
from tests.integration.flow.source_flow import Topics, eventually

STAGES = {"source", "deserialize", "map_types", "dedupe", "postgres_prepare", "postgres_write"}


@pytest.fixture
def mirrored(kafka_bootstrap: str, topic_prefix: str, postgres_dsn: str, tmp_path: Path) -> Mirrored:
    made = Mirrored("workload_shop", Topics(kafka_bootstrap, topic_prefix), postgres_dsn, tmp_path)
    write_records(made.topics, made.replay.records)
    return made


def samples(port: int) -> dict[str, dict[tuple[str, ...], float]]:
    """Return what is exposed, by name and label values in the order of their names; nothing before it is served."""
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=10) as answer:
            text = answer.read().decode()
    except (urllib.error.URLError, ConnectionError):
        return {}
    found: dict[str, dict[tuple[str, ...], float]] = {}
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            found.setdefault(sample.name, {})[tuple(sample.labels.values())] = sample.value
    return found


@pytest.mark.parametrize("command", ["run", "bytewax"])
def test_a_running_flow_serves_its_metrics(mirrored: Mirrored, command: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    wanted = len(mirrored.replay.records)

    def processed() -> float:
        return sum(samples(port).get("cdc_events_processed_total", {}).values())

    with mirrored.running(command, HTTP__PORT=str(port), KAFKA__UNTIL_CAUGHT_UP="") as flow:
        eventually(lambda: processed() + skipped(port) >= wanted, "all events processed")
        eventually(lambda: set(samples(port)["cdc_replication_lag_seconds"].values()) == {0.0}, "caught up")
        got = samples(port)
        flow.ask_to_stop()
        assert flow.wait() == 0, flow.log.read_text()
    tables = {labels[0] for labels in got["cdc_events_processed_total"]}
    assert tables == {labels[0] for labels in got["cdc_replication_lag_seconds"]}
    assert {table for _, table in got["cdc_checkpoint_age_seconds"]} == tables
    assert got["cdc_circuit_breaker_state"] == {("postgres",): 0.0}
    assert sum(got["cdc_postgres_batch_size_count"].values()) > 0
    assert sum(got["cdc_replication_latency_seconds_count"].values()) > 0
    assert got["cdc_processing_seconds_count"][()] > 0
    assert {stage for (stage,), seconds in got["cdc_stage_cpu_seconds_total"].items() if seconds > 0} == STAGES


def skipped(port: int) -> float:
    return sum(samples(port).get("cdc_events_skipped_total", {}).values())


@pytest.mark.parametrize("command", ["run", "bytewax"])
def test_a_port_that_is_taken_costs_the_pages_and_nothing_else(mirrored: Mirrored, command: str) -> None:
    with (
        socket.create_server(("127.0.0.1", 0)) as taken,
        mirrored.running(command, HTTP__PORT=str(taken.getsockname()[1])) as flow,
    ):
        assert flow.wait() == 0, flow.log.read_text()
    assert "http_not_served" in flow.log.read_text()
    assert mirrored.unexplained() == []
