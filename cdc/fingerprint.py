"""A hash that the copies of one event share, whichever replica wrote them.

Of the envelope only `ts_ms`, `source.file` and `source.pos` differ between copies. They are cut out of the raw JSON, and only
where they stand as the connector writes them: all else goes into the hash, so that two different mutations never share one.
"""

from __future__ import annotations

import re
from typing import Final

from xxhash import xxh3_128_digest

UNKNOWN: Final = b""
"""Of an event with another layout: it equals nothing, itself included."""

_FILE = b',"file":"'
_KEYSPACE = b',"keyspace":"'
_DIGITS = b"0123456789"
_OP_AT = len(b'{"ts_ms":1795437087284')  # milliseconds have 13 digits until the year 2286
_SOURCE_AT = _OP_AT + len(b',"op":"i","source":{')
_CLOSING = ord("}")
_LONGEST_HEAD = 4_096
_MOST_LEARNED = 64
_START = re.compile(rb'\{"ts_ms":\d{13},"op":"\w","source":\{')
_PLACE = re.compile(rb'[^"\\{}]*","pos":-?\d+')


class Fingerprints:
    """Makes the fingerprints of one topic's events.

    An event's start and the place of the mutation in its log are checked once for each form that they take without their
    digits, which alone differ from event to event. No brace closes between them, so the place is the source's own and not
    part of a value.
    """

    def __init__(self, topic: str) -> None:
        self._topic = topic.encode() + b"\0"
        self._learned: set[bytes] = set()

    def __call__(self, payload: bytes) -> bytes:
        """Return 128 bits of an event's JSON, or `UNKNOWN`."""
        head, _, rest = payload.partition(_FILE)
        place, found, tail = rest.partition(_KEYSPACE)
        learned = self._learned
        if not found or len(head) > _LONGEST_HEAD or _CLOSING in head:
            return UNKNOWN
        start = head[:_SOURCE_AT]
        if start.translate(None, _DIGITS) not in learned and not self._learn(_START, start):
            return UNKNOWN
        if place.translate(None, _DIGITS) not in learned and not self._learn(_PLACE, place):
            return UNKNOWN
        return xxh3_128_digest(self._topic + head[_OP_AT:] + tail)

    def _learn(self, form: re.Pattern[bytes], piece: bytes) -> bool:
        if form.fullmatch(piece) is None:
            return False
        if len(self._learned) >= _MOST_LEARNED:
            self._learned.clear()
        self._learned.add(piece.translate(None, _DIGITS))
        return True
