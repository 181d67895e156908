"""Where the reading of a topic partition starts: pure, so that every case is one line of a table."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from cdc.event import Position

SlotState = dict[str, tuple[str, int]]
"""What the recovery store keeps of a slot: `topic-partition` to Kafka's topic id and the next offset."""

FROM_BEGINNING: Final = None


@dataclass(frozen=True)
class KnownOffsets:
    """What the three places that remember a topic partition say of it; None where they say nothing."""

    stored: Position | None  # PostgreSQL, written with the rows
    recovered: Position | None  # Bytewax's recovery store
    committed: int | None  # Kafka's consumer group, which knows no topic ids


def start_offset(topic_id: str, known: KnownOffsets) -> int | None:
    """Return the first offset to read, or `FROM_BEGINNING`.

    PostgreSQL's offset is the truth about the rows, but it is as old as the backup it was restored from: only the smaller of it
    and what this side remembers is safe. A recreated topic starts its offsets again.
    """
    if known.stored is None or known.stored.topic_id != topic_id:
        return FROM_BEGINNING
    if known.recovered is not None and known.recovered.topic_id != topic_id:
        return FROM_BEGINNING
    recovered = known.recovered.next_offset if known.recovered else None
    ours = [offset for offset in (recovered, known.committed) if offset is not None]
    return min(known.stored.next_offset, max(ours)) if ours else FROM_BEGINNING


def state_key(topic: str, partition: int) -> str:
    """Return the name of a topic partition within a slot's state."""
    return f"{topic}-{partition}"


def recovered_position(state: SlotState, topic: str, partition: int) -> Position | None:
    """Return what the recovery store says of a topic partition."""
    entry = state.get(state_key(topic, partition))
    return Position(topic, partition, entry[0], entry[1]) if entry else None
