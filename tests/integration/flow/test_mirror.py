"""The whole flow as users run it: recorded events through Kafka and a process of its own into PostgreSQL."""

from __future__ import annotations

import random
from collections.abc import Iterable
from itertools import product

import pytest

from tests.fixtures.recordings import recordings
from tests.integration.flow.mirrored import Mirrored
from tests.integration.flow.recorded_topics import write_records
from tests.integration.flow.source_flow import Topics
from tests.integration.flow.stories import is_timeless
from tests.model.recorded import BATCH_SIZES, VARIANTS, replay_of, varied

PROCESSES = (1, 2, 4)
WRITERS = {1: "3", 2: "2", 4: "1"}
"""Connections of each process that merge, by the number of processes."""

ALONE = {"mode_tombstones_on_delete"}
"""Its table is that of another recording."""


TIMELESS = [name for name in recordings() if is_timeless(replay_of(name)) and name not in ALONE]
TIMED = [name for name in recordings() if name not in TIMELESS]
"""Recordings in which something expires: each has its clock."""


def seeded_flows() -> list[tuple[int, int, str]]:
    """Return processes, batch size and recordings of every flow of the quick run: each recording once, in a seeded mode."""
    chance = random.Random(5)
    together: dict[tuple[int, int], list[str]] = {}
    for name in TIMELESS:
        together.setdefault((chance.choice(PROCESSES), chance.choice(BATCH_SIZES)), []).append(name)
    alone = [(chance.choice(PROCESSES), chance.choice(BATCH_SIZES), name) for name in TIMED]
    return [(processes, batch, "+".join(names)) for (processes, batch), names in together.items()] + alone


def write_varied(topics: Topics, names: Iterable[str], variant: str | None, seed: int) -> None:
    """Write recordings, each in a variant; in a random one of its own if none is given."""
    chance = random.Random(seed)
    for name in names:
        chosen = variant or chance.choice(VARIANTS)
        write_records(topics, varied(replay_of(name).records, chosen, seed=chance.randrange(2**32)))


@pytest.mark.parametrize(("processes", "batch", "name"), seeded_flows())
def test_recordings_give_the_rows_that_cassandra_held(shop: Mirrored, processes: int, batch: int, name: str) -> None:
    shop.name = name
    write_varied(shop.topics, name.split("+"), None, seed=len(name))
    shop.run_here(processes, KAFKA__POLL_MAX_RECORDS=str(batch), POSTGRES__WRITERS=WRITERS[processes])
    assert shop.unexplained() == []


@pytest.mark.long
@pytest.mark.timeout(1_800)
@pytest.mark.parametrize("name", ["+".join(TIMELESS), *TIMED])
@pytest.mark.parametrize(("variant", "processes", "batch"), list(product(VARIANTS, PROCESSES, BATCH_SIZES)))
def test_every_mode_gives_the_rows_that_cassandra_held(
    shop: Mirrored, name: str, variant: str, processes: int, batch: int
) -> None:
    shop.name = name
    write_varied(shop.topics, name.split("+"), variant, seed=processes)
    shop.run_here(processes, KAFKA__POLL_MAX_RECORDS=str(batch), POSTGRES__WRITERS=WRITERS[processes])
    assert shop.unexplained() == []
