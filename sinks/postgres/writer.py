"""The writer: one batch after another into PostgreSQL, whatever the server or a row does.

A server that fails is retried behind a circuit breaker; a row that PostgreSQL refuses is found by bisection and becomes a dead
letter alone; a table whose statements are refused (SQLSTATE class 42) is halted, its offsets stay.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Container, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from functools import partial
from typing import TypeVar

import psycopg
import pybreaker
from tenacity import (
    RetryCallState,
    Retrying,
    retry_if_exception_type,
    sleep_using_event,
    stop_when_event_set,
    wait_exponential_jitter,
)

from cdc.errors import OffsetsLost, PoisonRow, PostgresUnavailable, SchemaError
from cdc.event import Change, Position, Rejected
from cdc.policy import Action, action_for_sqlstate
from cdc.runs import PlainRun
from runtime.logs import get_logger
from runtime.metrics import process_metrics
from sinks.postgres import offsets
from sinks.postgres.aligned import align, align_runs, unchanged
from sinks.postgres.circuit import SERVICE, circuit
from sinks.postgres.connection import connect
from sinks.postgres.judged import LayoutChanged, StatementFailed
from sinks.postgres.layout import Layout
from sinks.postgres.prepare import Prepared, prepare
from sinks.postgres.session import Session
from sinks.postgres.sweep import due_tables, purge_step, sweep_step

STAGE = "postgres"
CONFLICTS = ("40P01", "40001")  # deadlock, serialization failure: the transaction is run again at once
MAX_CONFLICTS = 20
JUDGED = [StatementFailed, LayoutChanged, OffsetsLost, SchemaError]  # these say nothing of the server's health

Result = TypeVar("Result")

log = get_logger(STAGE)


@dataclass(frozen=True)
class WriterOptions:
    """How the writer reaches PostgreSQL and how long it waits between attempts (seconds)."""

    dsn: str
    group_id: str
    clock_at: int | None = None
    connect_timeout: float = 10
    retry_initial: float = 0.1
    retry_max: float = 10
    breaker_failures: int = 5
    breaker_open: float = 30
    sweep_rows: int = 5_000
    min_retention: timedelta = timedelta(days=10)
    schema_generation: Callable[[], int] = lambda: 0
    """Grows when Cassandra's schema has changed: the layouts are then read again."""


@dataclass
class Outcome:
    """What became of a batch beside the merged rows."""

    rejected: list[Rejected] = field(default_factory=list)
    poison: list[Change] = field(default_factory=list)
    refused: list[Change] = field(default_factory=list)


