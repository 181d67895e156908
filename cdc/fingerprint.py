"""A hash that the copies of one event share, whichever replica wrote them.

Of the envelope only `ts_ms`, `source.file` and `source.pos` differ between copies. They are left out of the raw JSON, and only
where they stand as the connector writes them: all else goes into the hash, so that two different mutations never share one.
"""

from __future__ import annotations

import ctypes
from collections.abc import Sequence
from typing import Any, Final

import xxhash
from xxhash import _xxhash  # type: ignore[attr-defined]  # the library itself

from cdc.event import UNKNOWN
from cdc.native import library

SIZE: Final = len(UNKNOWN)
_hash = ctypes.CDLL(_xxhash.__file__).XXH3_128bits_withSeed
_fingerprints = library("cdc.native.kernel").cassmirror_fingerprints
_fingerprints.argtypes = (
    ctypes.c_void_p,
    ctypes.c_void_p,
    ctypes.c_int32,
    ctypes.c_uint64,
    ctypes.c_void_p,
    ctypes.c_void_p,
)
_fingerprints.restype = None


class Fingerprints:
    """Makes the fingerprints of one topic's events: `SIZE` bytes each, `UNKNOWN` for an event with another layout."""

    def __init__(self, topic: str) -> None:
        self._seed = xxhash.xxh3_64_intdigest(topic.encode())

    def __call__(self, values: Sequence[bytes | None]) -> bytes:
        """Return those of all values, one behind the other."""
        count = len(values)
        lengths = (ctypes.c_size_t * count)(*[len(value or b"") for value in values])
        return self.at((ctypes.c_char_p * count)(*values), lengths, count)

    def at(self, values: Any, lengths: Any, count: int) -> bytes:
        """Return the same for values at addresses: arrays of `ctypes`, of pointers and sizes, or the addresses of such."""
        prints = (ctypes.c_char * (SIZE * count))()
        _fingerprints(values, lengths, count, self._seed, _hash, prints)
        return prints.raw


def split(fingerprints: bytes) -> list[bytes]:
    """Return fingerprints that stand one behind the other one by one."""
    return [fingerprints[at : at + SIZE] for at in range(0, len(fingerprints), SIZE)]
