"""Every recorded event is read; those that are refused are refused for what `docs/events.md` explains."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

import pytest

from cdc.batch import Batch
from cdc.ddl import read_ddl
from cdc.event import Change, RangeDeletion, Rejected, RowState, Skip
from cdc.fingerprint import Fingerprints
from operators.copies import Copies
from operators.deserialize import Deserialize
from operators.map_types import map_types
from operators.validate import validate
from tests.fixtures.events import changes_in, judged, runs, states_of
from tests.fixtures.recordings import Recording, load, recordings

REFUSED: dict[str, Counter[tuple[str, str]]] = {
    # the rows written before the key column was renamed
    "ddl_live": Counter({("deserialize", "MissingKey"): 5}),
    # decimals 1.0 and 1.00, -0.0 and NaN in keys
    "composite_pk": Counter({("map_types", "UnrepresentableKey"): 7}),
    "text_and_names": Counter({("map_types", "UnrepresentableKey"): 1, ("map_types", "UnrepresentableValue"): 1}),
    # dates and timestamps that PostgreSQL does not have
    "types_scalars": Counter({("map_types", "ValueOutOfRange"): 5}),
}


def changes_of(recording: Recording) -> Batch[Change]:
    deserialize = Deserialize(read_ddl(recording.cql), recording.topic_prefix)
    return map_types(validate(deserialize(Batch(0, runs(recording.records), []))))


@pytest.mark.parametrize("name", recordings())
def test_every_recorded_event_becomes_a_change_a_skip_or_an_explained_refusal(name: str) -> None:
    recording = load(name)
    batch = changes_of(recording)
    assert _reasons(batch.rejected) == REFUSED.get(name, Counter())
    uncounted = {Skip.STATIC_CELL, Skip.DROPPED_CELL, Skip.LOST_DIGITS}
    skipped = sum(count for (_, reason), count in batch.skipped.items() if reason not in uncounted)
    assert len(changes_in(batch)) + len(batch.rejected) + skipped == len(recording.records)


def _reasons(rejected: list[Rejected]) -> Counter[tuple[str, str]]:
    return Counter((letter.stage, letter.error_type) for letter in rejected)


@pytest.mark.parametrize("name", recordings())
def test_the_fast_way_reads_what_the_careful_way_reads(name: str) -> None:
    recording = load(name)
    records = [judged(record) for record in recording.records]
    events = validate(Deserialize(read_ddl(recording.cql), recording.topic_prefix)(Batch(0, runs(records), [])))
    compared = 0
    for event in events.items:
        interpreter, envelope = event.reader.interpret, event.envelope
        ts = envelope.source.ts_us
        fast = interpreter._live(envelope.after, ts, ts)
        if envelope.op in ("i", "u") and fast is not None:
            compared += 1
            assert interpreter._written_row(envelope, ts) == fast
    assert compared > 0


def test_events_with_their_schema_beside_them_are_read_as_those_without() -> None:
    with_schema, without = (
        changes_of(without_copies(load(name))) for name in ("mode_schemas_enabled", "mode_tombstones_on_delete")
    )
    assert [_timeless(state) for state in states_of(with_schema)] == [_timeless(state) for state in states_of(without)]
    assert _ranges(with_schema) == _ranges(without)


def without_copies(recording: Recording) -> Recording:
    copies = Copies()
    fresh = [record for record in recording.records if copies.fresh(Fingerprints(record.topic)([record.value]))]
    return replace(recording, records=fresh)


def _timeless(state: RowState) -> object:
    """Return what a row says without its timestamps: the statements ran at different times."""
    return state.key, state.values, state.marker is None, state.deletion is None


def _ranges(batch: Batch[Change]) -> list[object]:
    ranges = [change.what for change in batch.items if isinstance(change.what, RangeDeletion)]
    return [(deletion.partition, deletion.partition_bytes, deletion.start, deletion.end) for deletion in ranges]


def test_compaction_markers_are_counted() -> None:
    assert changes_of(load("mode_tombstones_on_delete")).skipped == {("modes.t", Skip.COMPACTION_MARKER): 4}


def test_blobs_of_composite_keys_have_their_true_values() -> None:
    batch = changes_of(load("composite_pk"))
    keys = [c.what.key for c in batch.items if isinstance(c.what, RowState) and c.table.name == "t"]
    assert keys[0][:3] == ("a", "1", "\\x0102")
    assert keys[0][-1] == "\\xcafe"
    assert keys[1][:3] == ("", "-1", "\\x")
