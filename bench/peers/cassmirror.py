"""cassmirror itself: the flow as `python -m bench` runs it, on the connector's own events."""

from __future__ import annotations

from importlib.metadata import version
from pathlib import Path

from bench.flow_settings import flow_settings
from bench.mirror import drain
from bench.peers.flatten import Form
from bench.peers.peer import Job, PeerError


class Cassmirror:
    """`cassmirror run`, one process a core."""

    name = "cassmirror"
    form = Form.CONNECTOR
    table = "bench.orders"
    columns = None

    def prepare(self, _directory: Path) -> str:
        """Return the version; there is nothing to install."""
        return version("cassmirror")

    def run(self, job: Job) -> None:
        """Drain the topic."""
        settings = flow_settings(job.directory, job.dsn, job.bootstrap, job.workload) | {"CDC_KAFKA__GROUP_ID": job.group}
        try:
            drain(settings, job.directory, job.dsn, job.topic(self.form), job.records, processes=job.workers)
        except RuntimeError as error:
            raise PeerError(str(error)) from error
