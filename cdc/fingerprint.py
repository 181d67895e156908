"""A hash that the copies of one event share, whichever replica wrote them.

Of the envelope only `ts_ms`, `source.file` and `source.pos` differ between copies. They are cut out of the raw JSON, and only
if the bytes around them are exactly what the connector writes: everything else goes into the hash, so that two different
mutations never share one.
"""

from __future__ import annotations

from typing import Final

from xxhash import xxh3_128_digest

UNKNOWN: Final = b""
"""Of an event with another layout: it equals nothing, itself included."""

_TS_MS = b'{"ts_ms":'
_OP = b',"op":"'
_FILE = b',"file":"'
_POS = b'","pos":'
_KEYSPACE = b',"keyspace":"'
_LONGEST_NUMBER = 20


def fingerprint(topic: bytes, payload: bytes) -> bytes:
    """Return 128 bits of an event, or `UNKNOWN`."""
    op = payload.find(_OP, len(_TS_MS), len(_TS_MS) + _LONGEST_NUMBER + len(_OP))
    file = payload.find(_FILE, op)
    pos = payload.find(_POS, file)
    keyspace = payload.find(_KEYSPACE, pos)
    if op < 0 or file < 0 or pos < 0 or keyspace < 0 or not payload.startswith(_TS_MS):
        return UNKNOWN
    # neither brace between them: all in one flat object; no quote inside the file's name, nothing but digits in the numbers
    if payload.count(b"{", op, keyspace) != 1 or payload.find(b"}", op, keyspace) >= 0:
        return UNKNOWN
    if payload.find(b'"', file + len(_FILE)) != pos or not payload[len(_TS_MS) : op].isdigit():
        return UNKNOWN
    if not payload[pos + len(_POS) : keyspace].lstrip(b"-").isdigit():
        return UNKNOWN
    return xxh3_128_digest(b"\0".join((topic, payload[op:file], payload[keyspace:])))
