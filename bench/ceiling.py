"""The ceiling: the same rows, staged by prepared COPY buffers and merged by a plain unguarded upsert.

It knows nothing of timestamps, so it is wrong whenever events come late, twice or as deletes; it is what PostgreSQL can do.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterator, Sequence

import psycopg

from bench.workloads import REGULAR, Workload, Write

BATCH = 5_000
KEY = ("id", "seq")
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
        self._connection = psycopg.connect(dsn, autocommit=True)
        for setting in ("enable_hashjoin", "enable_mergejoin", "jit"):
            self._connection.execute(f"SET {setting} = off")

    @property
    def backend_pid(self) -> int:
        """The process of the connection's backend."""
        return self._connection.info.backend_pid

    def rows_per_second(self, workload: Workload) -> float:
        """Write the workload once, copies and all statements of one key in their order; only the writing is timed."""
        columns = (*KEY, *workload.touched)
        self._create(workload.table)
        insert = self._upsert(workload.table, columns)
        delete = f"DELETE FROM ceiling.{workload.table} AS t USING gone AS g WHERE t.id = g.id AND t.seq = g.seq"
        seconds = 0.0
        for writes in _batches(workload.writes):
            # A plain upsert has one list of columns: what a partial update in the mix leaves alone becomes NULL here.
            buffer = _lines([write for write in writes if write.op != "d"], workload.touched)
            gone = "".join(f"{write.id}\t{write.seq}\n" for write in writes if write.op == "d").encode()
            started = time.perf_counter()
            with self._connection.transaction(), self._connection.cursor() as cursor:
                with cursor.copy(f"COPY stage ({', '.join(columns)}, _cdc_ts) FROM STDIN") as copy:
                    copy.write(buffer)
                cursor.execute(insert)
                if gone:
                    with cursor.copy("COPY gone FROM STDIN") as copy:
                        copy.write(gone)
                    cursor.execute(delete)
            seconds += time.perf_counter() - started
        return len(workload.writes) / seconds

    def _create(self, table: str) -> None:
        columns = ", ".join(f"{name} {kind}" for name, kind in TYPES.items())
        self._connection.execute("CREATE SCHEMA IF NOT EXISTS ceiling")
        self._connection.execute(
            f"CREATE TABLE IF NOT EXISTS ceiling.{table} ({columns}, {METADATA}, PRIMARY KEY (id, seq)) WITH (fillfactor = 80)"
        )
        self._connection.execute(
            f"CREATE INDEX IF NOT EXISTS {table}_sweep ON ceiling.{table} (_cdc_sweep_at) WHERE _cdc_sweep_at IS NOT NULL"
        )
        self._connection.execute("DROP TABLE IF EXISTS pg_temp.stage, pg_temp.gone")
        self._connection.execute(f"CREATE TEMPORARY TABLE stage (LIKE ceiling.{table}) ON COMMIT DELETE ROWS")
        self._connection.execute("CREATE TEMPORARY TABLE gone (id uuid, seq integer) ON COMMIT DELETE ROWS")

    def _upsert(self, table: str, columns: Sequence[str]) -> str:
        names = ", ".join((*columns, "_cdc_ts"))
        sets = ", ".join(f"{column} = excluded.{column}" for column in (*columns[len(KEY) :], "_cdc_ts"))
        return (
            f"INSERT INTO ceiling.{table} ({names}) SELECT {names} FROM stage ORDER BY id, seq"
            f" ON CONFLICT (id, seq) DO UPDATE SET {sets}"
        )


def _batches(writes: Sequence[Write]) -> Iterator[Sequence[Write]]:
    for start in range(0, len(writes), BATCH):
        yield writes[start : start + BATCH]


def _lines(writes: Sequence[Write], touched: Sequence[str]) -> bytes:
    lines = []
    for write in writes:
        values = {column: _text(column, write.values[column]) for column in touched if column in write.values}
        cells = [values.get(column, "\\N") for column in touched]
        lines.append("\t".join([write.id, str(write.seq), *cells, str(write.ts_us)]))
    return ("\n".join(lines) + "\n").encode() if lines else b""


def _text(column: str, json_text: str) -> str:
    value = json.loads(json_text)
    if column == "updated":
        return time.strftime("%Y-%m-%d %H:%M:%S+00", time.gmtime(value / 1000))
    return str(value)


assert set(REGULAR) | set(KEY) == set(TYPES)
