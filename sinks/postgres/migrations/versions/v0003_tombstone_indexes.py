"""Give each question that is asked of the tombstones one index, and none that serves another question worse."""

from __future__ import annotations

from alembic import op

revision = "0003"
down_revision = "0002"

STATEMENTS = (
    # dropped first: this takes the strongest lock at once, and a weaker one raised to it could meet a writer in a deadlock
    "DROP INDEX cdc.tombstones_not_applied",
    "DROP INDEX cdc.tombstones_by_age",
    "CREATE INDEX tombstones_by_age ON cdc.tombstones (table_id, stored_at) WHERE applied",
    # On an expression: the queries that say it can use no other index, whatever the planner believes. And where a condition
    # stands, even one that is always true, only those that say it too can use this one.
    "CREATE INDEX tombstones_not_applied ON cdc.tombstones ((table_id::bigint), id) WHERE NOT applied",
    "CREATE INDEX tombstones_by_timestamp ON cdc.tombstones ((table_id::bigint), deletion_ts) WHERE id > 0",
)


def upgrade() -> None:
    """Bring the indexes of the second version to this one."""
    for statement in STATEMENTS:
        op.execute(statement)
