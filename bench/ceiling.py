"""The ceiling: the same rows, staged by prepared COPY buffers and merged by a plain unguarded upsert.

It knows nothing of timestamps, so it is wrong whenever events come late, twice or as deletes; it is what PostgreSQL can do.
"""

from __future__ import annotations

import json
import time
from collections import defaultdict
from collections.abc import Iterator, Sequence

import psycopg

from bench.workloads import KEY, REGULAR, Workload, Write, more_columns

BATCH = 5_000
Columns = tuple[str, ...]
TYPES = {
    "id": "uuid",
    "seq": "integer",
    "count": "integer",
    "name": 'text COLLATE "C"',
    "note": 'text COLLATE "C"',
    "paid": "boolean",
    "parent": "uuid",
    "price": "numeric",
    "ratio": "double precision",
    "total": "bigint",
    "updated": "timestamptz",
}
METADATA = "_cdc_ts bigint, _cdc_marker bigint, _cdc_cells bigint[], _cdc_expires bigint[], _cdc_sweep_at bigint"


class Ceiling:
    """Tables of the same shape as the mirrored ones, written on one connection."""

    def __init__(self, dsn: str) -> None:
        self.dsn = dsn
        self._connection = psycopg.connect(dsn, autocommit=True)
        for setting in ("enable_hashjoin", "enable_mergejoin", "jit"):
            self._connection.execute(f"SET {setting} = off")

    @property
    def backend_pid(self) -> int:
        """The process of the connection's backend."""
        return self._connection.info.backend_pid

    def close(self) -> None:
        """Close the connection."""
        self._connection.close()

    def rows_per_second(self, workload: Workload) -> float:
        """Write the workload, all statements of one key in their order; only writing is timed."""
        self._create(workload.table)
        upserts: dict[Columns, tuple[str, str]] = {}
        delete = f"DELETE FROM ceiling.{workload.table} AS t USING gone AS g WHERE t.id = g.id AND t.seq = g.seq"
        seconds = 0.0
        for writes in _batches(workload.writes):
            buffers = {columns: _lines(of_columns, columns) for columns, of_columns in _by_columns(writes).items()}
            for columns in buffers.keys() - upserts.keys():
                upserts[columns] = self._statements(workload.table, columns, f"stage_{len(upserts)}")
            gone = "".join(f"{write.id}\t{write.seq}\n" for write in writes if write.op == "d").encode()
            started = time.perf_counter()
            self._write([(*upserts[columns], buffer) for columns, buffer in buffers.items()], (delete, gone))
            seconds += time.perf_counter() - started
        return len(workload.writes) / seconds

    def _write(self, upserts: Sequence[tuple[str, str, bytes]], deletion: tuple[str, bytes]) -> None:
        """Write one batch: `upserts` are COPY, upsert and COPY lines, `deletion` a DELETE and the keys that it stages."""
        delete, gone = deletion
        with self._connection.transaction(), self._connection.cursor() as cursor:
            for copy_in, upsert, buffer in upserts:
                with cursor.copy(copy_in) as copy:
                    copy.write(buffer)
                cursor.execute(upsert)
            if gone:
                with cursor.copy("COPY gone FROM STDIN") as copy:
                    copy.write(gone)
                cursor.execute(delete)

    def _create(self, table: str) -> None:
        types = TYPES | dict.fromkeys(more_columns(table), TYPES["note"])
        columns = ", ".join(f"{name} {kind}" for name, kind in types.items())
        self._connection.execute("CREATE SCHEMA IF NOT EXISTS ceiling")
        self._connection.execute(
            f"CREATE TABLE IF NOT EXISTS ceiling.{table} ({columns}, {METADATA}, PRIMARY KEY (id, seq)) WITH (fillfactor = 80)"
        )
        self._connection.execute(
            f"CREATE INDEX IF NOT EXISTS {table}_sweep ON ceiling.{table} (_cdc_sweep_at) WHERE _cdc_sweep_at IS NOT NULL"
        )
        self._connection.execute("CREATE TEMPORARY TABLE IF NOT EXISTS gone (id uuid, seq integer) ON COMMIT DELETE ROWS")

    def _statements(self, table: str, columns: Columns, stage: str) -> tuple[str, str]:
        """Make a staging table for rows of these columns; return its COPY and its upsert."""
        self._connection.execute(f"DROP TABLE IF EXISTS pg_temp.{stage}")
        self._connection.execute(f"CREATE TEMPORARY TABLE {stage} (LIKE ceiling.{table}) ON COMMIT DELETE ROWS")
        names = ", ".join((*KEY, *columns, "_cdc_ts"))
        sets = ", ".join(f"{column} = excluded.{column}" for column in (*columns, "_cdc_ts"))
        upsert = (
            f"INSERT INTO ceiling.{table} ({names}) SELECT {names} FROM {stage} ORDER BY id, seq"
            f" ON CONFLICT (id, seq) DO UPDATE SET {sets}"
        )
        return f"COPY {stage} ({names}) FROM STDIN", upsert


def settle(dsn: str) -> None:
    """Do what PostgreSQL would else do in its background, at the expense of whoever runs then."""
    with psycopg.connect(dsn, autocommit=True) as connection:
        connection.execute("VACUUM (ANALYZE)")
        connection.execute("CHECKPOINT")


def _batches(writes: Sequence[Write]) -> Iterator[Sequence[Write]]:
    for start in range(0, len(writes), BATCH):
        yield writes[start : start + BATCH]


def _by_columns(writes: Sequence[Write]) -> dict[Columns, list[Write]]:
    """Return the writes by the columns that they touch, deletes apart: else an upsert erases what a write leaves alone."""
    by_columns: dict[Columns, list[Write]] = defaultdict(list)
    for write in writes:
        if write.op != "d":
            by_columns[write.columns].append(write)
    return by_columns


def _lines(writes: Sequence[Write], columns: Columns) -> bytes:
    lines = []
    for write in writes:
        values = write.values()
        cells = [_text(column, values[column]) for column in columns]
        lines.append("\t".join([write.id, str(write.seq), *cells, str(write.ts_us)]))
    return ("\n".join(lines) + "\n").encode()


def _text(column: str, json_text: str) -> str:
    value = json.loads(json_text)
    if column == "updated":
        return time.strftime("%Y-%m-%d %H:%M:%S+00", time.gmtime(value / 1000))
    return str(value)


assert set(REGULAR) | set(KEY) == set(TYPES)
