from __future__ import annotations

from cdc.event import Position
from runtime.progress import Progress


def at(offset: int, topic_id: str = "id") -> Position:
    return Position("t", 0, topic_id, offset)


def test_what_another_process_writes_is_not_held_back() -> None:
    assert Progress().committable(3, at(10)) == 10


def test_nothing_is_committable_before_the_sink_reports() -> None:
    progress = Progress()
    progress.sink_opened(3)
    assert progress.committable(3, at(10)) is None


def test_the_sink_bounds_what_is_committable() -> None:
    progress = Progress()
    progress.sink_opened(3)
    progress.committed([at(7)])
    assert [progress.committable(3, at(offset)) for offset in (5, 7, 9)] == [5, 7, 7]


def test_a_lower_offset_changes_nothing() -> None:
    progress = Progress()
    progress.committed([at(7), at(5)])
    assert progress.offsets() == {("t", 0): 7}


def test_a_recreated_topic_begins_again() -> None:
    progress = Progress()
    progress.sink_opened(3)
    progress.committed([at(7)])
    progress.committed([at(2, "new")])
    assert progress.committable(3, at(5, "new")) == 2
    assert progress.committable(3, at(9)) is None
