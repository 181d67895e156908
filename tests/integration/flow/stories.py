"""What a test sends through the flow, and how it judges the tables afterwards."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache

from cdc.ddl import read_ddl
from cdc.event import Record, RowState
from cdc.recording import Difference
from cdc.schema import Table
from tests.fixtures.recordings import load
from tests.model.cassandra import WRITTEN_AT
from tests.model.cassandra import replay as replay_statements
from tests.model.crowd import crowd_history
from tests.model.events import events, records
from tests.model.histories import DDL, TABLES
from tests.model.mirror import Mirror
from tests.model.pipeline import KEYSPACE, all_differences, wanted_rows
from tests.model.recorded import Replay, replay_of

CROWD = "crowd"
CROWD_SEED = 11
CROWD_STATEMENTS = 6_000
REPLICAS = 3


@dataclass(frozen=True)
class Story:
    """Events and the truth: the DDL, the records in their order, the clock (seconds), and what is wrong with a mirror."""

    ddl: str
    records: list[Record]
    now: int
    tables: list[Table]
    unexplained: Callable[[Mirror], list[Difference]]


@cache
def story_of(name: str) -> Story:
    """Return a story: `crowd`, or a recording, or several of them joined by `+`; of DDL, one without events."""
    if name.startswith("CREATE"):
        return Story(name, [], WRITTEN_AT, list(read_ddl(name).tables.values()), lambda _: [])
    return crowd() if name == CROWD else recorded(name.split("+"))


def recorded(names: list[str]) -> Story:
    """Return recordings of different keyspaces as one story, at the latest of their clocks."""
    replays = [replay_of(name) for name in names]
    return Story(
        ddl="\n".join(load(name).cql for name in names),
        records=[record for replay in replays for record in replay.records],
        now=max(replay.now for replay in replays),
        tables=[table for replay in replays for table in replay.schema.tables.values()],
        unexplained=lambda mirror: [difference for replay in replays for difference in replay.unexplained(mirror)],
    )


def is_timeless(replay: Replay) -> bool:
    """Return whether nothing in a recording expires: any later clock shows the same rows."""
    changes, _ = replay.changes(replay.records)
    states = [change.what for change in changes if isinstance(change.what, RowState)]  # plain rows never expire
    return not any(state.marker_expires or any(state.expires or ()) for state in states)


def crowd() -> Story:
    """Return some 23,000 events: thousands of random histories at once, of every replica, in any order."""
    history = crowd_history(CROWD_SEED, CROWD_STATEMENTS)
    written, now = events(history), WRITTEN_AT + 3
    sent = [record for replica in range(REPLICAS) for record in records(written, replica=replica, compaction_markers=True)]
    random.Random(CROWD_SEED).shuffle(sent)
    wanted = wanted_rows(replay_statements(history, now))

    def unexplained(mirror: Mirror) -> list[Difference]:
        return all_differences(wanted, {table.name: mirror.rows(f"{KEYSPACE}.{table.name}") for table in TABLES})

    return Story(DDL, sent, now, list(read_ddl(DDL).tables.values()), unexplained)
