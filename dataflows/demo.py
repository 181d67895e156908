"""`cassmirror demo`: the mirror at work beside a real Cassandra, or on recorded events, then compared cell for cell."""

from __future__ import annotations

from pathlib import Path

import click

from dataflows import demo_live, demo_recorded
from dataflows.demo_recordings import SAMPLES


@click.command()
@click.argument("names", nargs=-1)
@click.option("--recorded", is_flag=True, help="Play recorded events, without Cassandra: needs less memory.")
@click.option("--rate", type=click.FloatRange(min=1), default=100.0, show_default=True, help="Statements a second.")
@click.option("--duration", type=click.FloatRange(min=1), default=30.0, show_default=True, help="Seconds of writing.")
@click.option(
    "--samples",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    default=SAMPLES,
    help="Where the recordings are.",
)
@click.option("--seed", type=int, default=1, show_default=True, help="Of the statements, or the order of recorded events.")
@click.option("--show", default="shop.customers", show_default=True, help="The table whose rows are printed side by side.")
@click.option("--rows", type=click.IntRange(min=0), default=4, show_default=True, help="How many of them.")
@click.option("--keep", is_flag=True, envvar="KEEP", help="Leave the servers running until Ctrl+C. Also KEEP=1.")
@click.pass_context
def demo(
    ctx: click.Context,
    *,
    names: tuple[str, ...],
    recorded: bool,
    rate: float,
    duration: float,
    samples: Path,
    seed: int,
    show: str,
    rows: int,
    keep: bool,
) -> None:
    """Write to a Cassandra of its own, mirror it live, and compare every table with PostgreSQL. NAMES: of recordings.

    Exits 0 when nothing differs, else 3; live also when an event became a dead letter or nothing was there to compare.
    """
    if names and not recorded:
        raise click.UsageError("names of recordings need --recorded")
    if recorded:
        outcome = demo_recorded.play(demo_recorded.Wishes(names, samples, seed, show, rows, keep))
    else:
        outcome = demo_live.play(demo_live.Wishes(rate, duration, seed, show, rows, keep))
    ctx.exit(outcome.exit_code)
