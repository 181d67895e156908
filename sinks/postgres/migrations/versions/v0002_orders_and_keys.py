"""Remember primary keys, let bounds be of any length, and order what PostgreSQL orders otherwise than Cassandra."""

from __future__ import annotations

from alembic import op

revision = "0002"
down_revision = "0001"

TIME_FIRST = (
    "substring(uuid_send($1) FROM 7 FOR 2) || substring(uuid_send($1) FROM 5 FOR 2) || substring(uuid_send($1) FROM 1 FOR 4)"
)
VERSION = "get_byte(uuid_send($1), 6) >> 4"
LAST_BYTES = "('x' || encode(substring(uuid_send($1) FROM 9 FOR 8), 'hex'))::bit(64)::bigint"
SIGNS = -0x7F7F_7F7F_7F7F_7F80  # 0x8080808080808080 as a signed bigint

STATEMENTS = (
    "ALTER TABLE cdc.tables ADD COLUMN primary_key text",
    # a bound may be longer than an index row
    "ALTER TABLE cdc.tombstones DROP CONSTRAINT tombstones_table_id_partition_hash_range_start_range_end_key",
    "CREATE UNIQUE INDEX tombstones_by_range ON cdc.tombstones"
    " (table_id, partition_hash, sha256(range_start), sha256(range_end))",
    # the same bytes as `cdc.types.identifiers` sorts by
    f"""
    CREATE FUNCTION cdc.timeuuid_order(uuid) RETURNS bytea LANGUAGE sql IMMUTABLE PARALLEL SAFE AS
    $$ SELECT {TIME_FIRST} || int8send({LAST_BYTES} # {SIGNS}::bigint) $$
    """,
    f"""
    CREATE FUNCTION cdc.uuid_order(uuid) RETURNS bytea LANGUAGE sql IMMUTABLE PARALLEL SAFE AS
    $$ SELECT set_byte('\\x00'::bytea, 0, {VERSION})
        || CASE WHEN {VERSION} = 1 THEN {TIME_FIRST} ELSE ''::bytea END || uuid_send($1) $$
    """,
    """
    CREATE FUNCTION cdc.inet_order(inet) RETURNS bytea LANGUAGE sql IMMUTABLE PARALLEL SAFE AS
    $$ SELECT substring(inet_send($1) FROM 5) $$
    """,
)


def upgrade() -> None:
    """Bring the tables of the first version to this one."""
    for statement in STATEMENTS:
        op.execute(statement)
