"""How fast rows were committed, read from PostgreSQL afterwards: nobody looks while a peer writes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import psycopg

from bench.mirror import MIDDLE

FEWEST_MOMENTS = 4
COMMITS = "SELECT extract(epoch FROM pg_xact_commit_timestamp(xmin))::float8, count(*) FROM {table} GROUP BY xmin ORDER BY 1"


@dataclass(frozen=True)
class Rate:
    """Rows a second while the middle of them was committed, or, if that took too few commits, from the first to the last."""

    rows_per_second: float
    middle: bool


def keep_commit_times(dsn: str) -> None:
    """Let the server remember when each transaction was committed; it does so after its next start."""
    with psycopg.connect(dsn, autocommit=True) as connection:
        connection.execute("ALTER SYSTEM SET track_commit_timestamp = on")


def read_commits(dsn: str, table: str) -> list[tuple[float, int]]:
    """Return the commits of a table whose rows were each written once: seconds since 1970, and how many rows."""
    with psycopg.connect(dsn) as connection:
        return connection.execute(COMMITS.format(table=table)).fetchall()


def rate_of(commits: Sequence[tuple[float, int]]) -> Rate | None:
    """Return the rate of commits in the order of their times, None if there is only one."""
    total, reached, moments = sum(rows for _, rows in commits), 0, []
    for at, rows in commits:
        reached += rows
        moments.append((at, reached))
    middle = [moment for moment in moments if MIDDLE[0] * total <= moment[1] <= MIDDLE[1] * total]
    timed = middle if len(middle) >= FEWEST_MOMENTS else moments
    if len(timed) < 2 or timed[0][0] == timed[-1][0]:
        return None
    return Rate((timed[-1][1] - timed[0][1]) / (timed[-1][0] - timed[0][0]), timed is middle)
