"""When a process is live and ready, and what it says when it is not."""

from __future__ import annotations

import pytest

from cdc.errors import InvalidValue, OffsetsLost, PostgresUnavailable
from runtime.health import Health, Remembered, Report
from runtime.status import Status


def health(status: Status, *, halted: frozenset[str] = frozenset(), is_stopping: bool = False, postgres: str = "") -> Health:
    return Health(status, lambda: halted, lambda: is_stopping, probes={"postgres": lambda: postgres})


def answered() -> Status:
    status = Status()
    status.working("kafka")
    return status


def test_a_process_is_ready_when_its_servers_answer_and_no_table_is_halted() -> None:
    want = Report(well=True, checks={"kafka": "ok", "postgres": "ok", "tables": "ok", "process": "ok"})
    assert health(answered()).ready() == want


def test_a_process_is_live_but_not_ready_before_kafka_has_answered() -> None:
    got = health(Status())
    assert (got.live().well, got.ready().well) == (True, False)
    assert got.ready().checks["kafka"] == "has not answered yet"


def test_a_server_in_trouble_is_named_with_its_reason_until_it_works_again() -> None:
    status = answered()
    status.trouble("kafka", "1 of 1 brokers are down")
    assert health(status).ready().checks["kafka"] == "1 of 1 brokers are down"
    status.working("kafka")
    assert health(status).ready().well


@pytest.mark.parametrize(
    ("broken", "want"),
    [
        ({"halted": frozenset({"shop.b", "shop.a"})}, {"tables": "halted: shop.a, shop.b"}),
        ({"is_stopping": True}, {"process": "is stopping"}),
        ({"postgres": "connection refused"}, {"postgres": "connection refused"}),
        ({"postgres": "no way to postgresql://u:open-sesame@db/d"}, {"postgres": "no way to postgresql://u:********@db/d"}),
    ],
    ids=["halted tables", "stopping", "postgres away", "a password in a reason"],
)
def test_what_keeps_a_process_from_being_ready_leaves_it_live(broken: dict[str, object], want: dict[str, str]) -> None:
    got = health(answered(), **broken)  # type: ignore[arg-type]  # a table of arguments
    assert got.live() == Report(well=True, checks={"process": "ok"})
    assert not got.ready().well
    assert {name: check for name, check in got.ready().checks.items() if check != "ok"} == want


@pytest.mark.parametrize(
    ("error", "want"),
    [
        (OffsetsLost("gone back"), "OffsetsLost: gone back"),
        (InvalidValue("not a number: 4711"), "InvalidValue"),
        (ValueError("4711"), "ValueError"),
    ],
    ids=["ours", "of a record", "foreign"],
)
def test_a_failed_process_is_neither_live_nor_ready_and_quotes_no_row(error: Exception, want: str) -> None:
    status = answered()
    status.failed(error)
    status.failed(RuntimeError("what follows from the first"))
    got = health(status)
    assert (got.live(), got.ready().well) == (Report(well=False, checks={"process": want}), False)
    assert got.ready().checks["process"] == want


def test_a_probe_asks_again_only_when_its_answer_is_old() -> None:
    asked: list[float] = []
    now = [0.0]

    def ask() -> None:
        asked.append(now[0])
        if now[0] < 2:
            raise PostgresUnavailable("away")

    probe = Remembered(ask, seconds=2, clock=lambda: now[0])
    got = []
    for now[0] in (0.0, 1.0, 1.9, 2.0, 3.9):
        got.append(probe())
    assert got == ["away", "away", "away", "", ""]
    assert asked == [0.0, 2.0]
