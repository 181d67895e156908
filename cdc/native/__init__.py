"""The parts that are written in C: what is done once for each record of a poll. Built with the project, called by ctypes.

The interpreter is not needed for bytes that nobody looks at: with three replicas two of three records are copies, and nearly
all others are rows whose text goes to PostgreSQL as it came. Each function takes a whole poll, and holds no Python object.
Reasons and measurements: docs/decisions/native-code.md.
"""

from __future__ import annotations

import ctypes
from collections.abc import Callable
from importlib.util import find_spec


def library(module: str) -> ctypes.CDLL:
    """Return the shared library that is built as `module`. Raises ImportError where it is not."""
    spec = find_spec(module)
    if spec is None or spec.origin is None:
        raise ImportError(f"{module} is not built: run `make setup`, or install the project anew, with a C compiler at hand")
    return ctypes.CDLL(spec.origin)


def bytes_to_fill(size: int) -> bytes:
    """Return bytes that hold anything yet, for C to write before anyone else sees them: no memory is touched for the rest."""
    return _new_bytes(None, size)


_new_bytes: Callable[[None, int], bytes] = ctypes.PYFUNCTYPE(ctypes.py_object, ctypes.c_char_p, ctypes.c_ssize_t)(
    ("PyBytes_FromStringAndSize", ctypes.pythonapi)
)
