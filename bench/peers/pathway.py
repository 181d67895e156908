"""Pathway: rows from Kafka, and a snapshot of them in PostgreSQL."""

from __future__ import annotations

import os
from pathlib import Path

from bench.peers import venv
from bench.peers.flatten import Form
from bench.peers.peer import Job
from bench.peers.processes import Processes, wait_until_written

LOCK = "pathway.lock"
# Its reader commits offsets by itself, whatever has been written; it writes each half second if there is anything.
QUIET_S = 6.0
REFUSED = ":ERROR:"  # it goes on after an event that it cannot read
# It has no decimals, and to make times of text would cost it a step.
COLUMNS = {"key": "order_id", "price": "text", "updated": "text"}


class Pathway:
    """One process with a thread a core."""

    form = Form.CHANGES
    table = "orders"
    columns = COLUMNS

    def __init__(self, *, last: bool) -> None:
        """`last`: it holds all rows that came and finds the last of each key, a delete or not; else it hands each row on."""
        self._which = "last" if last else "each"
        self.name = "Pathway, last row of each key" if last else "Pathway"

    def prepare(self, directory: Path) -> str:
        """Make its environment, which all variants share."""
        self._python = venv.make(directory / "pathway", LOCK)
        return venv.version(LOCK, "pathway")

    def run(self, job: Job) -> None:
        """Run until the end of the topic is reached and nothing more is written."""
        topic = job.topic(self.form)
        argv = [str(self._python), venv.program("pathway_snapshot.py"), job.bootstrap, job.group, topic, job.dsn]
        argv += [self.table, self._which]
        env = os.environ | {"PATHWAY_THREADS": str(job.workers)}
        with Processes(argv, job.directory, env=env, fatal=REFUSED) as processes:
            wait_until_written(job, topic, job.group, processes, quiet_s=QUIET_S)
