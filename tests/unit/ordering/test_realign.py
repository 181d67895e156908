"""Row states of a table whose columns have changed since they were read."""

from __future__ import annotations

import pytest

from cdc.ddl import read_ddl
from cdc.event import ABSENT, RowState
from cdc.ordering import merge
from cdc.realign import realigner
from cdc.schema import Table
from tests.unit.ordering.cases import KEY, every_state

OLD = "CREATE TABLE k.t (p int, c int, b int, d int, PRIMARY KEY (p, c));"


def table_of(ddl: str) -> Table:
    (table,) = read_ddl(ddl).tables.values()
    return table


ADDED = table_of(OLD + "ALTER TABLE k.t ADD a int; ALTER TABLE k.t ADD c2 int;")
DROPPED = table_of(OLD + "ALTER TABLE k.t DROP b;")
DROPPED_LAST = table_of(OLD + "ALTER TABLE k.t DROP d;")
OTHER = table_of(OLD + "ALTER TABLE k.t DROP b; ALTER TABLE k.t ADD a int;")


@pytest.mark.parametrize(
    ("new", "state", "want"),
    [
        pytest.param(
            ADDED, RowState(KEY, 5, ["1", "2"], is_whole=True), RowState(KEY, 5, [ABSENT, "1", ABSENT, "2"]), id="columns added"
        ),
        pytest.param(DROPPED, RowState(KEY, 5, ["1", "2"], 5), RowState(KEY, 5, ["2"], 5), id="a column dropped"),
        pytest.param(OTHER, RowState(KEY, 5, ["1", None]), RowState(KEY, 5, [ABSENT, None]), id="one dropped, one added"),
        pytest.param(DROPPED, RowState(KEY, 5, ["1", ABSENT]), None, id="an update of the dropped column alone"),
        pytest.param(
            DROPPED, RowState(KEY, 5, ["1", ABSENT], 5), RowState(KEY, 5, [ABSENT], 5), id="an insert of it: the row is there"
        ),
        pytest.param(
            DROPPED, RowState(KEY, 5, [ABSENT, ABSENT], deletion=5), RowState(KEY, 5, [ABSENT], deletion=5), id="a deletion"
        ),
        pytest.param(
            DROPPED, RowState(KEY, 9, ["1", "2"], stamps=[9, 4]), RowState(KEY, 4, ["2"]), id="the newest cell goes with it"
        ),
        pytest.param(
            OTHER,
            RowState(KEY, 5, ["1", "2"], 5, expires=[7, 8], marker_expires=8),
            RowState(KEY, 5, [ABSENT, "2"], 5, expires=[None, 8], marker_expires=8),
            id="what expires",
        ),
        pytest.param(
            DROPPED, RowState(KEY, 5, ["1", "2"], expires=[7, None]), RowState(KEY, 5, ["2"]), id="what expires goes with it"
        ),
    ],
)
def test_cells_go_with_their_column(new: Table, state: RowState, want: RowState | None) -> None:
    assert realigner(table_of(OLD), new)(state) == want


def serialize(text: str) -> bytes:
    return int(text).to_bytes(4, "big", signed=True)


@pytest.mark.parametrize("new", [ADDED, DROPPED, DROPPED_LAST], ids=["added", "first dropped", "last dropped"])
def test_it_does_not_matter_whether_states_are_merged_before_or_after(new: Table) -> None:
    realign = realigner(table_of(OLD), new)
    serializers = [serialize] * len(new.regular)
    states = every_state()
    for left in states[::5]:
        for right in states[::3]:
            before, after = [realign(left), realign(right)], realign(merge(left, right, [serialize] * 2))
            kept = [state for state in before if state is not None]
            want = merge(kept[0], kept[-1], serializers) if kept else None
            assert after == want
