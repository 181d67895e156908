"""What the mirror is made of, built from the settings: plain arguments, no container."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

from bytewax.inputs import FixedPartitionedSource
from bytewax.outputs import FixedPartitionedSink

from cdc.batch import Batch
from cdc.errors import TableHalted
from cdc.event import Change, Position, Rejected
from cdc.schema import Table
from cdc.types.registry import codec_for
from operators.copies import Copies
from operators.dedupe import Dedupe
from operators.deserialize import Deserialize
from operators.source import KafkaSource
from operators.source_lane import FeedLimits
from operators.source_topics import TopicFilter, owned_slots, slot_of
from operators.source_watch import StoredPositions as ReadPositions
from operators.source_watch import WatchPlan
from runtime.admin.api import admin_pages
from runtime.catalog import Catalog, is_wanted, open_catalog
from runtime.checkpoints import Checkpoints
from runtime.collector import spare_collector
from runtime.health import Health, Remembered
from runtime.http import pages, serve
from runtime.kafka.client import KafkaClient
from runtime.metrics import metrics_page, process_metrics
from runtime.periodic import Periodic
from runtime.progress import Progress
from runtime.redis_cache import RedisCache
from runtime.settings import KafkaSettings, Settings
from runtime.status import Status
from runtime.stop import Stop
from sinks.dead_letter import DeadLetterSink, DeadLetterWriter, StoreLetter
from sinks.postgres.layout import Layout
from sinks.postgres.letter_store import LetterStore
from sinks.postgres.probe import server_version
from sinks.postgres.sink import PostgresSink, StoredPositions
from sinks.postgres.sweeper import Sweeper
from sinks.postgres.table_layouts import TableLayouts
from sinks.postgres.writer import Writer, WriterOptions

CHECKPOINT_SECONDS = 1.0  # operators look at them; nothing waits for them
PROBE_SECONDS = 2.0  # whoever asks for the health of a process waits no longer for PostgreSQL
ReadLayouts = Callable[[], Iterable[Layout]]


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
    settings: Settings,
    client: KafkaClient,
    stored_positions: ReadPositions,
    facts: ProcessFacts,
    *,
    copies: Copies,
    before_end: Callable[[], None],
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
        copies=copies,
        before_end=before_end,
    )


def _require_none_halted(tables: Iterable[str]) -> None:
    if names := ", ".join(sorted(tables)):
        raise TableHalted(f"caught up, but for halted tables: {names}")


def table_choice(patterns: Iterable[str]) -> Callable[[str, str], bool]:
    """Return which tables' topics are read: of unknown tables too, as their records belong into the dead letters."""
    wanted = tuple(pattern if "." in pattern else f"{pattern}.*" for pattern in patterns)
    return lambda keyspace, name: is_wanted(Table(keyspace, name, ()), wanted)


def dead_letter_writer(
    settings: KafkaSettings, client: KafkaClient, store_letter: StoreLetter, status: Status
) -> DeadLetterWriter:
    """Return the one writer of dead letters, for every stage and sink."""
    return DeadLetterWriter(client, settings.dead_letter_topic, store_letter, status, max_bytes=settings.dead_letter_max_bytes)


def deserializer(settings: Settings, catalog: Catalog, copies: Copies) -> Deserialize:
    """Return the stage that knows the tables. With a CQL file there is nobody to ask for a newer schema."""
    return Deserialize(
        catalog.schema,
        settings.kafka.topic_prefix,
        codec_of=partial(codec_for, nul_policy=settings.types.nul_policy),
        refused=lambda record: copies.forget([record.fingerprint]),
        current=lambda: catalog.schema,
        refresh=catalog.refresh,
    )


def beside_the_flow(settings: Settings, catalog: Catalog, progress: Progress) -> list[Periodic]:
    """Return what goes on beside the flow: looks at the schema, and checkpoints for operators."""
    checkpoints = Checkpoints(RedisCache(settings.redis), progress, str(settings.shard.index))
    work = []
    if settings.cassandra.contact_points:
        work.append(Periodic("schema", settings.schema_.refresh_seconds, catalog.look))
    if settings.redis.url:
        work.append(Periodic("checkpoints", CHECKPOINT_SECONDS, checkpoints.write, at_end=True))
    return work


