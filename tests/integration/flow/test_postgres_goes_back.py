"""PostgreSQL restored from an older backup, or replaced by an empty one: a running flow ends, a restart reads again."""

from __future__ import annotations

from pathlib import Path

import pytest

from runtime.embedded.postgres import PostgresServer
from tests.integration.flow.mirrored import Mirrored
from tests.integration.flow.recorded_topics import write_records

QUICK = {
    "CDC_BREAKER__OPEN_SECONDS": "0.5",
    "CDC_POSTGRES__RETRY_MAX_SECONDS": "0.5",
    "CDC_KAFKA__POLL_MAX_RECORDS": "100",
}


@pytest.fixture
def backed_up(shop: Mirrored, own_postgres: PostgresServer, tmp_path: Path) -> Mirrored:
    """A mirror of half of the records, whose PostgreSQL was then copied, and whose flow was stopped."""
    shop.more, shop.dsn = QUICK, own_postgres.dsn
    own_postgres.stop()
    own_postgres.replace_data(None)
    own_postgres.start()
    write_records(shop.topics, shop.story.records[: len(shop.story.records) // 2])
    with shop.running() as flow:
        assert flow.wait() == 0, flow.log.read_text()
    own_postgres.stop()
    own_postgres.copy_data(tmp_path / "backup")
    own_postgres.start()
    return shop


@pytest.mark.parametrize("restored", ["backup", "empty"])
def test_a_running_flow_ends_and_a_restart_makes_it_equal(
    backed_up: Mirrored, own_postgres: PostgresServer, tmp_path: Path, restored: str
) -> None:
    records, shop = backed_up.story.records, backed_up
    half, most = len(records) // 2, len(records) * 3 // 4
    with shop.running(KAFKA__UNTIL_CAUGHT_UP="false") as flow:
        write_records(shop.topics, records[half:most])
        shop.await_applied(most, flow)
        replace(own_postgres, tmp_path, restored)
        assert flow.wait() == 1  # though there is nothing to write
        assert "start again" in flow.log.read_text()
    write_records(shop.topics, records[most:])
    catches_up(shop)


@pytest.mark.parametrize("restored", ["backup", "empty"])
def test_a_stopped_flow_starts_again_and_makes_it_equal(
    backed_up: Mirrored, own_postgres: PostgresServer, tmp_path: Path, restored: str
) -> None:
    write_records(backed_up.topics, backed_up.story.records[len(backed_up.story.records) // 2 :])
    catches_up(backed_up)
    replace(own_postgres, tmp_path, restored)
    assert backed_up.applied() < len(backed_up.story.records)
    catches_up(backed_up)


def replace(server: PostgresServer, directory: Path, restored: str) -> None:
    server.stop("immediate")
    server.replace_data(directory / "backup" if restored == "backup" else None)
    server.start()


def catches_up(mirrored: Mirrored) -> None:
    with mirrored.running() as flow:
        assert flow.wait() == 0, flow.log.read_text()
    assert mirrored.applied() == len(mirrored.story.records)
    assert mirrored.unexplained() == []
