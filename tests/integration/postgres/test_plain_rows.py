"""Plain rows among others: PostgreSQL then holds the same, refuses the same, and deletes the same."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Sequence
from datetime import timedelta
from itertools import product

import msgspec
import pytest

from cdc.ddl import read_ddl
from cdc.event import ABSENT, Change, Key, PlainRow, Record, RowState, Value
from sinks.postgres import tombstones
from tests.integration.postgres.sink_tables import SinkTables, bound, change, keys, position, range_deletion
from tests.model.mirror import PostgresMirror, set_clock
from tests.model.plain import as_plain
from tests.model.stored import stored_states
from tests.unit.ordering.cases import every_state

Make = Callable[[str], SinkTables]
SCHEMA = read_ddl("CREATE TABLE agree.plain (p int, c int, a int, b int, PRIMARY KEY (p, c));")
TABLE = SCHEMA.tables["agree", "plain"]
NO_RECORD = Record("cdc.agree.plain", 0, 0, -1, None, None)


@pytest.fixture
def mirror(module_dsn: str) -> Iterator[PostgresMirror]:
    mirror = PostgresMirror(module_dsn, SCHEMA.tables.values())
    mirror.set_clock(0)
    yield mirror
    mirror.close()


def stored_after(mirror: PostgresMirror, batches: Sequence[Sequence[Change]]) -> dict[Key, RowState]:
    mirror.clear()
    for batch in batches:
        mirror.apply(batch)
    return stored_states(mirror.reader, mirror.layout(TABLE.full_name))


def random_batches(chance: random.Random, rows: int, size: int) -> list[list[Change]]:
    """Return batches of INSERTs and UPDATEs, and as many states of any kind, of some rows."""
    values: list[Value] = [ABSENT, "1", "2"]
    written = [RowState((), ts, [a, b], marker) for ts, a, b in product((1, 2, 3), values, values) for marker in (ts, None)]
    written = [state for state in written if state.marker is not None or state.values != [ABSENT, ABSENT]]
    kinds = (written, every_state())
    return [[_change(chance.choice(chance.choice(kinds)), chance.randrange(rows)) for _ in range(size)] for _ in range(3)]


def _change(state: RowState, number: int) -> Change:
    return Change(TABLE, msgspec.structs.replace(state, key=(str(number % 7), str(number))), NO_RECORD)


@pytest.mark.parametrize("rows", [3_000, 300, 20], ids=["alone", "often together", "hot"])
def test_the_same_is_stored_whichever_rows_come_plain(mirror: PostgresMirror, rows: int) -> None:
    chance = random.Random(rows)
    batches = random_batches(chance, rows, 1_000)
    want = stored_after(mirror, batches)
    for share in (0.5, 1):
        mixed = [[as_plain(change) if chance.random() < share else change for change in batch] for batch in batches]
        assert any(isinstance(change.what, PlainRow) for batch in mixed for change in batch)
        assert stored_after(mirror, mixed) == want


def plain(changes: Sequence[Change]) -> list[Change]:
    """Return the changes, each as a plain row."""
    made = [as_plain(change) for change in changes]
    assert all(isinstance(change.what, PlainRow) for change in made)
    return made


def test_a_bad_row_among_plain_ones_goes_alone(sink_tables: Make) -> None:
    tables = sink_tables("CREATE TABLE plainpoison.t (k int PRIMARY KEY, v int);")
    tables.run("ALTER TABLE plainpoison.t ADD CHECK (v <> 700)")
    layout = tables.layout("t")
    rows = plain([change(layout, (str(i),), 1, {"v": str(i)}, offset=i) for i in range(2_000)])
    outcome = tables.writer().apply(rows, [position("t", 2_000)])
    assert [(letter.record.offset, letter.sqlstate) for letter in tables.letters] == [(700, "23514")]
    assert outcome.poison == [rows[700]]
    assert keys(tables.rows("t")) == {str(i) for i in range(2_000) if i != 700}
    assert tables.offset("t") == 2_000


def test_the_newest_of_a_hot_key_is_kept_with_its_odd_characters(sink_tables: Make) -> None:
    tables = sink_tables("CREATE TABLE plainhot.t (k text PRIMARY KEY, v text, w text);")
    layout = tables.layout("t")
    rows = plain([change(layout, ("a\tb\\N",), ts, {"v": f"{ts}\t\n\r\\N", "w": ""}) for ts in range(50)])
    random.Random(1).shuffle(rows)
    tables.writer().apply(rows)
    assert tables.rows("t") == {("a\tb\\N",): ("49\t\n\r\\N", "")}


def test_a_replayed_plain_row_from_before_a_purge_is_refused(sink_tables: Make) -> None:
    tables = sink_tables("CREATE TABLE plainpurge.t (p int, c int, v text, PRIMARY KEY (p, c)) WITH gc_grace_seconds = 100;")
    layout, writer = tables.layout("t"), tables.writer(clock_at=1_000, min_retention=timedelta(0))
    writer.apply([change(layout, ("1", "1"), 5, marker=False, deletion=5)], [position("t", 10)])
    set_clock(writer, 2_000)
    writer.purge()
    replay, fresh = plain([change(layout, ("1", c), 4, {"v": c}, offset=int(c) + 8, timestamp_ms=999_000) for c in "12"])
    assert writer.apply([replay, fresh], [position("t", 11)]).refused == [replay]
    assert keys(tables.rows("t")) == {"2"}


def test_plain_rows_are_stripped_where_a_deletion_covers_them(sink_tables: Make) -> None:
    tables = sink_tables("CREATE TABLE plainrange.t (p text, c text, d int, v text, PRIMARY KEY (p, c, d));")
    layout, writer = tables.layout("t"), tables.writer()
    writer.apply([range_deletion(layout, ("\t\\",), 10, bound(layout, "b\n"), bound(layout, "c"))])
    writer.apply(plain([change(layout, ("\t\\", c, "1"), 10, {"v": "x"}) for c in ("a", "b\n", "c", "d")]))
    writer.apply(plain([change(layout, (p, "b\n", "1"), 10, {"v": "x"}) for p in ("\t", "\\")]))
    writer.apply(plain([change(layout, ("\t\\", "c", "2"), 11, {"v": "x"})]))
    assert tables.rows("t").keys() == {
        ("\t\\", "a", "1"),
        ("\t\\", "d", "1"),
        ("\t\\", "c", "2"),
        ("\t", "b\n", "1"),
        ("\\", "b\n", "1"),
    }


def test_only_what_a_deletion_covers_is_looked_into(sink_tables: Make) -> None:
    tables = sink_tables("CREATE TABLE plainstrip.t (p int, c int, v text, PRIMARY KEY (p, c));")
    layout = tables.layout("t")
    tables.writer().apply([range_deletion(layout, ("1",), 10, bound(layout, "5"))])
    made = plain([change(layout, key, 9, {"v": "x"}) for key in (("1", "4"), ("1", "5"), ("2", "5"))])
    made += plain([change(layout, ("1", "5"), 11, {"v": "y"})])
    rows = [change.what for change in made if isinstance(change.what, PlainRow)]
    got = list(tombstones.strip_covered_rows(tables.reader.cursor(), layout, rows, 9))
    assert got == [rows[0], rows[2], rows[3]]


def test_a_deletion_finds_its_partition_in_whatever_text(sink_tables: Make) -> None:
    tables = sink_tables("CREATE TABLE plaintext.t (p inet, c int, v text, PRIMARY KEY (p, c));")
    layout, writer = tables.layout("t"), tables.writer()
    writer.apply([range_deletion(layout, ("10.0.0.1",), 10)])
    writer.apply(plain([change(layout, (p, c), 9, {"v": "x"}) for p, c in (("10.0.0.1", "1"), ("10.0.0.1/32", "2"))]))
    assert tables.rows("t") == {}
