"""A hash that the copies of one event share, whichever replica wrote them.

Of the envelope only `ts_ms`, `source.file` and `source.pos` differ between copies. They are cut out of the raw JSON, and only
where they stand as the connector writes them: all else goes into the hash, so that two different mutations never share one.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from itertools import repeat
from operator import add, itemgetter
from typing import Final

from xxhash import xxh3_64_intdigest, xxh3_128_digest

UNKNOWN: Final = b""
"""Of an event with another layout: it equals nothing, itself included."""

_TS_MS = b'{"ts_ms":'
_OP_AT = len(_TS_MS) + 13  # milliseconds have 13 digits until the year 2286
_OP_SIZE = len(b',"op":"i","source":{')
_CLOSING = ord("}")
_KEYSPACE = b',"keyspace":"'
_POS_DIGITS = 19  # of a 64-bit number
_POS_SIZE = _POS_DIGITS + len(_KEYSPACE)
_MOST_LEARNED = 256
_ANY = 0
_TIME = range(len(_TS_MS), _OP_AT)
_BEGIN = _TS_MS + bytes(len(_TIME)) + b',"op":"\0","source":{'
_FIXED = [(place, bytes((octet,))) for place, octet in enumerate(_BEGIN) if octet != _ANY]
_OP_LETTER_AT = _BEGIN.rindex(_ANY)
_LAYOUT = re.compile(
    rb'\{"ts_ms":\d{13}(?P<op>,"op":"\w","source":\{)[^{}]{0,4096}?(?P<file>,"file":"[^"\\{}]*","pos":-?)\d{1,19},"keyspace":"'
)


class Fingerprints:
    """Makes the fingerprints of one topic's events.

    How events begin, where the place of the mutation in its log stands, and in which files, is checked once and then looked
    up: it is the same for thousands of events. No brace closes before the place, so it is the source's own and not part of
    a value.
    """

    def __init__(self, topic: str) -> None:
        self._seed = xxh3_64_intdigest(topic.encode())
        self._operations: set[bytes] = set()
        self._files: set[bytes] = set()
        self._file_at = self._pos_at = 0

    def __call__(self, payload: bytes) -> bytes:
        """Return 128 bits of an event's JSON, or `UNKNOWN`."""
        at, pos_at = self._file_at, self._pos_at
        head = payload[_OP_AT:at]
        pos, found, _ = payload[pos_at : pos_at + _POS_SIZE].partition(_KEYSPACE)
        if (
            found
            and pos.isdigit()
            and payload[at:pos_at] in self._files
            and head[:_OP_SIZE] in self._operations
            and payload[: len(_TS_MS)] == _TS_MS
            and payload[len(_TS_MS) : _OP_AT].isdigit()
            and _CLOSING not in head
        ):
            return xxh3_128_digest(head + payload[pos_at + len(pos) + len(_KEYSPACE) :], self._seed)
        return self._learn(payload)

    def of_all(self, payloads: Sequence[bytes]) -> list[bytes]:
        """Return the same for each of many events: for less where all have the layout learnt last (`bench/decode.py`)."""
        return self._of_alike(payloads) or list(map(self, payloads))

    def _of_alike(self, payloads: Sequence[bytes]) -> list[bytes] | None:
        """Check and hash all at once, or return None: what a call checks of one event is checked here of all in one go.

        What stands before the keyspace is brought to one length, so that a slice with a step is one column of all events.
        """
        at, pos_at, count = self._file_at, self._pos_at, len(payloads)
        fronts, found, tails = (
            zip(*map(bytes.partition, payloads, repeat(_KEYSPACE)), strict=True) if payloads else ((), (), ())
        )
        sizes = set(map(len, fronts))
        size = max(sizes, default=0)
        if not (pos_at < min(sizes, default=0) and size <= pos_at + _POS_DIGITS and all(found)):
            return None
        text = b"".join(fronts if len(sizes) == 1 else map(bytes.ljust, fronts, repeat(size), repeat(b"0")))
        if (
            _CLOSING not in text
            and all(text[place::size] == octet * count for place, octet in _FIXED)
            and b"".join(text[place::size] for place in (*_TIME, *range(pos_at, size))).isdigit()
            and text[_OP_LETTER_AT::size].isalnum()
            and set(map(itemgetter(slice(at, pos_at)), fronts)) <= self._files
        ):
            heads = map(itemgetter(slice(_OP_AT, at)), fronts)
            return list(map(xxh3_128_digest, map(add, heads, tails), repeat(self._seed)))
        return None

    def _learn(self, payload: bytes) -> bytes:
        layout = _LAYOUT.match(payload)
        if layout is None:
            return UNKNOWN
        for learned, part in ((self._operations, layout["op"]), (self._files, layout["file"])):
            if len(learned) >= _MOST_LEARNED:
                learned.clear()
            learned.add(part)
        self._file_at, self._pos_at = layout.span("file")
        return self(payload)
