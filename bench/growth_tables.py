"""The tables of `bench.growth`, filled past the mirror: as it would have left them, in a hundredth of the time."""

from __future__ import annotations

from cdc.codec.partition_key import serialize_partition_key
from cdc.ddl import read_ddl
from cdc.schema import Table
from sinks.postgres.layout import Layout
from sinks.postgres.tombstones import partition_hash

PARTITION = 1_000  # rows of each partition of `rows`; the other tables have one partition
DDL = """
CREATE TABLE growth.rows (p int, c int, a text, b int, PRIMARY KEY (p, c));
CREATE TABLE growth.wide (p int, c int, a text, b int, PRIMARY KEY (p, c));
CREATE TABLE growth.times (p int, c timeuuid, a text, b int, PRIMARY KEY (p, c));
CREATE TABLE growth.pairs (p int, c int, d int, a text, b int, PRIMARY KEY (p, c, d));
CREATE TABLE growth.expiring (p int, c int, a text, b int, PRIMARY KEY (p, c));
CREATE TABLE growth.buried (p int, c int, a text, b int, PRIMARY KEY (p, c));
CREATE TABLE growth.ranges (p int, c int, a text, b int, PRIMARY KEY (p, c));
"""
TABLES: dict[str, Table] = {table.name: table for table in read_ddl(DDL).tables.values()}

FUTURE, PAST = 10**11, 1  # seconds since 1970
VALUES = "'customer ' || i, i % 10000"
KEYS = {  # of row i
    "rows": f"i %% greatest({{rows}} / {PARTITION}, 1), i / greatest({{rows}} / {PARTITION}, 1)",
    "wide": "1, i",
    "times": "1, (lpad(to_hex(i), 8, '0') || '-1234-11ee-8000-000000000000')::uuid",
    "pairs": "1, 1, i",
}


def row_key(number: int, rows: int) -> tuple[str, str]:
    """Return the key of a row of `rows`, of that many, and of `buried`: they came in the order of their numbers."""
    partitions = max(1, rows // PARTITION)
    return str(number % partitions), str(number // partitions)


def timeuuid(number: int) -> str:
    """Return the key of a row of `times`."""
    return f"{number:08x}-1234-11ee-8000-000000000000"


def fill(layout: Layout, rows: int) -> str:
    """Return the statement that fills a table with visible rows, written at 1, numbered from 0."""
    keys = KEYS[layout.table.name].format(rows=rows).replace("%%", "%")
    return (
        f"INSERT INTO {layout.relation} ({layout.key_list}, a, b, _cdc_ts, _cdc_marker)"
        f" SELECT {keys}, {VALUES}, 1, 1 FROM generate_series(0, {rows - 1}) AS i"
    )


def fill_expiring(layout: Layout, rows: int, expiry: int, partition: int) -> str:
    """Return the statement that adds rows to one partition, all of which expires at about `expiry`."""
    at = f"{expiry} + i % 3600"
    return (
        f"INSERT INTO {layout.relation} (p, c, a, b, _cdc_ts, _cdc_marker, _cdc_expires, _cdc_sweep_at)"
        f" SELECT {partition}, i, {VALUES}, 1, 1, ARRAY[{at}, {at}, {at}], {at} FROM generate_series(1, {rows}) AS i"
    )


def bury(layout: Layout, rows: int, *, first_partition: int = 0, old: bool = False) -> str:
    """Return the statement that fills a graveyard with row deletions at 1, stored now or long ago."""
    stored = "'2000-01-01'::timestamptz + i * interval '1 ms'" if old else "now()"
    partitions = max(1, rows // PARTITION)
    return (
        f"INSERT INTO {layout.graveyard} (p, c, _cdc_ts, _cdc_cells, stored_at)"
        f" SELECT {first_partition} + i % {partitions}, i / {partitions}, 1, '{{1,NULL,NULL}}', {stored}"
        f" FROM generate_series(0, {rows - 1}) AS i"
    )


def store_ranges(layout: Layout, partition: int, tombstones: int) -> str:
    """Return the statement that stores deletions of one row each, of one partition, applied."""
    key = serialize_partition_key(layout.table, (str(partition),))
    bound = "'\\x01'::bytea || int4send(4) || int4send(i)"  # as `encode_bound` writes it
    return (
        "INSERT INTO cdc.tombstones (table_id, partition_hash, partition_key, partition_bytes, range_start, range_end,"
        " deletion_ts, applied, stored_at)"
        f" SELECT {layout.table_id}, '\\x{partition_hash(key).hex()}', '{{{partition}}}', '\\x{key.hex()}', {bound}, {bound},"
        f" 1, true, now() FROM generate_series(1, {tombstones}) AS i"
    )
