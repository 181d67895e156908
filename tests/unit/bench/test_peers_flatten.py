"""The forms in which peers get the connector's events."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import Any

import pytest

from bench.peers.flatten import FIELDS, KEY, Form, flatten
from bench.workloads import BASE_US, REGULAR, Workload, Write, events, full_row

ID = "7f6a4a0e-0000-0000-0000-000000000001"
ROW = {"id": ID, "seq": 3}
INSERT = Write("i", ID, 3, BASE_US, 5, 1)
UPDATE = Write("u", ID, 3, BASE_US, 5, 1, ("count", "price", "updated"), ("price",))
DELETE = Write("d", ID, 3, BASE_US, 5, 1, ())
NOTHING = dict.fromkeys(REGULAR)
UPDATED = {"count": 6, "updated": "2026-11-23T12:31:27.285Z"}
FULL: dict[str, Any] = {
    **{column: json.loads(text) for column, text in full_row(5, 1).items()},
    "price": Decimal("5.11"),
    "updated": "2026-11-23T12:31:27.285Z",
}
CASES = {
    "an insert, flat": (Form.FLAT, INSERT, ROW | FULL),
    "an update, flat": (Form.FLAT, UPDATE, ROW | NOTHING | UPDATED),
    "a delete, flat": (Form.FLAT, DELETE, None),
    "an insert, as a change": (Form.CHANGES, INSERT, ROW | FULL | {"price": "5.11", "deleted": False}),
    "an update, as a change": (Form.CHANGES, UPDATE, ROW | NOTHING | UPDATED | {"deleted": False}),
    "a delete, as a change": (Form.CHANGES, DELETE, ROW | NOTHING | {"deleted": True}),
    "a delete, what it touches": (Form.TOUCHED, DELETE, None),
}


@pytest.mark.parametrize(("form", "write", "want"), CASES.values(), ids=CASES.keys())
def test_a_cell_becomes_its_value(form: Form, write: Write, want: dict[str, Any] | None) -> None:
    key, value = _flattened(form, write)
    assert json.loads(key) == ROW
    assert (None if value is None else json.loads(value, parse_float=Decimal)) == _with_decimals(want)


def test_only_touched_columns_stand_in_a_record_with_its_schema() -> None:
    _, value = _flattened(Form.TOUCHED, UPDATE)
    assert value is not None
    got = json.loads(value)
    assert got["payload"] == ROW | {"price": None} | UPDATED
    assert [field["field"] for field in got["schema"]["fields"]] == ["id", "seq", "count", "price", "updated"]
    assert [field["optional"] for field in got["schema"]["fields"]] == [False, False, True, True, True]


def test_the_schema_has_all_columns() -> None:
    assert set(KEY) == set(ROW)
    assert tuple(FIELDS) == REGULAR


def _flattened(form: Form, write: Write) -> tuple[bytes, bytes | None]:
    ((key, value),) = flatten(form, events(Workload("one", "orders", [write])))
    return key, value


def _with_decimals(row: dict[str, Any] | None) -> dict[str, Any] | None:
    return row and {column: Decimal(str(value)) if isinstance(value, float) else value for column, value in row.items()}
