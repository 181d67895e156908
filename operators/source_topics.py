"""Which topics are read, and which slot and process each of their partitions belongs to."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import xxhash

SLOTS: Final = 64


def slot_of(topic: str, partition: int) -> int:
    """Return the slot of a topic partition: fixed for good, since recovery stores and sinks are keyed by it."""
    return xxhash.xxh64_intdigest(f"{topic}/{partition}".encode()) % SLOTS


def slot_key(slot: int) -> str:
    """Return the slot as Bytewax keys it: two digits."""
    return f"{slot:02d}"


def owned_slots(shard_index: int, shard_count: int) -> frozenset[int]:
    """Return the slots of one process of `shard_count`."""
    return frozenset(slot for slot in range(SLOTS) if slot % shard_count == shard_index)


@dataclass(frozen=True)
class TopicFilter:
    """Tell our topics from others.

    A topic `<prefix>.<keyspace>.<table>` is read when `includes(keyspace, table)` says so, which it must also say of tables
    that the schema does not know: their records become dead letters, where a user looks for them; unread, nobody would.
    """

    prefix: str
    dead_letter_topic: str
    includes: Callable[[str, str], bool]

    def accepts(self, topic: str) -> bool:
        """Return whether the topic is a source."""
        table = table_of(topic, self.prefix)
        return table is not None and topic != self.dead_letter_topic and self.includes(*table)


def table_of(topic: str, prefix: str) -> tuple[str, str] | None:
    """Return keyspace and table of a topic, None when its name is not of our form."""
    if not topic.startswith(prefix + "."):
        return None
    keyspace, dot, table = topic[len(prefix) + 1 :].partition(".")
    return (keyspace, table) if keyspace and dot and table and "." not in table else None
