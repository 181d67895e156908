"""Quix Streams: flat rows from Kafka through its PostgreSQL sink."""

from __future__ import annotations

from pathlib import Path

from bench.peers import venv
from bench.peers.compare import NATURAL
from bench.peers.flatten import Form
from bench.peers.peer import Job
from bench.peers.processes import Processes, wait_until_written

LOCK = "quix.lock"


class Quix:
    """One process a core, in one consumer group."""

    name = "Quix Streams"
    form = Form.FLAT
    table = "orders"
    columns = NATURAL

    def prepare(self, directory: Path) -> str:
        """Make its environment."""
        self._python = venv.make(directory / "quix", LOCK)
        return venv.version(LOCK, "quixstreams")

    def run(self, job: Job) -> None:
        """Run until the group is at the end of the topic: it commits offsets after rows."""
        topic = job.topic(self.form)
        argv = [str(self._python), venv.program("quix_upsert.py"), job.bootstrap, job.group, topic, job.dsn, self.table]
        with Processes(argv, job.directory, copies=job.workers) as processes:
            wait_until_written(job, topic, job.group, processes)