def postgres_sink(
    settings: Settings,
    options: WriterOptions,
    *,
    read_layouts: ReadLayouts,
    confirm: Callable[[list[Rejected]], None],
    forget: Callable[[Iterable[Change]], None],
    facts: ProcessFacts,
    source: KafkaSource,
) -> PostgresSink:
    """Return the sink with its sweeper. Both give up waiting for the server when the process must end."""
    gives_up = facts.stop.gives_up
    sweeper = Sweeper(
        Writer(options, read_layouts, confirm, gives_up),
        interval_seconds=settings.sweep.interval_seconds,
        purge_interval_seconds=settings.tombstones.purge_interval_seconds,
        on_error=source.fail,
    )
    return PostgresSink(
        options,
        read_layouts,
        confirm,
        forget,
        max_batch_rows=settings.postgres.max_batch_rows,
        writers=settings.postgres.writers,
        progress=facts.progress,
        metrics=process_metrics(),
        sweeper=sweeper,
        worker_id=str(settings.shard.index),
        gives_up=gives_up,
        is_unwinding=lambda: source.has_raised,
        is_draining=lambda: source.is_draining,
    )


def writer_options(settings: Settings) -> WriterOptions:
    """Return how PostgreSQL is written."""
    postgres, at = settings.postgres, settings.clock.at
    return WriterOptions(
        dsn=postgres.dsn.get_secret_value(),
        group_id=settings.kafka.group_id,
        clock_at=None if at is None else int(at.timestamp()),
        connect_timeout=postgres.connect_timeout_seconds,
        retry_initial=postgres.retry_initial_seconds,
        retry_max=postgres.retry_max_seconds,
        breaker_failures=settings.breaker.failures,
        breaker_open=settings.breaker.open_seconds,
        sweep_rows=settings.sweep.max_rows,
        min_retention=settings.tombstones.min_retention,
    )


def serve_pages(settings: Settings, facts: ProcessFacts, sinks: Sequence[PostgresSink]) -> None:
    """Answer for the health of this process from now on, its sinks those that are there when asked."""
    dsn = settings.postgres.dsn.get_secret_value()
    postgres = Remembered(partial(server_version, dsn, timeout_seconds=PROBE_SECONDS))
    health = Health(
        facts.status,
        halted=lambda: [name for sink in sinks for name in sink.halted],
        is_stopping=lambda: facts.stop.requested,
        probes={"postgres": postgres},
    )
    metrics = process_metrics()
    serve(settings.http, pages(health, metrics_page(metrics)) | admin_pages(health, metrics))


def open_parts(settings: Settings, stop: Stop) -> MirrorParts:
    """Build every stage. Only Cassandra is waited for, where nothing else says the schema.

    Raises `SettingsError` or `SchemaError`.
    """
    facts = ProcessFacts(Progress(), Status(), stop)
    sinks: list[PostgresSink] = []
    serve_pages(settings, facts, sinks)  # first of all: what waits here is live
    catalog = open_catalog(settings, facts.status, stop.gives_up)
    catalog.load(patient=True)
    client = kafka_client(settings.kafka, facts.status)
    options = replace(writer_options(settings), schema_generation=lambda: catalog.generation)
    read_layouts = TableLayouts(options.dsn, catalog, create_tables=settings.postgres.create_tables)
    beside = beside_the_flow(settings, catalog, facts.progress)

    def forget(changes: Iterable[Change]) -> None:
        records = [change.record for change in changes]
        dedupe.forget((slot_of(record.topic, record.partition), record.fingerprint) for record in records)
        copies.forget(record.fingerprint for record in records)

    letters = dead_letter_writer(settings.kafka, client, LetterStore(options.dsn), facts.status)
    read_positions = StoredPositions(options, read_layouts, stop.gives_up)

    def stored_positions() -> list[Position]:
        positions = read_positions()
        postgres.start()
        for work in beside:
            work.start()
        return positions

    def before_end() -> None:
        postgres.before_end()
        for work in beside:
            work.finish()
        catalog.close()
        _require_none_halted(postgres.halted if settings.kafka.until_caught_up else ())

    copies = Copies(settings.dedupe.window_entries)
    source = kafka_source(settings, client, stored_positions, facts, copies=copies, before_end=before_end)
    dedupe = Dedupe(source.starts)
    postgres = postgres_sink(
        settings,
        options,
        read_layouts=read_layouts,
        confirm=letters.confirm,
        forget=forget,
        facts=facts,
        source=source,
    )
    sinks.append(postgres)
    spare_collector()
    return MirrorParts(source, deserializer(settings, catalog, copies), dedupe, postgres, DeadLetterSink(letters))
