"""Copies of events, found where they are read: three replicas write three of each, and the connector adds its own.

Most records are copies, so of these nothing is made but a hash, while their bytes are still in the processor's cache. Like
dedupe it only saves work: what is not known any more goes on, and changes nothing.
"""

from __future__ import annotations

import ctypes
import threading
from collections.abc import Iterable
from typing import Final

from cdc.fingerprint import SIZE
from cdc.native import library

_kernel = library("cdc.native.kernel")
_add, _remove = _kernel.cassmirror_add, _kernel.cassmirror_remove
_add.argtypes = (ctypes.c_void_p, ctypes.c_void_p, ctypes.c_uint64, ctypes.c_char_p, ctypes.c_int32, ctypes.c_void_p)
_add.restype = ctypes.c_int32
_remove.argtypes, _remove.restype = (ctypes.c_void_p, ctypes.c_uint64, ctypes.c_char_p), None

WINDOW: Final = 250_000


class Copies:
    """The fingerprints of what was read last and is not refused, in two generations: when the young one is full, the old goes.

    `entries` are those of both; 0: none is remembered. Threads may share it.
    """

    def __init__(self, entries: int = WINDOW) -> None:
        self._most = entries // 2  # of a generation, whose table is at least half empty
        places = 1 << (2 * self._most).bit_length()
        self._mask = places - 1
        self._young, self._old = ((ctypes.c_char * (SIZE * places))() for _ in range(2))
        self._count = 0
        self._lock = threading.Lock()

    def fresh(self, fingerprints: bytes) -> list[int]:
        """Return the places of the events that are no copies of one before, and remember them."""
        count = len(fingerprints) // SIZE
        if not self._most:
            return list(range(count))
        with self._lock:
            begins = range(0, count, self._most)
            return [
                begin + place for begin in begins for place in self._add(fingerprints, begin, min(self._most, count - begin))
            ]

    def forget(self, fingerprints: Iterable[bytes]) -> None:
        """Let the next copies through: what they are copies of was not applied."""
        with self._lock:
            for fingerprint in fingerprints:
                for generation in (self._young, self._old):
                    _remove(generation, self._mask, fingerprint)

    def _add(self, fingerprints: bytes, begin: int, count: int) -> list[int]:
        if self._count + count > self._most:
            self._young, self._old, self._count = self._old, self._young, 0
            ctypes.memset(self._young, 0, len(self._young))
        places = (ctypes.c_int32 * count)()
        part = fingerprints[SIZE * begin : SIZE * (begin + count)]
        found = _add(self._young, self._old, self._mask, part, count, places)
        self._count += found
        return places[:found]
