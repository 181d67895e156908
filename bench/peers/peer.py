"""What a peer is, and what it is asked to do."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from bench.broker import prefix_of, topic_of
from bench.peers.flatten import Form
from bench.workloads import Workload


class PeerError(RuntimeError):
    """A peer could not be installed, ended, or did not come to the end."""


@dataclass(frozen=True)
class Job:
    """One run of a peer: everything in a topic into an empty table, in a database of its own."""

    directory: Path
    bootstrap: str
    dsn: str
    workload: Workload
    records: int
    workers: int

    @property
    def group(self) -> str:
        """A consumer group that has read nothing."""
        return self.directory.name

    def topic(self, form: Form) -> str:
        """Return the topic that holds the workload in a form."""
        return form_topic(self.workload, form)


class Peer(Protocol):
    """A tool that writes the events of a topic into a table of PostgreSQL."""

    @property
    def name(self) -> str:
        """Its name in the table of results."""

    @property
    def form(self) -> Form:
        """What it reads."""

    @property
    def table(self) -> str:
        """Where it writes."""

    @property
    def columns(self) -> Mapping[str, str] | None:
        """The types of columns that a type must be chosen for; None: it makes its table itself."""

    def prepare(self, directory: Path, /) -> str:
        """Install what it needs, and return its version. Raises PeerError, or ServiceFailed for jars."""

    def run(self, job: Job) -> None:
        """Write until all that was in the topic is written, then end. Raises PeerError if it does not come to that."""


def form_topic(workload: Workload, form: Form) -> str:
    """Return the topic that holds a workload in a form."""
    return topic_of(workload) if form is Form.CONNECTOR else f"{prefix_of(workload)}-{form}"
