"""What the sink tells of its work, once it is done."""

from __future__ import annotations

import time
from collections.abc import Callable

from cdc.batch import Batch
from runtime.metrics import Metrics, create_metrics, process_metrics
from runtime.progress import Progress
from sinks.postgres.sink import PostgresSink
from sinks.postgres.sweeper import Sweeper
from sinks.postgres.writer import WriterOptions
from tests.integration.postgres.sink_tables import SinkTables, change, position

DDL = "CREATE TABLE {keyspace}.t (a int PRIMARY KEY, c text);"
MakeTables = Callable[[str], SinkTables]


def test_rows_that_expire_are_counted_once(own_tables: MakeTables) -> None:
    tables = own_tables(DDL.format(keyspace="expiring"))
    layout = tables.layout("t")
    rows = [change(layout, (str(key),), 1, {"c": "x"}, expires=100 if key < 3 else None) for key in range(5)]
    tables.writer(clock_at=50).apply(rows)
    for _ in range(2):
        tables.writer(clock_at=200).sweep()
    got = process_metrics().registry.get_sample_value("cdc_rows_expired_total", {"table": "expiring.t"})
    assert got == 3
    assert len(tables.rows("t")) == 2


def sample(metrics: Metrics, name: str, **labels: str) -> float | None:
    return metrics.registry.get_sample_value(name, labels)


def test_a_committed_batch_shows_in_the_metrics_and_in_the_progress(sink_tables: MakeTables) -> None:
    tables = sink_tables(DDL.format(keyspace="counted"))
    layout, metrics, progress = tables.layout("t"), create_metrics(), Progress()
    options = WriterOptions(tables.dsn, tables.group)
    sink = PostgresSink(
        options,
        tables.read_layouts,
        tables.letters.extend,
        lambda _: None,
        max_batch_rows=100,
        progress=progress,
        metrics=metrics,
        sweeper=Sweeper(tables.writer(), interval_seconds=60, purge_interval_seconds=60),
        worker_id="7",
    )
    part = sink.build_part("postgres", "03", None)
    written = [change(layout, (str(key),), 1_000_000 + key, {"c": "x"}) for key in range(4)]
    part.write_batch([Batch(3, written, [position("t", 4)], polled_at=time.monotonic())])
    part.snapshot()
    part.close()
    assert sample(metrics, "cdc_events_processed_total", table="counted.t", worker_id="7") == 4
    assert sample(metrics, "cdc_postgres_batch_size_sum", table="counted.t") == 4
    assert sample(metrics, "cdc_replication_latency_seconds_count", table="counted.t") == 1
    assert sample(metrics, "cdc_processing_seconds_count") == 1
    assert progress.newest_write("counted.t") == 1_000_003
