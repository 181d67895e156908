"""Two sessions on one key, in every order of their steps: nothing is lost, nothing comes back, nobody deadlocks."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import pytest

from cdc.codec.partition_key import serialize_partition_key
from cdc.ddl import read_ddl
from cdc.event import ABSENT, Bound, Change, RangeDeletion, Record, RowState, Value
from cdc.recording import differences
from sinks.postgres.merge import NewRows
from sinks.postgres.session import ORDERED_BATCHES, Session
from sinks.postgres.writer import Writer
from tests.integration.postgres.stepping import Stage, Work, every_schedule, some_schedules
from tests.model.mirror import MemoryMirror, PostgresMirror, set_clock
from tests.model.plain import perhaps_plain

SCHEMA = read_ddl("CREATE TABLE steps.t (p int, c int, a int, b int, PRIMARY KEY (p, c));")
TABLE = SCHEMA.tables["steps", "t"]
NO_RECORD = Record("cdc.steps.t", 0, 0, -1, None, None)
BEGIN, DUE, MUCH_LATER = 1_000, 1_010, 1_000 + 30 * 86_400
SPREAD = 120  # interleavings of a scenario that has more; those with few interruptions, up to 330, are all played

What = RowState | RangeDeletion
Make = Callable[[str], What]
"""What makes a change of a partition."""


class Sweep(NamedTuple):
    """A session that sweeps."""


class Purge(NamedTuple):
    """A session that purges."""


Doing = list[Make] | Sweep | Purge


@dataclass(frozen=True)
class Scenario:
    """What is there, what two sessions then do at `now`, and updates that come last, at times between the others."""

    name: str
    before: list[Make]
    left: Doing
    right: Doing
    now: int = BEGIN
    probes: tuple[int, ...] = (2, 4, 6, 8)
    may_deadlock: bool = False
    after_deadlock: bool = False

    @property
    def keys(self) -> set[str]:
        """The clustering keys that the sessions write."""
        makers = [make for doing in (self.left, self.right) if isinstance(doing, list) for make in doing]
        return {what.key[1] for what in (make("1") for make in makers) if isinstance(what, RowState)}


def row(p: str, ts: int, values: list[Value], c: str = "1", expires: int | None = None, *, is_insert: bool = True) -> RowState:
    expiries = None if expires is None else [None if value is ABSENT else expires for value in values]
    marker_expires = expires if is_insert else None
    return RowState((p, c), ts, values, marker=ts if is_insert else None, expires=expiries, marker_expires=marker_expires)


def insert(ts: int, a: str = "1", c: str = "1", expires: int | None = None) -> Make:
    return lambda p: row(p, ts, [a, str(ts)], c, expires)


def update(ts: int, a: str | None = "7", c: str = "1") -> Make:
    return lambda p: row(p, ts, [a, ABSENT], c, is_insert=False)


def update_b(ts: int, c: str = "1") -> Make:
    return lambda p: row(p, ts, [ABSENT, str(ts)], c, is_insert=False)


def delete(ts: int, c: str = "1") -> Make:
    return lambda p: RowState((p, c), ts, [ABSENT, ABSENT], deletion=ts)


def delete_range(ts: int, high: int = 5) -> Make:
    end = Bound((high.to_bytes(4, "big"),))
    return lambda p: RangeDeletion((p,), serialize_partition_key(TABLE, (p,)), Bound(), end, ts)


def delete_partition(ts: int) -> Make:
    return lambda p: RangeDeletion((p,), serialize_partition_key(TABLE, (p,)), Bound(), Bound(), ts)


LIVE: list[Make] = [insert(1)]
BURIED: list[Make] = [insert(1), delete(5)]
EXPIRING: list[Make] = [insert(3, expires=DUE)]
SCENARIOS = [
    Scenario("an insert and a newer delete", [], [insert(3)], [delete(5)]),
    Scenario("an insert and an older delete", [], [insert(7)], [delete(5)]),
    Scenario("two inserts of one time", [], [insert(5, "1")], [insert(5, "2")]),
    Scenario("a value and a null of one time", LIVE, [update(5)], [update(5, None)]),
    Scenario("an update and a newer delete", LIVE, [update(4)], [delete(5)]),
    Scenario("an update and an older delete", LIVE, [update(7)], [delete(5)]),
    Scenario("two deletes", LIVE, [delete(3)], [delete(5)]),
    Scenario("an older and a newer insert on a buried row", BURIED, [insert(3)], [insert(7)]),
    Scenario("an older insert and a newer update on a buried row", BURIED, [insert(3)], [update(7)]),
    Scenario("a newer delete and an insert between on a buried row", BURIED, [delete(9)], [insert(7)]),
    Scenario("an older delete and a newer delete on a buried row", BURIED, [delete(7)], [delete(9)]),
    Scenario("a newer delete and an older insert on a buried row", BURIED, [delete(9)], [insert(3)]),
    Scenario("the same delete twice", LIVE, [delete(5)], [delete(5)]),
    Scenario("a delete of nothing and an older update", [], [delete(5)], [update(4)]),
    Scenario("a delete between two columns and a newer update", [insert(1), update(6)], [delete(5)], [update_b(7)]),
    Scenario("a delete that another takes in, and a delete again", LIVE, [delete(5), insert(6)], [delete(7)]),
    Scenario(
        "two deletes and two inserts of two keys, the other way round",
        [insert(1, c="1"), insert(1, c="2")],
        [delete(3, c="1"), insert(3, c="2")],
        [insert(4, c="1"), delete(4, c="2")],
        may_deadlock=True,
    ),
    Scenario(
        "two keys, one there and one not, deleted and written",
        [insert(1, c="1")],
        [delete(3, c="1"), delete(3, c="2")],
        [update(4, c="1"), update(2, c="2")],
    ),
    Scenario("a lone tombstone and an older insert", [], [update(5, None)], [insert(3)]),
    Scenario("an older insert and a range deletion", [], [insert(3)], [delete_range(5)]),
    Scenario("a newer insert and a range deletion", [], [insert(7)], [delete_range(5)]),
    Scenario("a newer update and a range deletion on a row", LIVE, [update(7)], [delete_range(5)]),
    Scenario("a row deletion and an older range deletion", LIVE, [delete(7)], [delete_range(5)]),
    Scenario("a range deletion and an insert on a buried row", BURIED, [insert(7)], [delete_range(9)]),
    Scenario("two range deletions", LIVE, [delete_range(5)], [delete_range(7, 3)]),
    Scenario("the same range deletion twice", LIVE, [delete_range(5), insert(6)], [delete_range(5), insert(4)]),
    Scenario("a partition deletion and an insert", LIVE, [delete_partition(5), insert(8)], [insert(3)]),
    Scenario("a sweep and a newer update", EXPIRING, Sweep(), [update_b(7)], DUE),
    Scenario("a sweep and an older update", EXPIRING, Sweep(), [update_b(2)], DUE),
    Scenario("a sweep and a longer life of one time", EXPIRING, Sweep(), [insert(3, expires=DUE + 99)], DUE),
    Scenario("a sweep and a delete", EXPIRING, Sweep(), [delete(9)], DUE),
    Scenario("a sweep and an older delete", EXPIRING, Sweep(), [delete(2)], DUE),
    Scenario("a sweep and a range deletion", EXPIRING, Sweep(), [delete_range(9)], DUE),
    Scenario("two sweeps", EXPIRING, Sweep(), Sweep(), DUE),
    Scenario("a purge and a newer insert on a buried row", BURIED, Purge(), [insert(7)], MUCH_LATER, (6, 8)),
    Scenario("a purge and a newer delete on a buried row", BURIED, Purge(), [delete(9)], MUCH_LATER),
    Scenario("a purge and a newer range deletion", [delete_range(5)], Purge(), [delete_range(7)], MUCH_LATER),
    Scenario("a purge and a sweep", [*EXPIRING, delete(2)], Purge(), Sweep(), MUCH_LATER, (4, 6)),
    Scenario(
        "two new keys in two groups each, the other way round",
        [],
        [insert(3, c="1"), update(3, None, c="2")],
        [update(4, None, c="1"), insert(4, c="2")],
        # groups insert absent keys one after the other; PostgreSQL breaks the cycle and the writer runs the batch again
        may_deadlock=True,
    ),
    Scenario(
        "two keys that are there, in two groups each",
        [insert(1, c="1"), insert(1, c="2")],
        [insert(3, c="1"), update(3, None, c="2")],
        [update(4, None, c="1"), insert(4, c="2")],
        may_deadlock=True,  # once: see the next
    ),
    Scenario(
        "two keys that are there, in two groups each, after a deadlock",
        [insert(1, c="1"), insert(1, c="2")],
        [insert(3, c="1"), update(3, None, c="2")],
        [update(4, None, c="1"), insert(4, c="2")],
        after_deadlock=True,
    ),
    Scenario(
        "a range deletion of many rows and an update of them",
        [insert(1, c=str(c)) for c in (1, 2, 3, 4)],
        [delete_range(3)],
        [update(5, c=str(c)) for c in (1, 2, 3, 4)],
    ),
]


class Theatre:
    """The table, two sessions, and partitions that nobody used before."""

    def __init__(self, dsn: str) -> None:
        self._mirror = PostgresMirror(dsn, SCHEMA.tables.values(), group="first")
        self._writers = (self._mirror.new_writer(), self._mirror.new_writer())
        self._mirror.set_clock(BEGIN)
        self.stage = Stage(self._writers, self._mirror.reader)
        self._partitions = itertools.count(1)

    def play(self, scenario: Scenario, choose: Callable[[list[int]], int]) -> None:
        """Play one interleaving on a partition of its own; afterwards the rows are those of the in-memory tables."""
        partition, memory = str(next(self._partitions)), MemoryMirror()
        self._begin_anew(after_deadlock=scenario.after_deadlock)
        self._mirror.clear()
        for mirror in (self._mirror, memory):
            mirror.set_clock(BEGIN)
            mirror.apply(_changes(scenario.before, partition))
            mirror.set_clock(scenario.now)
        for writer in self._writers:
            set_clock(writer, scenario.now)
        self.stage.play((_work(scenario.left, partition), _work(scenario.right, partition)), choose)
        for doing in (scenario.left, scenario.right):
            memory.apply(_changes(doing, partition) if isinstance(doing, list) else [])
        self._compare(memory, "at once")
        for ts in scenario.probes:
            for mirror in (self._mirror, memory):
                mirror.apply(_changes([update_b(ts)], partition))
            self._compare(memory, f"after an update at {ts}")

    def _begin_anew(self, *, after_deadlock: bool) -> None:
        """Let the sessions forget what they learned of their batches, but a deadlock."""
        for writer in self._writers:
            writer._session = session = Session(writer._open().connection, "first", BEGIN)
            session._ordered = ORDERED_BATCHES if after_deadlock else 0

    def _compare(self, memory: MemoryMirror, moment: str) -> None:
        want, got = memory.rows(TABLE.full_name), self._mirror.rows(TABLE.full_name)
        assert (moment, list(differences(TABLE, want, got))) == (moment, [])

    @property
    def deadlocks(self) -> int:
        return sum(actor.deadlocks for actor in self.stage.actors)

    def close(self) -> None:
        for writer in self._writers:
            writer.close()
        self._mirror.close()


@pytest.fixture(scope="module")
def stages(module_dsn: str) -> Iterator[Theatre]:
    theatre = Theatre(module_dsn)
    yield theatre
    theatre.close()


@pytest.fixture(params=[False, True], ids=["looking for rows", "expecting new rows"])
def theatre(stages: Theatre, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Theatre:
    """The theatre, each group merged by one of the two ways: an update and an upsert of the rest, or an upsert of all."""
    monkeypatch.setattr(NewRows, "expected", lambda *_: request.param)
    return stages


def test_on_one_key_no_scenario_may_deadlock() -> None:
    assert [scenario.name for scenario in SCENARIOS if scenario.may_deadlock and len(scenario.keys) < 2] == []


@pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda scenario: scenario.name)
def test_a_sample_of_interleavings_loses_nothing(theatre: Theatre, scenario: Scenario) -> None:
    known = theatre.deadlocks
    some_schedules(lambda choose: theatre.play(scenario, choose), seed=len(scenario.name), number=6)
    assert scenario.may_deadlock or theatre.deadlocks == known


@pytest.mark.long
@pytest.mark.timeout(3_600)
@pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda scenario: scenario.name)
def test_every_interleaving_loses_nothing(theatre: Theatre, scenario: Scenario) -> None:
    known = theatre.deadlocks
    assert every_schedule(lambda choose: theatre.play(scenario, choose), limit=SPREAD) > 1
    assert scenario.may_deadlock or theatre.deadlocks == known


def _work(doing: Doing, partition: str) -> Work:
    if isinstance(doing, Sweep):
        return lambda writer: writer.sweep()
    if isinstance(doing, Purge):
        return lambda writer: writer.purge()
    changes = _changes(doing, partition)

    def apply(writer: Writer) -> None:
        outcome = writer.apply(changes)
        assert (outcome.rejected, writer.halted) == ([], {})

    return apply


def _changes(makers: Sequence[Make], partition: str) -> list[Change]:
    return [perhaps_plain(Change(TABLE, make(partition), NO_RECORD)) for make in makers]
