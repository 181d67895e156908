"""Copies are found where they are read, and only those."""

from __future__ import annotations

import json
from itertools import count

import pytest

from cdc.event import UNKNOWN
from cdc.fingerprint import Fingerprints
from operators import copies as module
from operators.copies import Copies
from tests.fixtures.events import as_json, envelope, table_of, written
from tests.fixtures.recordings import load

TABLE = table_of("CREATE TABLE shop.t (a int PRIMARY KEY, c text)")
TOPIC = "cdc.shop.t"
SLOT = 3
_files = count()


def copy_of(number: int) -> bytes:
    """Return an event as one more replica writes it."""
    return as_json(envelope(TABLE, "i", {"a": written(number), "c": written("x")}, file=f"CommitLog-7-{next(_files)}.log"))


def fresh(copies: Copies, *values: bytes | None, slot: int = SLOT, topic: str = TOPIC) -> list[int]:
    return copies.fresh(slot, Fingerprints(topic)(values))


def prints(*values: bytes | None) -> list[bytes]:
    return Fingerprints(TOPIC)(values)


def test_copies_are_left_out_in_one_poll_and_later() -> None:
    copies = Copies()
    assert fresh(copies, copy_of(1), copy_of(2), copy_of(1)) == [0, 1]
    assert fresh(copies, copy_of(2), copy_of(3)) == [1]


def test_what_has_no_fingerprint_is_never_a_copy() -> None:
    copies = Copies()
    assert fresh(copies, None, b"{}", None, b"{}") == [0, 1, 2, 3]
    assert prints(None, b"{}") == [UNKNOWN, UNKNOWN]


def test_what_has_no_fingerprint_stands_where_it_came_among_others() -> None:
    copies = Copies()
    assert fresh(copies, copy_of(1), b"{}", copy_of(1), None, copy_of(2)) == [0, 1, 3, 4]
    assert fresh(copies, b"{}", copy_of(2)) == [0]


def test_the_same_event_in_another_topic_is_no_copy() -> None:
    copies = Copies()
    assert fresh(copies, copy_of(1)) == fresh(copies, copy_of(1), topic="cdc.shop.other") == [0]


def test_what_dedupe_knows_in_the_slot_is_a_copy() -> None:
    young, old = prints(copy_of(1), copy_of(2))
    copies = Copies(lambda slot: ({young}, {old}) if slot == SLOT else ((), ()))
    assert fresh(copies, copy_of(1), copy_of(2), copy_of(3)) == [2]
    assert fresh(copies, copy_of(1), copy_of(2), slot=SLOT + 1) == [0, 1]


def test_what_is_forgotten_is_let_through_again() -> None:
    copies = Copies()
    assert fresh(copies, copy_of(1), copy_of(2)) == [0, 1]
    (first,) = prints(copy_of(1))
    copies.forget([first, b"never seen"])
    assert fresh(copies, copy_of(1), copy_of(2)) == [0]


def test_the_oldest_are_forgotten_in_the_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "IN_FLIGHT", 2)
    copies = Copies()
    fresh(copies, *map(copy_of, range(3)))
    assert fresh(copies, copy_of(0), copy_of(3), copy_of(4), copy_of(5)) == [1, 2, 3]
    assert fresh(copies, copy_of(0)) == [0]


def test_copies_with_their_schema_beside_them_are_found() -> None:
    wrapped = [json.dumps({"schema": {}, "payload": json.loads(copy_of(1))}, separators=(",", ":")).encode() for _ in range(2)]
    copies = Copies()
    assert fresh(copies, *wrapped, copy_of(1)) == [0]


def test_copies_of_a_real_connector_that_crashed_are_found() -> None:
    records = load("crash_connector_kill9").records
    copies = Copies()
    assert sum(len(fresh(copies, record.value, topic=record.topic)) for record in records) == 1920
    assert len(records) == 1920 + 598
