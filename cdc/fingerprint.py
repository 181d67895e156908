"""A hash that the copies of one event share, whichever replica wrote them.

Of the envelope only `ts_ms`, `source.file` and `source.pos` differ between copies. They are cut out of the raw JSON, and only
where everything before `source.keyspace` is laid out as the connector does it: all else goes into the hash, so that two
different mutations never share one.
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
_COMMA = ord(",")
_LONGEST_HEAD = 4_096
_MOST_LAYOUTS = 64
# No brace inside the source before its keyspace: so `file` and `pos` are the source's own, not keys inside a value.
_LAYOUT = re.compile(rb'\{"ts_ms":\d{13},"op":"\w*","source":\{[^{}]*,"file":"[^"\\{}]*","pos":-?\d+')


class Fingerprints:
    """Makes the fingerprints of one topic's events.

    Layouts that were checked once are remembered without their digits, which alone differ from event to event: looking one up
    costs a tenth of checking it.
    """

    def __init__(self, topic: str) -> None:
        self._topic = topic.encode() + b"\0"
        self._layouts: set[bytes] = set()

    def __call__(self, payload: bytes) -> bytes:
        """Return 128 bits of an event's JSON, or `UNKNOWN`."""
        end = payload.find(_KEYSPACE, _OP_AT, _LONGEST_HEAD)
        head = payload[:end]
        layout = head.translate(None, _DIGITS)
        if end < 0 or (layout not in self._layouts and not self._learn(layout, head)):
            return UNKNOWN
        if head[_OP_AT] != _COMMA:
            return UNKNOWN
        return xxh3_128_digest(self._topic + head[_OP_AT : head.rfind(_FILE)] + payload[end:])

    def _learn(self, layout: bytes, head: bytes) -> bool:
        if _LAYOUT.fullmatch(head) is None:
            return False
        if len(self._layouts) >= _MOST_LAYOUTS:
            self._layouts.clear()
        self._layouts.add(layout)
        return True
