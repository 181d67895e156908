"""From statements to changes through the real stages, and the disorder that replicas, replays and shards bring on the way."""

from __future__ import annotations

import random
from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache
from typing import Any

from cdc.batch import Batch
from cdc.ddl import read_ddl
from cdc.event import Change, Key, Record, Rejected
from cdc.recorded_values import expected_text
from cdc.recording import Difference, Rows, differences
from cdc.schema import Schema
from operators.deserialize import Deserialize
from operators.map_types import map_types
from operators.validate import validate
from tests.fixtures.events import changes_in, runs
from tests.model.events import TOPIC_PREFIX, events, records
from tests.model.histories import DDL
from tests.model.plain import perhaps_plain
from tests.model.statements import Statement

KEYSPACE = "model"


class Stages:
    """The pure stages, made once a schema."""

    def __init__(self, schema: Schema, topic_prefix: str = TOPIC_PREFIX) -> None:
        self._deserialize = Deserialize(schema, topic_prefix)

    def __call__(self, poll: Iterable[Record]) -> tuple[list[Change], list[Rejected]]:
        """Return the changes of one poll, some of them as plain rows, and what was refused."""
        batch = map_types(validate(self._deserialize(Batch(0, runs(poll), []))))
        return [perhaps_plain(change) for change in changes_in(batch)], batch.rejected


@lru_cache(maxsize=1)
def model_schema() -> Schema:
    """Return the schema of the model's tables, as the DDL reader reads it."""
    return read_ddl(DDL)


@lru_cache(maxsize=1)
def model_stages() -> Stages:
    return Stages(model_schema())


def changes_of(poll: Iterable[Record]) -> list[Change]:
    """Return the changes of the model's records; none is ever refused."""
    changes, rejected = model_stages()(poll)
    assert rejected == []
    return changes


def disordered(
    history: Iterable[Statement], chance: random.Random, replicas: int = 2, polls: int | None = None
) -> list[list[Record]]:
    """Return the records of a history in any order, some of them several times, cut into polls of any size, or into `polls`."""
    written = events(history)
    sent = [record for replica in range(replicas) for record in records(written, replica=replica, compaction_markers=True)]
    chosen = sent[: len(sent) // replicas] + [record for record in sent if chance.random() < 0.3]
    chance.shuffle(chosen)
    return cut(chosen, chance) if polls is None else [chosen[place::polls] for place in range(polls)]


def cut(sent: Sequence[Record], chance: random.Random) -> list[list[Record]]:
    """Return the records in polls of any size."""
    polls, start = [], 0
    while start < len(sent):
        size = chance.choice((1, 2, 5, 100))
        polls.append(list(sent[start : start + size]))
        start += size
    return polls


def wanted_rows(rows: Mapping[str, Mapping[Key, Mapping[str, Any]]]) -> dict[str, Rows]:
    """Return the model's rows as PostgreSQL would print them."""
    return {name: _printed(name, table) for name, table in rows.items()}


def all_differences(want: Mapping[str, Rows], got: Mapping[str, Rows]) -> list[Difference]:
    """Return where the tables are not equal; a table that one side does not have is empty."""
    found: list[Difference] = []
    for table in model_schema().tables.values():
        found += differences(table, want.get(table.name, {}), got.get(table.name, {}))
    return found


def _printed(name: str, rows: Mapping[Key, Mapping[str, Any]]) -> Rows:
    table = model_schema().tables[KEYSPACE, name]
    return {
        tuple(expected_text(column.type, value) or "" for column, value in zip(table.primary_key, key, strict=True)): [
            expected_text(column.type, row[column.name]) for column in table.regular
        ]
        for key, row in rows.items()
    }
