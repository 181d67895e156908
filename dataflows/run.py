"""`cassmirror run`: the dataflow with a recovery store of its own, until it is caught up or told to stop."""

from __future__ import annotations

import sys
from datetime import timedelta
from pathlib import Path

import click
from bytewax.recovery import RecoveryConfig
from bytewax.run import cli_main

from dataflows.cassandra_to_postgres import cause_of, mirror
from dataflows.mirror_parts import open_parts
from dataflows.processes import end_with_input, run_processes
from operators.source_topics import SLOTS
from runtime.logs import configure_logs
from runtime.recovery_store import recovery_store
from runtime.settings_loading import load_settings
from runtime.stop import Stop


@click.command()
@click.option(
    "--recovery-dir", type=click.Path(path_type=Path, file_okay=False), help="Bytewax's recovery store. Made if missing."
)
@click.option(
    "--snapshot-interval", type=click.FloatRange(min=0), help="Seconds between snapshots: a drained end waits for one."
)
@click.option("--backup-interval", type=click.FloatRange(min=0), help="Seconds that old snapshots are kept.")
@click.option("--workers", type=click.IntRange(min=1), default=1, show_default=True, help="Worker threads.")
@click.option(
    "--processes",
    type=click.IntRange(1, SLOTS),
    default=1,
    show_default=True,
    help="Processes that share the topics, each with its own recovery store: one a core.",
)
@click.option("--ends-with-input", is_flag=True, hidden=True, help="Drain when standard input ends.")
def run(
    recovery_dir: Path | None,
    snapshot_interval: float | None,
    backup_interval: float | None,
    workers: int,
    processes: int,
    *,
    ends_with_input: bool,
) -> None:
    """Mirror until told to stop, or until caught up."""
    settings = load_settings()
    configure_logs(settings.log)
    if processes > 1:
        given = {"--snapshot-interval": snapshot_interval, "--backup-interval": backup_interval, "--workers": workers}
        options = [word for name, value in given.items() if value is not None for word in (name, str(value))]
        sys.exit(run_processes(processes, recovery_dir or settings.recovery.directory, settings, options))
    stop = Stop(settings.stop.grace_seconds)
    stop.end_on_signals()
    if ends_with_input:
        end_with_input(stop.request)
    snapshot = settings.recovery.snapshot_interval_seconds if snapshot_interval is None else snapshot_interval
    backup = settings.recovery.backup_interval_seconds if backup_interval is None else backup_interval
    with recovery_store(recovery_dir or settings.recovery.directory) as directory:
        flow = mirror(open_parts(settings, stop))
        stop.on_signals()
        try:
            cli_main(  # type: ignore[no-untyped-call]
                flow,
                workers_per_process=workers,
                epoch_interval=timedelta(seconds=snapshot),
                recovery_config=RecoveryConfig(directory, timedelta(seconds=backup)),  # type: ignore[no-untyped-call]
            )
        except Exception as error:
            raise cause_of(error) from error
        finally:
            stop.drained()
