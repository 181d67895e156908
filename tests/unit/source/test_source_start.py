from __future__ import annotations

import pytest

from cdc.event import Position
from operators.source_start import FROM_BEGINNING, KnownOffsets, recovered_position, start_offset, state_key

NOW, OLD = "id-now", "id-of-the-deleted-topic"


def at(offset: int | None, topic_id: str = NOW) -> Position | None:
    return None if offset is None else Position("t", 0, topic_id, offset)


@pytest.mark.parametrize(
    ("stored", "recovered", "committed", "want"),
    [
        pytest.param(None, None, None, FROM_BEGINNING, id="a first start"),
        pytest.param(100, 100, 100, 100, id="all agree"),
        pytest.param(100, 90, 80, 90, id="killed before the snapshot: the larger of the two that this side knows"),
        pytest.param(100, 80, 90, 90, id="an old recovery store"),
        pytest.param(100, None, 90, 90, id="the recovery store is gone"),
        pytest.param(100, 90, None, 90, id="the group has expired"),
        pytest.param(100, None, None, FROM_BEGINNING, id="neither is there"),
        pytest.param(50, 100, 100, 50, id="PostgreSQL was restored from a backup"),
        pytest.param(None, 100, 100, FROM_BEGINNING, id="PostgreSQL is empty"),
        pytest.param(0, 100, 100, 0, id="offset zero is an offset"),
        pytest.param(100, 0, None, 0, id="zero recovered"),
        pytest.param(100, None, 0, 0, id="zero committed"),
    ],
)
def test_reading_starts_where_nothing_can_be_missing(
    stored: int | None, recovered: int | None, committed: int | None, want: int | None
) -> None:
    assert start_offset(NOW, KnownOffsets(at(stored), at(recovered), committed)) == want


@pytest.mark.parametrize(
    ("stored", "recovered"),
    [(at(100, OLD), at(100)), (at(100), at(100, OLD)), (at(100, OLD), at(100, OLD)), (at(100, OLD), None)],
)
def test_a_recreated_topic_is_read_from_the_beginning(stored: Position | None, recovered: Position | None) -> None:
    assert start_offset(NOW, KnownOffsets(stored, recovered, 100)) is FROM_BEGINNING


def test_the_state_of_a_slot_names_its_topic_partitions() -> None:
    state = {state_key("cassandra.shop.a-b", 12): ("id", 7)}
    assert recovered_position(state, "cassandra.shop.a-b", 12) == Position("cassandra.shop.a-b", 12, "id", 7)
    assert recovered_position(state, "cassandra.shop.a-b", 1) is None
