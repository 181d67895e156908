"""Decodes records into events, each table with its own typed decoder."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from cdc.envelope import payload_of
from cdc.errors import BadRecord, UnknownColumn, UnknownTable
from cdc.event import Batch, Record, Skip
from cdc.fingerprint import UNKNOWN, Fingerprints
from cdc.key_columns import CodecOf
from cdc.reader import Event, TableReader
from cdc.schema import Schema, Table
from cdc.types.registry import codec_for
from operators.attempt import attempt

STAGE: Final = "deserialize"


class Deserialize:
    """Turns the records of a poll into events; of the copies of one event only the first is decoded and kept.

    `knows` tells by slot and fingerprint what dedupe has let through before, so that later copies cost no more than their hash.
    `refresh` returns the schema anew, or None where there is nobody to ask; it is called at most once a poll, when a record
    shows a table or column that is not known.
    """

    def __init__(
        self,
        schema: Schema,
        topic_prefix: str,
        *,
        codec_of: CodecOf = codec_for,
        knows: Callable[[int, bytes], bool] = lambda _slot, _fingerprint: False,
        refresh: Callable[[], Schema | None] = lambda: None,
    ) -> None:
        self._prefix = topic_prefix
        self._codec_of = codec_of
        self.knows = knows
        self._refresh = refresh
        self._use(schema)

    def __call__(self, batch: Batch[Record]) -> Batch[Event]:
        """Decode one poll. Idempotent."""
        poll = _Poll(self, batch)
        events = attempt(STAGE, poll.event, batch.items, batch.rejected, self._origin)
        return Batch(batch.slot, events, batch.positions, batch.rejected, batch.skipped)

    def topic(self, name: str) -> _Topic:
        """Return how a topic is read. Raises `UnknownTable`, or why its table cannot be mirrored."""
        topic = self._topics.get(name)
        if topic is None:
            topic = self._topics[name] = self._new_topic(name)
        return topic

    def learn(self) -> bool:
        """Ask for the schema anew; return whether there is an answer."""
        schema = self._refresh()
        if schema is not None:
            self._use(schema)
        return schema is not None

    def _use(self, schema: Schema) -> None:
        self._tables = {f"{self._prefix}.{table.full_name}": table for table in schema.tables.values()}
        self._topics: dict[str, _Topic] = {}

    def _new_topic(self, name: str) -> _Topic:
        table = self._tables.get(name)
        if table is None:
            raise UnknownTable(f"no table of the schema belongs to the topic {name}")
        return _Topic(name, table, self._codec_of)

    def _origin(self, record: Record) -> tuple[Record, str]:
        table = self._tables.get(record.topic)
        return record, "" if table is None else table.full_name


class _Topic:
    """One topic: the reader of its table, or the reason why there is none."""

    def __init__(self, name: str, table: Table, codec_of: CodecOf) -> None:
        self.fingerprint = Fingerprints(name)
        self.table = table.full_name
        self.reader: TableReader | None = None
        self.problem: BadRecord | None = None
        try:
            self.reader = TableReader(table, codec_of)
        except BadRecord as problem:
            self.problem = problem


class _Poll:
    """The decoding of one poll: what has been seen in it."""

    def __init__(self, stage: Deserialize, batch: Batch[Record]) -> None:
        self._stage = stage
        self._slot = batch.slot
        self._skipped = batch.skipped
        self._seen: set[bytes] = set()
        self._topic_name = ""
        self._topic: _Topic
        self._may_learn = True

    def event(self, record: Record) -> Event | None:
        """Return the event of a record; None when it is skipped."""
        try:
            return self._decode(record)
        except (UnknownTable, UnknownColumn):
            if not self._may_learn:
                raise
            self._may_learn = False
            self._topic_name = ""
            if not self._stage.learn():
                raise
            return self._decode(record)

    def _decode(self, record: Record) -> Event | None:
        if record.topic != self._topic_name:
            self._topic = self._stage.topic(record.topic)
            self._topic_name = record.topic
        topic = self._topic
        if record.value is None:
            self._skipped[topic.table, Skip.COMPACTION_MARKER] += 1
            return None
        payload = payload_of(record.value)
        print_ = topic.fingerprint(payload)
        if print_ in self._seen or self._stage.knows(self._slot, print_):
            self._skipped[topic.table, Skip.DUPLICATE] += 1
            return None
        reader = topic.reader
        if reader is None:
            raise topic.problem or UnknownTable(record.topic)
        envelope = reader.decode(payload)
        if print_ != UNKNOWN:
            self._seen.add(print_)
        if reader.has_ignored:
            self._skipped.update((topic.table, reason) for reason in reader.ignored_cells(envelope))
        return Event(record, reader, envelope, print_)
