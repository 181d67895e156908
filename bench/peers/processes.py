"""The processes of a peer: started together, ended together, and watched until all is written."""

from __future__ import annotations

import re
import subprocess
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from types import TracebackType

import psycopg
from confluent_kafka import ConsumerGroupTopicPartitions, TopicPartition
from confluent_kafka.admin import AdminClient, OffsetSpec  # type: ignore[attr-defined]

from bench.broker import PARTITIONS
from bench.peers.peer import Job, PeerError
from runtime.embedded.process import tail

PATIENCE_S = 300.0
POLL_S = 0.5
EXCEPTION = re.compile(r"(Caused by: )?[\w.]+(Error|Exception): ")
WRITING = "SELECT count(*) FROM pg_stat_activity WHERE backend_xid IS NOT NULL AND pid <> pg_backend_pid()"
NEXT_TRANSACTION = "SELECT pg_snapshot_xmax(pg_current_snapshot())::text"


class Processes:
    """Some copies of one program with one log, in a directory of their own; a context manager that ends them."""

    def __init__(
        self, argv: Sequence[str], directory: Path, *, copies: int = 1, env: Mapping[str, str] | None = None, fatal: str = ""
    ) -> None:
        """`fatal` are words of a line in the log that tell that it has failed without ending."""
        self.log = directory / "log"
        self._fatal = fatal
        with self.log.open("ab") as out:
            self._all = [subprocess.Popen(argv, cwd=directory, env=env, stdout=out, stderr=out) for _ in range(copies)]

    def __enter__(self) -> Processes:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        for process in self._all:
            process.terminate()
        for process in self._all:
            with suppress(subprocess.TimeoutExpired):
                process.wait(20)
            process.kill()
            process.wait()

    def check(self) -> None:
        """Raise PeerError if one of them has ended or failed."""
        ended = next((process.returncode for process in self._all if process.poll() is not None), None)
        if ended is not None:
            raise PeerError(f"ended with {ended}: {self._last_words()}")
        if self._fatal and self._fatal in self.log.read_text(errors="replace"):
            raise PeerError(f"failed: {self._last_words()}")

    def _last_words(self) -> str:
        """Return the line of the log that says most: the last one that names an exception, else the last one."""
        lines = [line.strip() for line in tail(self.log, 500) if line.strip()]
        errors = [line for line in lines if EXCEPTION.match(line)]
        return (errors or lines or ["it said nothing"])[-1][:160]


def wait_until_written(job: Job, topic: str, group: str, processes: Processes, *, quiet_s: float = 1.0) -> None:
    """Wait until the group has committed the end of the topic and no transaction was begun for `quiet_s`.

    A peer that commits offsets before it has written must be given a longer quiet time. Raises PeerError.
    """
    admin, deadline = AdminClient({"bootstrap.servers": job.bootstrap}), time.monotonic() + PATIENCE_S
    with psycopg.connect(job.dsn, autocommit=True) as connection:
        seen, since = "", time.monotonic()
        while True:
            processes.check()
            now = time.monotonic()
            if now > deadline:
                raise PeerError(f"not at the end after {PATIENCE_S:.0f} s: {_behind(admin, topic, group)} records are left")
            reached = _next_transaction(connection)
            if reached != seen:
                seen, since = reached, now
            elif now - since >= quiet_s and not _behind(admin, topic, group):
                return
            time.sleep(POLL_S)


def _next_transaction(connection: psycopg.Connection) -> str:
    """Return what changes while anybody writes."""
    writing, upcoming = connection.execute(WRITING).fetchone(), connection.execute(NEXT_TRANSACTION).fetchone()
    at_work = writing is None or writing[0] > 0
    return f"{time.monotonic()}" if at_work or upcoming is None else str(upcoming[0])


def _behind(admin: AdminClient, topic: str, group: str) -> int:
    """Return how many records of the topic the group has not committed."""
    partitions = [TopicPartition(topic, n) for n in range(PARTITIONS)]
    latest = OffsetSpec.latest()  # type: ignore[no-untyped-call]
    ends = admin.list_offsets(dict.fromkeys(partitions, latest))
    asked = admin.list_consumer_group_offsets([ConsumerGroupTopicPartitions(group, partitions)])
    committed = {one.partition: max(0, one.offset) for one in asked[group].result().topic_partitions}
    return sum(end.result().offset - committed.get(partition.partition, 0) for partition, end in ends.items())
