"""Create what the mirror keeps beside the users' tables."""

from __future__ import annotations

from alembic import op

revision = "0001"
down_revision = None

TABLES = (
    """
    CREATE TABLE cdc.tables (
        id integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
        keyspace text NOT NULL,
        name text NOT NULL,
        pg_schema text NOT NULL,
        pg_table text NOT NULL,
        version integer NOT NULL DEFAULT 1,
        gc_grace_seconds integer NOT NULL,
        purged_before timestamptz,
        created_at timestamptz NOT NULL DEFAULT now(),
        UNIQUE (keyspace, name)
    )
    """,
    """
    CREATE TABLE cdc.columns (
        table_id integer NOT NULL REFERENCES cdc.tables,
        slot integer NOT NULL,
        name text NOT NULL,
        pg_name text NOT NULL,
        cql_type text NOT NULL,
        dropped boolean NOT NULL DEFAULT false,
        PRIMARY KEY (table_id, slot)
    )
    """,
    """
    CREATE TABLE cdc.offsets (
        group_id text NOT NULL,
        topic text NOT NULL,
        partition integer NOT NULL,
        topic_id text NOT NULL,
        next_offset bigint NOT NULL,
        updated_at timestamptz NOT NULL DEFAULT now(),
        PRIMARY KEY (group_id, topic, partition)
    )
    """,
    """
    CREATE TABLE cdc.tombstones (
        id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
        table_id integer NOT NULL REFERENCES cdc.tables,
        partition_hash bytea NOT NULL,
        partition_key text[] NOT NULL,
        partition_bytes bytea NOT NULL,
        range_start bytea NOT NULL,
        range_end bytea NOT NULL,
        deletion_ts bigint NOT NULL,
        applied boolean NOT NULL DEFAULT false,
        stored_at timestamptz NOT NULL,
        UNIQUE (table_id, partition_hash, range_start, range_end)
    )
    """,
    "CREATE INDEX tombstones_not_applied ON cdc.tombstones (table_id) WHERE NOT applied",
    "CREATE INDEX tombstones_by_age ON cdc.tombstones (table_id, stored_at)",
    "CREATE TABLE cdc.clock (singleton boolean PRIMARY KEY DEFAULT true CHECK (singleton), at bigint NOT NULL)",
    "INSERT INTO cdc.clock (at) VALUES (0)",
    """
    CREATE TABLE cdc.schema_versions (
        table_id integer NOT NULL REFERENCES cdc.tables,
        version integer NOT NULL,
        definition text NOT NULL,
        applied_ddl text[] NOT NULL,
        applied_at timestamptz NOT NULL DEFAULT now(),
        PRIMARY KEY (table_id, version)
    )
    """,
    """
    CREATE TABLE cdc.dead_letters (
        id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
        topic text NOT NULL,
        partition integer NOT NULL,
        "offset" bigint NOT NULL,
        letter jsonb NOT NULL,
        record_key bytea,
        record_value bytea,
        stored_at timestamptz NOT NULL DEFAULT now(),
        UNIQUE (topic, partition, "offset")
    )
    """,
)


def upgrade() -> None:
    """Create the tables."""
    for statement in TABLES:
        op.execute(statement)
