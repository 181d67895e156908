"""The table of `python -m bench`."""

from __future__ import annotations

import io

from rich.console import Console

from bench import tables
from bench.__main__ import STAGES, Result, table

RESULT = Result(
    workload="inserts of 150 columns",
    processes=2,
    writes=400_000,
    records=400_000,
    bytes_per_event=11_182,
    flow_per_second=124_966,
    ceiling_per_second=133_599,
    ratio=0.94,
    ratios=[0.93, 0.94, 0.95],
    flow_us_per_record=15.5,
    stage_us_per_record={stage: 1.25 + number for number, stage in enumerate(STAGES.values())},
    postgres_us_per_record=14.1,
    kafka_us_per_record=1.2,
    peak_mb=298,
    p50_ms=350,
    p99_ms=1_234,
)
LABELS = ["workload", "procs", "bytes", "flow/s", "ceiling/s", "ratio", "of rounds", "flow\nus", *STAGES]
LABELS += ["PG\nus", "Kafka\nus", "peak\nMB", "p50\nms", "p99\nms"]
FIGURES = ["inserts of 150 columns", "2", "11182", "124,966", "133,599", "0.94", "0.93 0.94 0.95", "15.5"]
FIGURES += ["1.25", "2.25", "3.25", "4.25", "5.25", "6.25", "7.25", "14.1", "1.2", "298", "350", "1234"]


def test_every_column_has_its_figure() -> None:
    assert table([RESULT]) == (LABELS, [FIGURES])


def test_no_figure_is_cut_where_the_output_is_no_terminal() -> None:
    columns, rows = table([RESULT])
    out = io.StringIO()
    Console(file=out, width=tables.WIDTH).print(tables.drawn(columns, rows, dense=True))
    (line,) = [line for line in out.getvalue().splitlines() if FIGURES[0] in line]
    assert [cell.strip() for cell in line.strip("│").split("│")] == FIGURES
