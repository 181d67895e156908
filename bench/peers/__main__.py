"""The same events through the tools that teams use for this, and through cassmirror: `python -m bench.peers`.

Two workloads: inserts tell how fast a peer is, as a ratio to the ceiling of the same run; a history of every kind of write,
with late ones and three copies of each, tells what is wrong in the end. What a peer cannot read is flattened for it before it
starts. A peer that cannot be installed or fails stands in the table with the reason.
"""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Sequence
from pathlib import Path

import click
import psutil  # type: ignore[import-untyped]

from bench.peers.cassmirror import Cassmirror
from bench.peers.debezium_jdbc import DEFAULTS, TOUCHED, TUNED, DebeziumJdbc
from bench.peers.ground import Ground
from bench.peers.history import expected_rows, history
from bench.peers.pathway import Pathway
from bench.peers.peer import Peer
from bench.peers.plain_script import PlainScript
from bench.peers.quix import Quix
from bench.peers.results import Report
from bench.workloads import workloads
from runtime.embedded.stack import EmbeddedServices

HISTORY_WRITES = 30_000
PEERS: tuple[Peer, ...] = (
    Cassmirror(),
    DebeziumJdbc(DEFAULTS),
    DebeziumJdbc(TUNED),
    DebeziumJdbc(TOUCHED),
    Pathway(last=False),
    Pathway(last=True),
    Quix(),
    PlainScript(),
)


@click.command()
@click.option("--rows", type=click.IntRange(min=10_000), default=300_000, show_default=True, help="Inserts for the rate.")
@click.option("--only", multiple=True, metavar="PEER", help="Peers to run, by a part of their names.")
@click.option("--output", type=click.Path(path_type=Path, dir_okay=False), help="Write the results as JSON.")
@click.option("--markdown", is_flag=True, help="Print the table as Markdown.")
@click.option("--keep", is_flag=True, help="Leave logs, settings and environments where they are.")
def main(*, rows: int, only: tuple[str, ...], output: Path | None, markdown: bool, keep: bool) -> None:
    """Print one table: how fast each peer is, and what is wrong after it."""
    chosen = [peer for peer in PEERS if not only or any(part.lower() in peer.name.lower() for part in only)]
    if not chosen:
        raise click.UsageError(f"no such peer; there are: {'; '.join(peer.name for peer in PEERS)}")
    directory = Path(tempfile.mkdtemp(prefix="cassmirror-bench-"))
    try:
        report = measure(directory, chosen, rows)
    finally:
        if keep:
            click.echo(f"kept: {directory}", err=True)
        else:
            shutil.rmtree(directory, ignore_errors=True)
    if markdown:
        click.echo(report.markdown())
    else:
        report.show()
    if output:
        report.write(output)


def measure(directory: Path, peers: Sequence[Peer], rows: int) -> Report:
    """Run every peer in both workloads on the same embedded servers."""
    inserts, changes = workloads(rows)[0], history(HISTORY_WRITES)
    expected, workers = expected_rows(changes.writes), psutil.cpu_count() or 1
    with EmbeddedServices(directory / "services", ("postgres", "kafka")) as services:
        ground = Ground(directory, services, workers)
        results = [ground.install(peer) for peer in peers]
        ready = [(peer, result) for peer, result in zip(peers, results, strict=True) if not result.failures]
        for workload in (inserts, changes):
            ground.fill(workload, {peer.form for peer, _ in ready})
        before = ground.ceiling(inserts, "before")
        for peer, result in ready:
            ground.time(peer, result, inserts)
            ground.check(peer, result, changes, expected)
        ceiling = (before + ground.ceiling(inserts, "after")) / 2
    return Report(rows, ground.records[changes.name], len(expected), workers, ceiling, results)


if __name__ == "__main__":
    main()
