"""Two live values of one timestamp: the larger Cassandra bytes win in PostgreSQL, whatever the type, the order, the batch."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import product

import pytest

from cdc.ddl import read_ddl
from cdc.event import ABSENT, Change, Record, RowState, Value
from cdc.recorded_values import comparable, expected_text
from tests.model import kinds
from tests.model.kinds import Kind
from tests.model.mirror import PostgresMirror
from tests.model.plain import perhaps_plain

KINDS = sorted((kind for kind in vars(kinds).values() if isinstance(kind, Kind)), key=lambda kind: kind.cql)
SCHEMA = read_ddl(
    "CREATE TABLE ties.t (k int PRIMARY KEY, " + ", ".join(f"v{n} {kind.cql}" for n, kind in enumerate(KINDS)) + ");"
)
TABLE = SCHEMA.tables["ties", "t"]
PLACES = {column.name: place for place, column in enumerate(TABLE.regular)}
NO_RECORD = Record("cdc.ties.t", 0, 0, -1, None, None)
PAIRS = [(n, first, second) for n, kind in enumerate(KINDS) for first, second in product(kind.pool, repeat=2)]


@pytest.fixture
def mirror(module_dsn: str) -> Iterator[PostgresMirror]:
    mirror = PostgresMirror(module_dsn, SCHEMA.tables.values())
    mirror.clear()
    mirror.set_clock(0)
    yield mirror
    mirror.close()


@pytest.mark.parametrize("expires", [None, 1_000], ids=["plain", "expiring"])
@pytest.mark.parametrize("batches", [1, 2], ids=["in one batch", "in two batches"])
def test_the_larger_bytes_win_for_every_type(mirror: PostgresMirror, expires: int | None, batches: int) -> None:
    firsts = [change(key, number, first, expires) for key, (number, first, _) in enumerate(PAIRS)]
    seconds = [change(key, number, second, expires) for key, (number, _, second) in enumerate(PAIRS)]
    for batch in [firsts + seconds] if batches == 1 else [firsts, seconds]:
        mirror.apply(batch)
    rows = mirror.rows(TABLE.full_name)
    for key, (number, first, second) in enumerate(PAIRS):
        kind = KINDS[number]
        column = TABLE.regular[PLACES[f"v{number}"]]
        want = expected_text(column.type, max(first, second, key=kind.serialize))
        got = rows[str(key),][PLACES[column.name]]
        assert (first, second, comparable(column.type, got)) == (first, second, comparable(column.type, want))


def change(key: int, number: int, value: object, expires: int | None) -> Change:
    """Return an update of one column at timestamp 1."""
    values: list[Value] = [ABSENT] * len(PLACES)
    expiries: list[int | None] = [None] * len(PLACES)
    place = PLACES[f"v{number}"]
    values[place] = expected_text(TABLE.regular[place].type, value)
    expiries[place] = expires
    state = RowState((str(key),), 1, values, expires=expiries if expires is not None else None)
    return perhaps_plain(Change(TABLE, state, NO_RECORD))
