"""Each scenario from CQL to SQL: afterwards PostgreSQL holds what Cassandra returns, timestamps included, and nothing else."""

from __future__ import annotations

from collections.abc import Iterable

import pytest
from cassandra.cluster import Session

from cdc.recording import without_gaps
from tests.end_to_end.live_mirror import LiveMirror
from tests.end_to_end.scenario import Scenario, create_keyspace, load_scenario, scenario_names
from tests.end_to_end.truth import await_expiry, read_table, reading

pytestmark = [pytest.mark.real, pytest.mark.timeout(600)]


@pytest.fixture(scope="session")
def played(mirror: LiveMirror) -> LiveMirror:
    """The mirror after the statements of all scenarios."""
    scenarios = [load_scenario(name) for name in scenario_names()]
    with mirror.live.cassandra.session() as session:
        _define(mirror, session, scenarios)
        for scenario in scenarios:
            session.set_keyspace(scenario.keyspace)
            for statement in scenario.statements:
                session.execute(statement)
    _await_expiry(mirror, scenarios)
    mirror.catch_up()
    return mirror


def _define(mirror: LiveMirror, session: Session, scenarios: Iterable[Scenario]) -> None:
    mirror.live.connector.stop()  # it learns user-defined types at its start only
    for scenario in scenarios:
        session.execute(create_keyspace(scenario.keyspace))
        session.set_keyspace(scenario.keyspace)
        for statement in scenario.ddl:
            session.execute(statement)
    mirror.live.connector.start()


def _await_expiry(mirror: LiveMirror, scenarios: Iterable[Scenario]) -> None:
    with reading(mirror.live.cassandra) as session:
        for scenario in (one for one in scenarios if one.notes.expires_within):
            tables = scenario.tables
            await_expiry(lambda: [read_table(session, table) for table in tables], scenario.notes.expires_within)  # noqa: B023


@pytest.mark.parametrize("name", scenario_names())
def test_postgres_holds_what_cassandra_returns(played: LiveMirror, name: str) -> None:
    scenario = load_scenario(name)
    schema, keyspace, gaps = scenario.schema, scenario.keyspace, scenario.notes.gap
    found = played.differences(scenario.tables, lambda unequal: without_gaps(schema, keyspace, unequal, gaps))
    assert [str(one) for one in without_gaps(schema, keyspace, found, gaps)] == []
    assert [gap for gap in gaps if without_gaps(schema, keyspace, found, [gap]) == found] == []  # each is there


@pytest.mark.parametrize("name", scenario_names())
def test_only_what_postgres_cannot_hold_is_refused(played: LiveMirror, name: str) -> None:
    scenario = load_scenario(name)
    assert played.letters(scenario.keyspace) == scenario.notes.refused
