"""What kills, signals and second processes do to a mirror in the middle of its work: nothing, once it has caught up again."""

from __future__ import annotations

import random
import shutil
import signal

import pytest

from tests.integration.flow.flow_log import Admitted, admitted
from tests.integration.flow.flow_metrics import free_port, processed
from tests.integration.flow.flow_process import FlowProcess
from tests.integration.flow.mirrored import Mirrored
from tests.integration.flow.recorded_topics import write_records
from tests.integration.flow.source_flow import eventually
from tests.model.recorded import varied

NO_SNAPSHOTS = ("--snapshot-interval", "3600")


def stopped_in_the_middle(mirrored: Mirrored, flow: FlowProcess, applied: int) -> None:
    """Stop a flow in good order once so many records are applied; there are more of them."""
    mirrored.await_applied(applied, flow)
    flow.ask_to_stop()
    assert flow.wait() == 0, flow.log.read_text()
    assert mirrored.applied() < len(mirrored.story.records)


def run_again(flow: FlowProcess) -> list[Admitted]:
    """Start a flow again, let it catch up, and return where it began to read."""
    before = len(admitted(flow.log))
    flow.start()
    assert flow.wait() == 0, flow.log.read_text()
    return admitted(flow.log)[before:]


@pytest.mark.parametrize("seed", [0, *(pytest.param(seed, marks=pytest.mark.long) for seed in range(1, 12))])
def test_killed_at_random_moments_it_ends_equal(crowd: Mirrored, seed: int) -> None:
    dice = random.Random(seed)
    with crowd.running() as flow:
        for part in (1, 2, 3):
            crowd.await_applied(dice.randrange(part, part * len(crowd.story.records) // 4), flow)
            flow.kill()
            flow.start()
        assert flow.wait() == 0, flow.log.read_text()
    assert crowd.unexplained() == []


@pytest.mark.parametrize(
    ("command", "number"),
    [
        ("bytewax", signal.SIGINT),
        pytest.param("run", signal.SIGINT, marks=pytest.mark.long),
        pytest.param("bytewax", signal.SIGTERM, marks=pytest.mark.long),
    ],
)
def test_a_signal_drains_and_a_restart_goes_on(crowd: Mirrored, command: str, number: signal.Signals) -> None:
    with crowd.running(command) as flow:
        crowd.await_applied(len(crowd.story.records) // 4, flow)
        flow.ask_to_stop(number)
        assert flow.wait() == 0, flow.log.read_text()
        reached = crowd.applied()
        assert reached < len(crowd.story.records)
        assert sum(partition.start or 0 for partition in run_again(flow)) == reached
    assert crowd.unexplained() == []


def test_killed_between_commit_and_snapshot_it_resumes_from_the_snapshot(crowd: Mirrored) -> None:
    total = len(crowd.story.records)
    with crowd.running() as flow:
        stopped_in_the_middle(crowd, flow, total // 4)
        flow.arguments = NO_SNAPSHOTS
        flow.start()
        crowd.await_applied(total, flow)
        flow.kill()
        flow.arguments = ()
        resumed = run_again(flow)
    assert sum(partition.stored or 0 for partition in resumed) == total
    assert 0 < sum(partition.recovered or 0 for partition in resumed) < total
    assert [partition.start or 0 for partition in resumed] == [partition.recovered for partition in resumed]
    assert crowd.unexplained() == []


@pytest.mark.parametrize("group", ["kept", "deleted"])
def test_without_its_recovery_store_it_ends_equal(crowd: Mirrored, group: str) -> None:
    with crowd.running() as flow:
        stopped_in_the_middle(crowd, flow, len(crowd.story.records) // 3)
        reached = crowd.applied()
        shutil.rmtree(flow.recovery)
        if group == "deleted":
            crowd.topics.delete_group(crowd.group_id)
        resumed = run_again(flow)
    assert [partition.recovered for partition in resumed] == [None] * len(resumed)
    assert sum(partition.start or 0 for partition in resumed) == (reached if group == "kept" else 0)
    assert crowd.unexplained() == []


def test_a_zombie_on_the_same_partitions_does_no_harm(shop: Mirrored) -> None:
    shop.more = {"CDC_KAFKA__UNTIL_CAUGHT_UP": "false", "CDC_KAFKA__POLL_MAX_RECORDS": "20"}
    first, rest = shop.story.records[:30], varied(shop.story.records, "tripled", seed=3)
    write_records(shop.topics, first)
    one_port, zombie_port = free_port(), free_port()
    with (
        shop.running(HTTP__PORT=str(one_port)) as one,
        shop.running("bytewax", name="zombie", HTTP__PORT=str(zombie_port)) as zombie,
    ):
        eventually(lambda: all(processed(port) > 0 for port in (one_port, zombie_port)), "both are at work")
        write_records(shop.topics, rest)
        enough = len({record.value for record in rest}) // 2
        eventually(lambda: all(processed(port) > enough for port in (one_port, zombie_port)), "both did all of it")
        for flow in (one, zombie):
            flow.ask_to_stop()
            assert flow.wait() == 0, flow.log.read_text()
    assert shop.applied() == len(first) + len(rest)
    assert shop.unexplained() == []
