"""What expires leaves the tables whether or not anything else happens."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import psycopg
import pytest

from tests.integration.flow.mirrored import Mirrored
from tests.integration.flow.recorded_topics import write_records
from tests.integration.flow.source_flow import Topics, eventually


@pytest.fixture
def expiring(kafka_bootstrap: str, topic_prefix: str, postgres_dsn: str, tmp_path: Path) -> Mirrored:
    """Rows with a TTL, mirrored while they lived."""
    made = Mirrored("ttl", Topics(kafka_bootstrap, topic_prefix), postgres_dsn, tmp_path)
    write_records(made.topics, made.replay.records)
    made.run_here()
    assert expiring_rows(made) > 0
    return made


def expiring_rows(mirrored: Mirrored) -> int:
    query = "SELECT count(*) FROM ttl.t WHERE _cdc_sweep_at IS NOT NULL"
    with psycopg.connect(mirrored.dsn) as connection:
        row = connection.execute(query).fetchone()
    return int(row[0]) if row else 0


def years_later(mirrored: Mirrored) -> str:
    return datetime.fromtimestamp(mirrored.replay.now + 10 * 365 * 86_400, UTC).isoformat()


def test_a_flow_with_nothing_to_read_sweeps_before_it_ends(expiring: Mirrored) -> None:
    expiring.run_here(CLOCK__AT=years_later(expiring))
    assert expiring_rows(expiring) == 0


def test_a_flow_with_nothing_to_read_sweeps_while_it_runs(expiring: Mirrored) -> None:
    with expiring.running(CLOCK__AT=years_later(expiring), KAFKA__UNTIL_CAUGHT_UP="") as flow:
        eventually(lambda: expiring_rows(expiring) == 0, "everything expired is gone")
        flow.ask_to_stop()
        assert flow.wait() == 0, flow.log.read_text()
