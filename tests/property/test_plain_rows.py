"""Which rows of a batch come as plain ones changes nothing of what it says."""

from __future__ import annotations

from collections import Counter
from itertools import product

from hypothesis import given, settings
from hypothesis import strategies as st

from cdc.event import ABSENT, Change, Key, Record, RowState, Value
from cdc.ordering import collapse as collapse_states
from cdc.ordering import merge, strip
from cdc.plain_state import key_texts, oldest_ts, state_of
from sinks.memory import MemoryTables
from sinks.postgres.collapse import apart, collapse
from sinks.postgres.layout import Layout, stored_column
from sinks.postgres.prepare import rows_of
from tests.fixtures.events import table_of
from tests.model.plain import as_plain, in_runs
from tests.property.test_merge_laws import states

TABLE = table_of("CREATE TABLE laws.t (k text PRIMARY KEY, a text, b text, c text);")
LAYOUT = Layout(
    TABLE,
    1,
    "laws",
    "t",
    tuple(stored_column(column, column.name) for column in TABLE.primary_key),
    tuple(stored_column(column, column.name, slot) for slot, column in enumerate(TABLE.regular, 2)),
    4,
    1,
)
KEYS: list[Key] = [("\t",), ("\\t",), ("é\n\r",)]
NOTHING = Record("cdc.laws.t", 0, 0, -1, None, None)
Batch = list[tuple[RowState, bool]]
"""States, and which of them come plain if they can."""

_VALUES: list[Value] = [ABSENT, "", "\t\\N"]
_WRITTEN = [
    (ts, values, marker)
    for ts, values in product(range(3), product(_VALUES, repeat=3))
    for marker in (ts, None)
    if marker is not None or set(values) != {ABSENT}
]


def any_state(key: Key) -> st.SearchStrategy[RowState]:
    """Return states of any kind, most of them INSERTs and UPDATEs of values alone."""
    written = st.sampled_from(_WRITTEN).map(lambda parts: RowState(key, parts[0], list(parts[1]), parts[2]))
    return written | written | states(key)


def batches() -> st.SearchStrategy[Batch]:
    """Return batches of a few keys."""
    return st.lists(st.tuples(st.sampled_from(KEYS).flatmap(any_state), st.booleans()), max_size=8)


def changes(batch: Batch) -> list[Change]:
    made = [Change(TABLE, state, NOTHING) for state, _ in batch]
    return [as_plain(change) if plain else change for change, (_, plain) in zip(made, batch, strict=True)]


def reduced(state: RowState) -> RowState:
    """Return the same state in the one form that the merge gives."""
    return merge(state, state, LAYOUT.serializers)


@settings(max_examples=500)
@given(batches())
def test_a_batch_collapses_to_the_same_states(batch: Batch) -> None:
    rows = [change.what for change in changes(batch)]
    got = [reduced(state_of(TABLE, row)) for row in collapse(LAYOUT, rows)]  # type: ignore[arg-type]  # no range deletions
    want = collapse_states([state for state, _ in batch], LAYOUT.serializers)
    assert len(got) == len(want)
    assert {state.key: state for state in got} == {key: reduced(state) for key, state in want.items()}


@settings(max_examples=500)
@given(st.sampled_from(KEYS).flatmap(any_state), st.booleans())
def test_a_deletion_before_the_oldest_timestamp_of_a_row_takes_nothing_from_it(state: RowState, plain: bool) -> None:
    (change,) = changes([(state, plain)])
    oldest = oldest_ts(change.what)  # type: ignore[arg-type]  # no range deletion
    assert reduced(strip(state, oldest - 1) or state) == reduced(state)
    lost = strip(state, oldest)
    assert lost is None or reduced(lost) != reduced(state)


@settings(max_examples=200)
@given(batches(), batches(), st.integers(0, 4))
def test_tables_in_memory_show_the_same(one: Batch, other: Batch, now: int) -> None:
    got, want = MemoryTables(), MemoryTables()
    for batch in (one, other):
        got.apply(changes(batch))
        want.apply(Change(TABLE, state, NOTHING) for state, _ in batch)
    assert got.rows(TABLE.full_name, now) == want.rows(TABLE.full_name, now)


@settings(deadline=None)
@given(batches())
def test_rows_stay_in_runs_unless_their_key_comes_twice(batch: Batch) -> None:
    others, runs = in_runs(changes(batch))
    rows = rows_of(others)
    alone, met = apart(rows, runs)
    left = [row for run in alone for row in run.rows()]
    assert sorted(map(repr, [*left, *met])) == sorted(repr(row) for run in runs for row in run.rows())
    times = Counter(key_texts([*rows, *met, *left]))
    assert {times[row.key] for row in left} <= {1}
    assert all(times[row.key] > 1 for row in met)
