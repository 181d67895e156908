"""Work split over processes and workers, in every way that there is to start them."""

from __future__ import annotations

from contextlib import ExitStack

import pytest

from tests.integration.flow.flow_metrics import free_port
from tests.integration.flow.flow_process import FlowProcess
from tests.integration.flow.mirrored import Mirrored, exit_codes


@pytest.mark.parametrize(
    ("command", "workers"),
    [("run", 2), pytest.param("bytewax", 2, marks=pytest.mark.long), pytest.param("bytewax", 1, marks=pytest.mark.long)],
)
def test_workers_of_one_process_share_the_work(crowd: Mirrored, command: str, workers: int) -> None:
    with crowd.running(command, workers=workers) as flow:
        assert flow.wait() == 0, flow.log.read_text()
    assert crowd.unexplained() == []


@pytest.mark.parametrize("count", [2, pytest.param(4, marks=pytest.mark.long)])
def test_processes_that_share_nothing_split_the_work(crowd: Mirrored, count: int) -> None:
    sizes = [200, 5_000, 50, 1_000]
    with ExitStack() as stack:
        flows = [
            stack.enter_context(
                crowd.running(
                    name=f"shard {index}",
                    SHARD__INDEX=str(index),
                    SHARD__COUNT=str(count),
                    KAFKA__POLL_MAX_RECORDS=str(sizes[index]),
                )
            )
            for index in range(count)
        ]
        assert exit_codes(flows) == [0] * count, logs(flows)
    assert crowd.applied() == len(crowd.story.records)
    assert crowd.unexplained() == []


def test_a_bytewax_cluster_of_two_processes_mirrors(crowd: Mirrored) -> None:
    addresses = ";".join(f"127.0.0.1:{free_port()}" for _ in range(2))
    with ExitStack() as stack:
        flows = [
            stack.enter_context(crowd.running("bytewax", arguments=["-i", str(number), "-a", addresses])) for number in range(2)
        ]
        assert exit_codes(flows) == [0, 0], logs(flows)
    assert crowd.applied() == len(crowd.story.records)
    assert crowd.unexplained() == []


def logs(flows: list[FlowProcess]) -> str:
    return "\n".join(flow.log.read_text() for flow in flows)
