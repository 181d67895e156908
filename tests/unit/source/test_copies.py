"""Copies are found where they are read, and only those."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterable
from itertools import count

from hypothesis import given, settings
from hypothesis import strategies as st

from cdc.event import UNKNOWN
from cdc.fingerprint import Fingerprints, split
from operators.copies import Copies
from tests.fixtures.events import as_json, envelope, table_of, written
from tests.fixtures.recordings import load

TABLE = table_of("CREATE TABLE shop.t (a int PRIMARY KEY, c text)")
TOPIC = "cdc.shop.t"
_files = count()


def copy_of(number: int) -> bytes:
    """Return an event as one more replica writes it."""
    return as_json(envelope(TABLE, "i", {"a": written(number), "c": written("x")}, file=f"CommitLog-7-{next(_files)}.log"))


def fresh(copies: Copies, *values: bytes | None, topic: str = TOPIC) -> list[int]:
    return copies.fresh(Fingerprints(topic)(values))


def prints(*values: bytes | None) -> list[bytes]:
    return split(Fingerprints(TOPIC)(values))


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


def test_what_is_forgotten_is_let_through_again() -> None:
    copies = Copies()
    assert fresh(copies, copy_of(1), copy_of(2)) == [0, 1]
    (first,) = prints(copy_of(1))
    copies.forget([first, b"never seen"])
    assert fresh(copies, copy_of(1), copy_of(2)) == [0]


def test_nothing_is_remembered_where_that_is_wanted() -> None:
    copies = Copies(0)
    assert fresh(copies, copy_of(1), copy_of(1)) == fresh(copies, copy_of(1), copy_of(1)) == [0, 1]


class Remembering:
    """What the window should do, on sets of Python."""

    def __init__(self, entries: int) -> None:
        self.most, self.young, self.old = entries // 2, set[bytes](), set[bytes]()
        self.count = 0  # of what was new to the young ones, forgotten or without a fingerprint

    def fresh(self, fingerprints: bytes) -> list[int]:
        found, every = [], split(fingerprints)
        for begin in range(0, len(every), self.most):
            part = every[begin : begin + self.most]
            if self.count + len(part) > self.most:
                self.young, self.old, self.count = set(), self.young, 0
            for place, print_ in enumerate(part, begin):
                if print_ == UNKNOWN or print_ not in self.young | self.old:
                    found.append(place)
                    self.count += 1
                    self.young |= {print_} - {UNKNOWN}
        return found

    def forget(self, fingerprints: Iterable[bytes]) -> None:
        self.young -= set(fingerprints)
        self.old -= set(fingerprints)


def crowded(number: int, home: int) -> bytes:
    """Return a fingerprint that wants one of few places in a table: so they stand in each other's."""
    return UNKNOWN if number == 0 else (home % 3).to_bytes(8, "little") + number.to_bytes(8, "little")


CROWDED = st.builds(crowded, st.integers(0, 12), st.integers(0, 2))


@settings(max_examples=1_000, deadline=None)
@given(st.integers(2, 20), st.lists(st.tuples(st.booleans(), st.lists(CROWDED, max_size=8))))
def test_it_remembers_what_a_set_would(entries: int, steps: list[tuple[bool, list[bytes]]]) -> None:
    copies, want = Copies(entries), Remembering(entries)
    for forgets, some in steps:
        if forgets:
            copies.forget(some)
            want.forget(some)
        else:
            assert copies.fresh(b"".join(some)) == want.fresh(b"".join(some))


def test_threads_may_share_it() -> None:
    every = [prints(*map(copy_of, range(thread * 500, thread * 500 + 500))) for thread in range(4)]
    copies, found = Copies(1 << 20), list[int]()

    def work(mine: list[bytes]) -> None:
        for print_ in mine:
            found.extend(copies.fresh(print_))
            copies.forget([print_])
            found.extend(copies.fresh(print_))

    threads = [threading.Thread(target=work, args=(mine,)) for mine in every]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 2 * 4 * 500
    assert [copies.fresh(b"".join(mine)) for mine in every] == [[]] * 4


def test_copies_with_their_schema_beside_them_are_found() -> None:
    wrapped = [json.dumps({"schema": {}, "payload": json.loads(copy_of(1))}, separators=(",", ":")).encode() for _ in range(2)]
    copies = Copies()
    assert fresh(copies, *wrapped, copy_of(1)) == [0]


def test_copies_of_a_real_connector_that_crashed_are_found() -> None:
    records = load("crash_connector_kill9").records
    copies = Copies()
    assert sum(len(fresh(copies, record.value, topic=record.topic)) for record in records) == 1920
    assert len(records) == 1920 + 598
