"""The script that most teams write first: a consumer, a JSON parser, and INSERT ... ON CONFLICT by psycopg."""

from __future__ import annotations

import sys
from importlib.metadata import version
from pathlib import Path

from bench.peers.compare import NATURAL
from bench.peers.flatten import Form
from bench.peers.peer import Job
from bench.peers.processes import Processes, wait_until_written
from bench.peers.venv import program


class PlainScript:
    """One process a core, in one consumer group."""

    name = "psycopg"
    form = Form.CONNECTOR
    table = "orders"
    columns = NATURAL

    def prepare(self, _directory: Path) -> str:
        """Return the version; there is nothing to install."""
        return version("psycopg")

    def run(self, job: Job) -> None:
        """Run until the group is at the end of the topic: it commits offsets after rows."""
        topic = job.topic(self.form)
        argv = [sys.executable, program("plain_script.py"), job.bootstrap, job.group, topic, job.dsn, self.table]
        with Processes(argv, job.directory, copies=job.workers) as processes:
            wait_until_written(job, topic, job.group, processes)
