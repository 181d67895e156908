"""What a flow logged, as its process wrote it: JSON lines."""

from __future__ import annotations

from pathlib import Path

import msgspec


class Admitted(msgspec.Struct):
    """Where the reading of a topic partition began (None: the beginning), and what PostgreSQL, the store and the group knew."""

    topic: str
    partition: int
    start: int | None
    stored: int | None
    recovered: int | None
    committed: int | None


class _Line(msgspec.Struct):
    event: str


def admitted(log: Path) -> list[Admitted]:
    """Return the partitions that were admitted, of every start."""
    lines = [line for line in log.read_bytes().splitlines() if line.startswith(b"{")]
    return [msgspec.json.decode(line, type=Admitted) for line in lines if _event(line) == "partition_admitted"]


def _event(line: bytes) -> str:
    return msgspec.json.decode(line, type=_Line).event