class Writer:
    """Writes batches of changes, in order. Not for two threads at once. Writing anything twice is harmless."""

    def __init__(
        self,
        options: WriterOptions,
        read_layouts: Callable[[], Iterable[Layout]],
        confirm_dead_letters: Callable[[list[Rejected]], None],
        gives_up: threading.Event | None = None,
    ) -> None:
        self.halted: dict[str, str] = {}
        """Full table name to SQLSTATE: their changes are dropped until a restart, their offsets stay."""
        self.breaker = circuit(options.breaker_failures, options.breaker_open, JUDGED)
        self._options = options
        self._read_layouts = read_layouts
        self._confirm_dead_letters = confirm_dead_letters
        self._gives_up = gives_up or threading.Event()
        self._session: Session | None = None
        self._committed: dict[tuple[str, int], Position] = {}
        self._halted_topics: set[str] = set()
        self._layouts: dict[str, Layout] | None = None
        self._generation = 0
        self._staged: dict[int, int] = {}  # table id to the version that the connection's staging table is made for

    @property
    def layouts(self) -> Mapping[str, Layout]:
        """The mirrored tables by full name, as PostgreSQL has them now that they are made."""
        return self._make_tables()

    def prepare(self, changes: Iterable[Change], positions: Iterable[Position], plain: Iterable[PlainRun] = ()) -> Prepared:
        """Make a batch ready to be written; may run in another thread than `write`."""
        layouts = self.layouts
        if self._options.schema_generation():  # asked after the layouts, which may be newer than what they were asked for
            plain, others = align_runs(layouts, plain)
            changes = list(align(layouts, [*changes, *others]))
            self._halt_refused(layouts, [(c.table.full_name, c.record.topic) for c in changes])
            self._halt_refused(layouts, [(run.table.full_name, run.records.topic) for run in plain])
        if self.halted:
            changes = [change for change in changes if change.table.full_name not in self.halted]
            plain = [run for run in plain if run.table.full_name not in self.halted]
        return prepare(layouts, changes, positions, plain)

    def write(self, prepared: Prepared) -> Outcome:
        """Write a batch and its positions; return once they are committed.

        Raises `OffsetsLost` when PostgreSQL has gone back, `PostgresUnavailable` when it stays away and the process gives up.
        """
        outcome = Outcome()
        self._write_or_bisect(prepared, outcome)
        return outcome

    def apply(self, changes: Iterable[Change], positions: Iterable[Position] = ()) -> Outcome:
        """Prepare and write in one go."""
        return self.write(self.prepare(changes, positions))

    def committed(self) -> list[Position]:
        """Return the newest position of each topic partition that this writer has committed."""
        return list(self._committed.values())

    def stored_positions(self) -> list[Position]:
        """Return the positions of the consumer group that PostgreSQL holds, after making what is missing there."""
        self._make_tables()
        return self._with_retry(self._read_positions)

    def sweep(self) -> int:
        """Take everything due out of sight, in bounded steps; return the number of rows looked at."""
        found = {name: self._until_done(name, self._sweep_step) for name in self._with_retry(self._due_names)}
        for name, count in found.items():
            if count:
                process_metrics().rows_expired.labels(name).inc(count)
        return sum(found.values())

    def purge(self) -> int:
        """Forget graveyard rows and tombstones that are past their retention; return how many."""
        return sum(self._until_done(name, self._purge_step) for name in list(self.layouts))

    def watch(self, other: Writer) -> None:
        """Look on every new connection whether PostgreSQL still holds what another writer has committed, too."""
        self._committed = other._committed

    def close(self) -> None:
        """Close the connection."""
        self._staged = {}
        if self._session is not None:
            self._session.connection.close()
            self._session = None

    def _make_tables(self) -> Mapping[str, Layout]:
        """Have PostgreSQL brought to the schema, the first time and when that has changed; return the layouts."""
        generation, known = self._options.schema_generation(), self._layouts
        if known is None or generation != self._generation:
            read = self._with_retry(lambda: {layout.table.full_name: layout for layout in self._read_layouts()})
            known = {name: unchanged(layout, (known or {}).get(name)) for name, layout in read.items()}
            self._layouts, self._generation = known, generation
        return known

    def _write_or_bisect(self, prepared: Prepared, outcome: Outcome) -> None:
        reachable = self._reachable(prepared.positions)
        try:
            self._write_whole(Prepared(prepared.tables, reachable), outcome)
        except StatementFailed as failed:
            if self._judge(failed) is Action.DEAD_LETTER:
                self._isolate(prepared.changes, outcome)
                self._confirm_dead_letters(outcome.rejected)
                reachable = self._reachable(reachable)  # a table may have been halted meanwhile
                self._write_whole(Prepared([], reachable), outcome)
            else:
                self._halt(failed, prepared.changes)
                self._write_or_bisect(self.prepare(prepared.changes, prepared.positions), outcome)
        self._committed.update({(p.topic, p.partition): p for p in self._reachable(reachable)})

    def _write_whole(self, prepared: Prepared, outcome: Outcome) -> None:
        try:
            layouts = [table.layout for table in prepared.tables]
            outcome.refused += self._with_retry(lambda: self._session_for(layouts).write(prepared))
        except LayoutChanged:
            self._forget_layouts()
            self._write_whole(self.prepare(prepared.changes, prepared.positions), outcome)

    def _isolate(self, changes: Sequence[Change], outcome: Outcome) -> None:
        """Write the changes in halves until the bad ones stand alone; offsets wait for all of them."""
        if not changes:
            return
        try:
            self._write_whole(self.prepare(changes, ()), outcome)
        except StatementFailed as failed:
            if self._judge(failed) is not Action.DEAD_LETTER:
                self._halt(failed, changes)
                self._isolate(changes, outcome)
            elif len(changes) == 1:
                outcome.poison.append(changes[0])
                outcome.rejected.append(_poison(changes[0], failed.error))
            else:
                middle = len(changes) // 2
                self._isolate(changes[:middle], outcome)
                self._isolate(changes[middle:], outcome)

    def _judge(self, failed: StatementFailed) -> Action:
        return action_for_sqlstate(failed.error.sqlstate)

    def _halt(self, failed: StatementFailed, changes: Iterable[Change]) -> None:
        name = failed.layout.table.full_name
        self.halted[name] = failed.error.sqlstate or ""
        self._halted_topics |= {change.record.topic for change in changes if change.table.full_name == name}
        log.error("table_halted", table=name, sqlstate=failed.error.sqlstate, hint="mend the table, then restart the flow")

    def _halt_refused(self, known: Container[str], origins: Iterable[tuple[str, str]]) -> None:
        """Halt tables that PostgreSQL could not be brought to; whoever iterates over the halted ones meanwhile sees the old.

        `origins` are names of tables and the topics of their changes.
        """
        for name, topic in set(origins):
            if name in known:
                continue
            self._halted_topics.add(topic)
            if name in self.halted:
                continue
            self.halted = {**self.halted, name: ""}
            log.error(
                "table_halted", table=name, hint="compare it with `cassmirror plan`, mend the table, then restart the flow"
            )

    def _reachable(self, positions: Iterable[Position]) -> list[Position]:
        return [position for position in positions if position.topic not in self._halted_topics]

    def _until_done(self, name: str, step: Callable[[Session, Layout], int]) -> int:
        """Repeat a step while it finds as much as it may; a table that refuses it is left alone, others need theirs."""
        total, more = 0, True
        while more and name not in self.halted and (layout := self.layouts.get(name)):
            try:
                done = self._with_retry(partial(self._step, step, layout))
            except LayoutChanged:
                self._forget_layouts()
            except StatementFailed as failed:
                self._halt(failed, ())
            else:
                total += done
                more = done >= self._options.sweep_rows
        return total

    def _step(self, step: Callable[[Session, Layout], int], layout: Layout) -> int:
        return step(self._session_for([layout]), layout)

    def _sweep_step(self, session: Session, layout: Layout) -> int:
        session.make_stage(layout)
        return sweep_step(session.connection, layout, fixed=self._options.clock_at, rows=self._options.sweep_rows)

    def _purge_step(self, session: Session, layout: Layout) -> int:
        retention = max(self._options.min_retention, timedelta(seconds=layout.table.gc_grace_seconds))
        fixed, rows = self._options.clock_at, self._options.sweep_rows
        return purge_step(session.connection, layout, retention=retention, fixed=fixed, rows=rows)

    def _due_names(self) -> list[str]:
        live = [layout for name, layout in self.layouts.items() if name not in self.halted]
        return [layout.table.full_name for layout in due_tables(self._open().connection, live, self._options.clock_at)]

    def _read_positions(self) -> list[Position]:
        return list(offsets.read(self._open().connection, self._options.group_id).values())

    def _forget_layouts(self) -> None:
        """Have them read again, with staging tables to match: those are the connection's."""
        self._layouts = None
        self.close()

    def _with_retry(self, work: Callable[[], Result]) -> Result:
        """Run whole transactions until the server has done its part, or the process gives up."""
        retrying = Retrying(
            retry=retry_if_exception_type(PostgresUnavailable),
            wait=wait_exponential_jitter(multiplier=self._options.retry_initial, max=self._options.retry_max),
            sleep=sleep_using_event(self._gives_up),
            stop=stop_when_event_set(self._gives_up),
            before_sleep=_log_retry,
            reraise=True,
        )
        result: Result = retrying(self._attempt, work)
        return result

    def _attempt(self, work: Callable[[], Result]) -> Result:
        try:
            result: Result = self.breaker.call(self._once, work)
        except pybreaker.CircuitBreakerError as error:
            raise PostgresUnavailable("the circuit to PostgreSQL is open") from error
        return result

    def _once(self, work: Callable[[], Result]) -> Result:
        for _ in range(MAX_CONFLICTS):
            try:
                return work()
            except StatementFailed as failed:
                if failed.error.sqlstate in CONFLICTS:
                    continue
                if self._judge(failed) is not Action.RETRY:
                    raise
                raise self._unavailable(failed.error) from failed
            except psycopg.Error as error:
                if error.sqlstate not in CONFLICTS:
                    raise self._unavailable(error) from error
        raise PostgresUnavailable(f"{MAX_CONFLICTS} deadlocks or serialization failures in a row")

    def _unavailable(self, error: psycopg.Error) -> PostgresUnavailable:
        """Give the connection up: the next attempt starts on a new one. The server's text may quote rows, so it is left out."""
        self.close()
        return PostgresUnavailable(f"PostgreSQL did not do its part: {type(error).__name__}, SQLSTATE {error.sqlstate}")

    def _session_for(self, layouts: Iterable[Layout]) -> Session:
        """Return the session, on a new connection if it has staging tables for other versions of these layouts."""
        versions = {layout.table_id: layout.version for layout in layouts}
        if any(self._staged.get(table_id, version) != version for table_id, version in versions.items()):
            self.close()
        session = self._open()
        self._staged |= versions
        return session

    def _open(self) -> Session:
        """Return the session, on a new connection only after PostgreSQL has shown that it lost nothing."""
        if self._session is not None:
            return self._session
        committed = dict(self._committed)  # as it is before the server is asked: another thread's writer may go on
        connection = connect(self._options.dsn, timeout_seconds=int(self._options.connect_timeout))
        try:
            offsets.require_kept(committed, offsets.read(connection, self._options.group_id))
        except BaseException:
            connection.close()
            raise
        self._session = Session(connection, self._options.group_id, self._options.clock_at)
        return self._session


def _poison(change: Change, error: psycopg.Error) -> Rejected:
    message = f"PostgreSQL refused the row: {error.diag.message_primary or type(error).__name__}"
    return Rejected(STAGE, PoisonRow.__name__, message, change.record, change.table.full_name, error.sqlstate)


def _log_retry(state: RetryCallState) -> None:
    reason = state.outcome.exception() if state.outcome else None
    pause = state.next_action.sleep if state.next_action else 0.0
    process_metrics().retries.labels(SERVICE).inc()
    log.warning("postgres_retry", attempt=state.attempt_number, pause_seconds=round(pause, 2), reason=str(reason))
