"""Records of one topic partition side by side, and what they say, in one piece: an object is made only of what is looked at."""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Iterator, Sequence
from typing import Final

import msgspec

from cdc.event import Change, PlainRow, Record
from cdc.fingerprint import SIZE, split
from cdc.schema import Table

PLACE: Final = 6  # numbers that tell of a record, as `place` of runtime/kafka/messages.c
WITH_MARKER: Final = 2


class RecordRun(msgspec.Struct, frozen=True):
    """Records of one topic partition, in the order of their offsets.

    `places` has for each: offset, time (milliseconds, -1: none), begin and size of key and value in `octets` (size -1: null).
    """

    topic: str
    partition: int
    octets: bytes
    places: array[int]
    fingerprints: bytes

    @classmethod
    def of(cls, topic: str, partition: int, records: Iterable[Record]) -> RecordRun:
        """Return records of one topic partition as a run."""
        places, octets, prints = array("q"), bytearray(), bytearray()
        for record in records:
            prints += record.fingerprint
            places += array("q", (record.offset, record.timestamp_ms))
            for part in (record.key, record.value):
                places += array("q", (len(octets), -1 if part is None else len(part)))
                octets += part or b""
        return cls(topic, partition, bytes(octets), places, bytes(prints))

    def __len__(self) -> int:
        return len(self.fingerprints) // SIZE

    @property
    def next_offset(self) -> int:
        """The offset behind the last record."""
        return self.places[-PLACE] + 1

    @property
    def size(self) -> int:
        """The bytes from the first key to the last value: those of all keys and values, if no record between was left out."""
        return self.places[-2] + max(0, self.places[-1]) - self.places[2] if self.places else 0

    @property
    def timestamps_ms(self) -> array[int]:
        return self.places[1::PLACE]

    def records(self) -> Iterator[Record]:
        """Yield all records."""
        topic, partition, octets = self.topic, self.partition, self.octets
        columns = [self.places[column::PLACE] for column in range(PLACE)]
        prints = split(self.fingerprints)
        for offset, timestamp_ms, key_at, key_size, value_at, value_size, fingerprint in zip(*columns, prints, strict=True):
            key = None if key_size < 0 else octets[key_at : key_at + key_size]
            value = None if value_size < 0 else octets[value_at : value_at + value_size]
            yield Record(topic, partition, offset, timestamp_ms, key, value, fingerprint)

    def part(self, begin: int, end: int) -> RecordRun:
        """Return the records from one place to before another."""
        places, prints = self.places[PLACE * begin : PLACE * end], self.fingerprints[SIZE * begin : SIZE * end]
        return RecordRun(self.topic, self.partition, self.octets, places, prints)

    def some(self, chosen: Sequence[int]) -> RecordRun:
        """Return the records at these places."""
        places = array("q")
        for at in chosen:
            places += self.places[PLACE * at : PLACE * (at + 1)]
        prints = b"".join([self.fingerprints[SIZE * at : SIZE * (at + 1)] for at in chosen])
        return RecordRun(self.topic, self.partition, self.octets, places, prints)


class PlainRun(msgspec.Struct, frozen=True):
    """What the plain events of a run say that write the same columns: of each the fields of a `PlainRow`.

    `forms` has `WITH_MARKER` where the row marker has the write timestamp, and another number where there is none.
    """

    table: Table
    touched: tuple[int, ...]
    records: RecordRun
    keys: list[bytes]
    lines: list[bytes]
    stamps: array[int]
    forms: bytes

    def __len__(self) -> int:
        return len(self.lines)

    def row(self, at: int) -> PlainRow:
        """Return one row."""
        written = self.stamps[at]
        marker = written if self.forms[at] == WITH_MARKER else None
        return PlainRow(self.keys[at], self.lines[at], self.touched, written, marker)

    def rows(self) -> list[PlainRow]:
        """Return all rows."""
        return [*map(self.row, range(len(self)))]

    def changes(self) -> list[Change]:
        """Return all rows with their records."""
        return [Change(self.table, *both) for both in zip(self.rows(), self.records.records(), strict=True)]

    def some(self, chosen: Sequence[int], touched: tuple[int, ...] | None = None) -> PlainRun:
        """Return the rows at these places; `touched` where they write other columns than the first."""
        return PlainRun(
            self.table,
            self.touched if touched is None else touched,
            self.records.some(chosen),
            [self.keys[at] for at in chosen],
            [self.lines[at] for at in chosen],
            array("q", [self.stamps[at] for at in chosen]),
            bytes([self.forms[at] for at in chosen]),
        )
