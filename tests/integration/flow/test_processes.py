"""`cassmirror run --processes`: several processes behave as one, whoever of them ends."""

from __future__ import annotations

import signal

import psutil  # type: ignore[import-untyped]
import pytest

from tests.integration.flow.flow_process import FlowProcess
from tests.integration.flow.mirrored import Mirrored
from tests.integration.flow.source_flow import eventually

TWO = ("--processes", "2")


def shards(flow: FlowProcess) -> list[psutil.Process]:
    """Return the processes that the flow has started."""
    assert flow.process is not None
    return [child for child in psutil.Process(flow.process.pid).children() if "--ends-with-input" in child.cmdline()]


def test_they_share_the_work_and_end_together(crowd: Mirrored) -> None:
    with crowd.running(arguments=TWO) as flow:
        assert flow.wait() == 0, flow.log.read_text()
    assert crowd.applied() == len(crowd.story.records)
    assert sorted(path.name for path in flow.recovery.iterdir()) == ["0", "1"]
    assert crowd.unexplained() == []


@pytest.mark.long
def test_a_signal_drains_them_all(crowd: Mirrored) -> None:
    with crowd.running(arguments=TWO) as flow:
        crowd.await_applied(len(crowd.story.records) // 4, flow)
        flow.ask_to_stop()
        assert flow.wait() == 0, flow.log.read_text()
        assert crowd.applied() < len(crowd.story.records)
        flow.start()
        assert flow.wait() == 0, flow.log.read_text()
    assert crowd.unexplained() == []


@pytest.mark.long
def test_the_others_drain_when_one_is_killed(crowd: Mirrored) -> None:
    with crowd.running(arguments=TWO) as flow:
        crowd.await_applied(1, flow)
        first, second = shards(flow)
        first.kill()
        assert flow.wait() == signal.SIGKILL
        assert not second.is_running()
        flow.start()
        assert flow.wait() == 0, flow.log.read_text()
    assert crowd.unexplained() == []


def test_none_is_left_when_the_first_process_is_killed(crowd: Mirrored) -> None:
    with crowd.running(arguments=TWO) as flow:
        crowd.await_applied(1, flow)
        children = shards(flow)
        flow.kill()
        eventually(lambda: not any(child.is_running() for child in children), "the processes have ended")


def test_a_shard_is_not_shared_again(crowd: Mirrored) -> None:
    with crowd.running(arguments=TWO, SHARD__COUNT="2") as flow:
        assert flow.wait() == 2
    assert "use one of the two" in flow.log.read_text()
