"""Where the flow's processor time goes, as a flame graph: `python -m bench.flame`.

The flow drains a topic that was filled beforehand under py-spy, which looks at its stacks a hundred times a second, the C below
the Python included.
"""

from __future__ import annotations

import shutil
import sys
import tempfile
from pathlib import Path

import click
from rich.console import Console

from bench.broker import create_topics, fill, topic_of
from bench.flow_settings import flow_settings
from bench.mirror import run_flow
from bench.workloads import workloads
from runtime.embedded.stack import EmbeddedServices


@click.command()
@click.option("--rows", type=click.IntRange(min=100_000), default=500_000, show_default=True, help="Writes of the workload.")
@click.option("--workload", "name", default="inserts", show_default=True, help="One of the bench's, by name.")
@click.option("--output", type=click.Path(path_type=Path, dir_okay=False), default=Path("flame.svg"), show_default=True)
def main(rows: int, name: str, output: Path) -> None:
    """Write the graph as SVG: the width of a frame is the processor time of a function and of what it calls."""
    workload = next((one for one in workloads(rows) if one.name == name), None)
    if workload is None:
        raise click.BadParameter("is none of the bench's workloads", param_hint="--workload")
    directory = Path(tempfile.mkdtemp(prefix="cassmirror-bench-"))
    spy = [
        str(Path(sys.executable).with_name("py-spy")),
        "record",
        "--native",
        "--subprocesses",
        "--rate",
        "100",
        "--format",
        "flamegraph",
    ]
    try:
        with EmbeddedServices(directory / "services", ("postgres", "kafka")) as services:
            dsn, bootstrap = services.postgres.dsn, services.kafka.bootstrap_servers
            create_topics(bootstrap, [topic_of(workload)])
            records, _ = fill(bootstrap, workload)
            settings = flow_settings(directory, dsn, bootstrap, workload)
            under = [*spy, "--output", str(output), "--"]
            run_flow(settings, directory, dsn, topic_of(workload), records, under=under)
    finally:
        shutil.rmtree(directory, ignore_errors=True)
    Console().print(f"{output} has the flame graph of {records:,} records")


if __name__ == "__main__":
    main()
