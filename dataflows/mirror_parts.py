"""What the mirror is made of, built from the settings: plain arguments, no container."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from bytewax.inputs import FixedPartitionedSource
from bytewax.outputs import FixedPartitionedSink

from cdc.event import Batch, Change
from cdc.schema import Schema, Table
from operators.dedupe import Dedupe
from operators.deserialize import Deserialize
from operators.source import KafkaSource
from operators.source_feed import FeedLimits
from operators.source_topics import TopicFilter, owned_slots
from operators.source_watch import StoredPositions, WatchPlan
from runtime.catalog import is_wanted, load_schema
from runtime.kafka.client import KafkaClient
from runtime.progress import Progress
from runtime.settings import KafkaSettings, Settings
from runtime.status import Status
from runtime.stop import Stop
from sinks.dead_letter import DeadLetterSink, DeadLetterWriter, StoreLetter


@dataclass(frozen=True)
class MirrorParts:
    """The stages that hold something, in the order of the flow."""

    source: FixedPartitionedSource[Any, Any]
    deserialize: Deserialize
    dedupe: Dedupe
    postgres: FixedPartitionedSink[Batch[Change], Any]
    dead_letters: DeadLetterSink


def kafka_client(settings: KafkaSettings, status: Status) -> KafkaClient:
    """Return how to reach Kafka; what its clients complain of goes to the status."""
    properties = {name: value.get_secret_value() for name, value in settings.extra.items()}
    return KafkaClient(settings.bootstrap_servers, properties, lambda reason: status.trouble("kafka", reason))


@dataclass(frozen=True)
class ProcessFacts:
    """What all stages of a process share: how far it is, how well it is, and whether it shall end."""

    progress: Progress
    status: Status
    stop: Stop


def kafka_source(
    settings: Settings, client: KafkaClient, stored_positions: StoredPositions, facts: ProcessFacts
) -> KafkaSource:
    """Return the source of this process's shard."""
    kafka = settings.kafka
    topics = TopicFilter(kafka.topic_prefix, kafka.dead_letter_topic, table_choice(settings.tables))
    return KafkaSource(
        client,
        kafka.group_id,
        plan=WatchPlan(topics, stored_positions, kafka.topic_refresh_seconds, kafka.until_caught_up),
        progress=facts.progress,
        status=facts.status,
        is_stopping=lambda: facts.stop.requested,
        slots=owned_slots(settings.shard.index, settings.shard.count),
        limits=FeedLimits(kafka.poll_max_records, queue_records=kafka.queue_records),
    )


def table_choice(patterns: Iterable[str]) -> Callable[[str, str], bool]:
    """Return which tables' topics are read: of unknown tables too, as their records belong into the dead letters."""
    wanted = tuple(pattern if "." in pattern else f"{pattern}.*" for pattern in patterns)
    return lambda keyspace, name: is_wanted(Table(keyspace, name, ()), wanted)


def dead_letter_writer(
    settings: KafkaSettings, client: KafkaClient, store_letter: StoreLetter, status: Status
) -> DeadLetterWriter:
    """Return the one writer of dead letters, for every stage and sink."""
    return DeadLetterWriter(client, settings.dead_letter_topic, store_letter, status, max_bytes=settings.dead_letter_max_bytes)


def deserializer(settings: Settings, schema: Schema) -> Deserialize:
    """Return the stage that knows the tables. With a CQL file there is nobody to ask for a newer schema."""
    return Deserialize(schema, settings.kafka.topic_prefix)


def open_parts(settings: Settings, stop: Stop) -> MirrorParts:
    """Build every stage. Nothing waits for a server here. Raises `SettingsError` or `SchemaError`."""
    facts = ProcessFacts(Progress(), Status(), stop)
    schema = load_schema(settings)
    raise NotImplementedError(facts, schema)
