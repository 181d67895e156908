"""Decodes records into events, each table with its own typed decoder."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Final

from cdc.batch import Batch, Reading
from cdc.envelope import payload_of
from cdc.errors import BadRecord, UnknownColumn, UnknownTable
from cdc.event import Record, Skip
from cdc.key_columns import CodecOf
from cdc.reader import Event, TableReader
from cdc.runs import PlainRun, RecordRun
from cdc.schema import Schema, Table
from cdc.types.registry import codec_for
from operators.attempt import refusal
from runtime.metrics import stage_time

STAGE: Final = "deserialize"


class Deserialize:
    """Turns the records of a poll into events.

    `refused` is told of what cannot be read, so that its copies are let through: they may be read by a newer schema.
    `current` returns the newest schema that is at hand, `refresh` the newest there is, or None where there is nobody to ask: it
    is told what a record shows that is not known, each need once a poll, and may block.
    """

    def __init__(
        self,
        schema: Schema,
        topic_prefix: str,
        *,
        codec_of: CodecOf = codec_for,
        refused: Callable[[Record], None] = lambda _record: None,
        current: Callable[[], Schema | None] = lambda: None,
        refresh: Callable[[str], Schema | None] = lambda _need: None,
    ) -> None:
        self.schema = Schema({})
        self._prefix = topic_prefix
        self._codec_of = codec_of
        self.refused = refused
        self._current = current
        self._refresh = refresh
        self._use(schema)

    @stage_time(STAGE)
    def __call__(self, batch: Batch[RecordRun]) -> Reading[Event]:
        """Read the plain events of one poll, and decode the others as they are asked for. Idempotent."""
        self._use(self._current())
        plain: list[PlainRun] = []
        others: list[RecordRun] = []
        for run in batch.items:
            rows, rest = self.topic(run.topic).plain(run)
            plain += rows
            others += [] if rest is None else [rest]
        events = _Poll(self, batch).events(record for run in others for record in run.records())
        return Reading(batch.slot, events, batch.positions, batch.rejected, batch.skipped, plain, batch.polled_at)

    def topic(self, name: str) -> _Topic:
        """Return how a topic is read."""
        tables, topics = self._read
        topic = topics.get(name)
        if topic is None:
            topic = topics[name] = _Topic(name, tables.get(name), self._codec_of)
        return topic

    def learn(self, need: str) -> None:
        """Ask for a newer schema."""
        self._use(self._refresh(need))

    def _use(self, schema: Schema | None) -> None:
        """Read by another schema, if it is another."""
        if schema is None or schema is self.schema:
            return
        tables = {f"{self._prefix}.{table.full_name}": table for table in schema.tables.values()}
        topics: dict[str, _Topic] = {}
        self._read = tables, topics  # in one, as workers share this stage
        self.schema = schema


class _Topic:
    """One topic: the reader of its table, or the reason why there is none."""

    def __init__(self, name: str, table: Table | None, codec_of: CodecOf) -> None:
        self.table = "" if table is None else table.full_name
        self._reader: TableReader | None = None
        self._problem: BadRecord = UnknownTable(f"no table of the schema belongs to the topic {name}")
        if table is not None:
            try:
                self._reader = TableReader(table, codec_of)
            except BadRecord as problem:
                self._problem = problem

    def plain(self, run: RecordRun) -> tuple[list[PlainRun], RecordRun | None]:
        """Return the rows of the plain events, and the other records, if any."""
        return ([], run) if self._reader is None else self._reader.plain(run)

    @property
    def reader(self) -> TableReader:
        """Raises `UnknownTable`, or why the table cannot be mirrored."""
        if self._reader is None:
            raise self._problem.with_traceback(None)  # else it grows with every record
        return self._reader


class _Poll:
    """The decoding of one poll."""

    def __init__(self, stage: Deserialize, batch: Batch[RecordRun]) -> None:
        self._stage = stage
        self._rejected = batch.rejected
        self._skipped = batch.skipped
        self._schema = stage.schema
        self._needs: set[str] = set()

    def events(self, records: Iterable[Record]) -> Iterator[Event]:
        """Yield what the records say: nearly each is read as the one before it, and what cannot be is looked at carefully."""
        event: Event | None
        topic = None
        for record in records:
            try:
                if record.topic is not topic:  # the same object in a run of one partition
                    topic, reader = record.topic, self._stage.topic(record.topic).reader
                event = read = Event(record, reader, reader.parse(record.value))
                if reader.has_ignored:
                    self._count_ignored(read)
            except Exception:  # noqa: BLE001 - whatever it is, it is met again
                topic = None  # the schema may be another one afterwards
                event = self._carefully(record)
            if event is not None:
                yield event

    def _carefully(self, record: Record) -> Event | None:
        """Return the event of a record, None where there is none in it or it is refused."""
        try:
            return self._event(record)
        except Exception as error:  # noqa: BLE001 - a bug costs its own record, not the others
            self._rejected.append(refusal(STAGE, error, record, self._stage.topic(record.topic).table))
            return None

    def _event(self, record: Record) -> Event | None:
        try:
            return self._decode(record)
        except BadRecord as problem:
            if isinstance(problem, UnknownTable | UnknownColumn) and self._has_learnt(f"{record.topic}: {problem.message}"):
                return self._event(record)
            self._stage.refused(record)
            raise

    def _has_learnt(self, need: str) -> bool:
        """Return whether the schema is another than what the poll was read by, after asking for it."""
        if need not in self._needs:
            self._needs.add(need)
            self._stage.learn(need)
        before, self._schema = self._schema, self._stage.schema
        return before is not self._schema

    def _decode(self, record: Record) -> Event | None:
        topic = self._stage.topic(record.topic)
        if record.value is None and topic.table:
            self._skipped[topic.table, Skip.COMPACTION_MARKER] += 1
            return None
        reader = topic.reader
        event = Event(record, reader, reader.decode(payload_of(record.value or b"")))
        self._count_ignored(event)
        return event

    def _count_ignored(self, event: Event) -> None:
        reader = event.reader
        self._skipped.update((reader.full_name, reason) for reason in reader.ignored_cells(event.envelope))
