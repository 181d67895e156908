"""All settings as one tree; `docs/settings.md` is made from the descriptions here.

The environment (`CDC_*`, `__` between levels) wins over the TOML file that `CDC_CONFIG` names; an empty value means unset.
"""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import (
    AfterValidator,
    AwareDatetime,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    SecretStr,
    field_validator,
)
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict

from cdc.ddl import read_ddl
from cdc.errors import SchemaError
from cdc.types.base import NulPolicy
from runtime.secrets import mask_address, mask_options
from runtime.settings_parsing import (
    as_duration,
    as_instant,
    as_names,
    as_options,
    expects_address,
    expects_authorities,
    expects_hosts,
)

PREFIX = "CDC_"
SLOTS = 64  # fixed: Bytewax fixes the partitions of a source at its start

Names = Annotated[tuple[str, ...], BeforeValidator(as_names)]
Duration = Annotated[timedelta, BeforeValidator(as_duration)]
CaFile = Annotated[Path, AfterValidator(expects_authorities)]
Address = Annotated[SecretStr, BeforeValidator(expects_address)]


class _Section(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)


class KafkaSettings(_Section):
    """Where the change events come from, and where dead letters go."""

    bootstrap_servers: str = Field(description="`host:port`, comma separated. No default: nothing to guess.")
    topic_prefix: str = Field(default="cassandra", description="First part of the topics `<prefix>.<keyspace>.<table>`.")
    group_id: str = Field(
        default="cass-cdc-pg-workers", description="Consumer group whose offsets show the lag to ordinary tools."
    )
    dead_letter_topic: str = Field(default="cassandra.cdc.dlq", description="Topic of the dead letters; made if it is missing.")
    dead_letter_max_bytes: int = Field(
        default=16_777_216,
        ge=65_536,
        description="`max.message.bytes` of that topic when it is made: base64 adds a third to a 10 MB event.",
    )
    until_caught_up: bool = Field(
        default=False, description="Drain and exit 0 once every partition known at the start has reached the end it then had."
    )
    poll_max_records: int = Field(
        default=5_000,
        ge=1,
        le=1_000_000,
        description="Records of one poll, which is one item: the merge gains little beyond it.",
    )
    queue_records: int = Field(
        default=5_000,
        ge=1,
        description="Records read ahead for one slot before its partitions pause: a poll, to bound memory.",
    )
    topic_refresh_seconds: float = Field(
        default=5, gt=0, description="How often topics are listed again: new tables appear within it."
    )
    extra: Annotated[dict[str, SecretStr], BeforeValidator(as_options)] = Field(
        default_factory=dict, description="Further librdkafka options (TLS, SASL) as a JSON object or TOML table."
    )

    def properties(self) -> dict[str, str]:
        """Return the extra options with secrets in the clear: for clients, never for logs."""
        return {name: value.get_secret_value() for name, value in self.extra.items()}


class PostgresSettings(_Section):
    """The database that is kept equal."""

    dsn: Address = Field(description="`postgresql://...` or `host=... dbname=...`. No default: nothing to guess.")
    create_tables: bool = Field(default=True, description="Make missing schemas and tables; off where others own the DDL.")
    max_batch_rows: int = Field(
        default=5_000,
        ge=1,
        description="Rows of one transaction, about: larger ones gain little, hold their locks longer and take memory.",
    )
    writers: int = Field(
        default=1,
        ge=1,
        le=SLOTS,
        description="Connections that merge at once, each for its share of the topic partitions: more where one server process"
        " is what a flow waits for. Each holds up to three transactions of rows in memory.",
    )
    connect_timeout_seconds: float = Field(default=10, gt=0, description="Longest wait for a connection before it is retried.")
    retry_initial_seconds: float = Field(default=0.1, gt=0, description="First pause before a retry; it doubles from there.")
    retry_max_seconds: float = Field(
        default=10, gt=0, description="Longest pause between retries: how late a recovery is noticed."
    )


class RedisSettings(_Section):
    """An optional cache of schemas, and checkpoints for people to look at. With it away the flow goes on."""

    url: Address | None = Field(default=None, description="`redis://...`. Unset: none.")
    timeout_seconds: float = Field(
        default=1, gt=0, description="Longest wait for an answer: a cache must not be slower than its source."
    )


class CassandraSettings(_Section):
    """The cluster that is mirrored: asked for its schema. Optional where a CQL file says it."""

    contact_points: Annotated[Names, AfterValidator(expects_hosts)] = Field(
        default=(), description="`host[:port]`, comma separated; the port is 9042. Unset: the CQL file is all that is known."
    )
    username: str | None = Field(default=None, description="Who logs in; may read `system` and `system_schema`. Unset: nobody.")
    password: SecretStr | None = Field(default=None, description="The password of that user.")
    tls: bool = Field(default=False, description="Encrypt, and refuse a node whose certificate is not for its address.")
    tls_ca_file: CaFile | None = Field(default=None, description="PEM file of who signs those; sets TLS. Unset: the system's.")
    local_datacenter: str | None = Field(
        default=None, description="Datacenter whose nodes are asked. Unset: that of the first contact point."
    )
    timeout_seconds: float = Field(
        default=10, gt=0, description="Longest wait for a connection or an answer before it is tried again."
    )
    retry_max_seconds: float = Field(
        default=5, gt=0, description="Longest pause between tries: the flow waits where a table or column is not known."
    )


class SchemaSettings(_Section):
    """What the mirror knows of the Cassandra tables."""

    file: Path | None = Field(
        default=None,
        description="CQL DDL: the output of `DESCRIBE`, or the scripts that made the tables. Used when no Cassandra answers.",
    )
    refresh_seconds: float = Field(
        default=60,
        gt=0,
        description="How often Cassandra is asked for changes that no event shows, and how long Redis keeps what it said.",
    )

    @field_validator("file")
    @classmethod
    def _must_be_readable(cls, file: Path | None) -> Path | None:
        """Report problems of the file together with those of the settings."""
        if file is None:
            return None
        try:
            read_ddl(file.read_text(encoding="utf-8"))
        except (OSError, UnicodeDecodeError, SchemaError) as error:
            raise ValueError(f"{file}: {error}") from error
        return file


class TypeSettings(_Section):
    """What to do with values that PostgreSQL cannot have."""

    nul_policy: NulPolicy = Field(
        default=NulPolicy.DEAD_LETTER,
        description="U+0000 in a text value: `dead_letter`, `strip` or `replace`. Never alter unasked.",
    )


class ShardSettings(_Section):
    """Which share of the topics this process reads."""

    index: int = Field(default=0, ge=0, description="This process, counted from 0.")
    count: int = Field(
        default=1, ge=1, le=SLOTS, validate_default=True, description="Processes in all, at most 64: that many slots there are."
    )

    @field_validator("count")
    @classmethod
    def _must_hold_index(cls, count: int, info: Any) -> int:
        if info.data.get("index", 0) >= count:
            raise ValueError(f"shard.index {info.data['index']} is not below shard.count {count}")
        return count


class HttpSettings(_Section):
    """Where health and metrics are served."""

    port: int = Field(
        default=8000,
        ge=0,
        le=65_535,
        description="Port of the page `/`, `/api`, `/health` and `/metrics`, 0: off. One that is taken costs only these pages.",
    )
    host: str = Field(default="127.0.0.1", description="Address it listens on: loopback, for it asks for no password.")


class BreakerSettings(_Section):
    """When a server that fails is left alone for a while."""

    failures: int = Field(
        default=5, ge=1, description="Failures in a row that open the circuit: a restart of the server costs fewer."
    )
    open_seconds: float = Field(default=30, gt=0, description="How long it stays open before one call tries again.")


class DedupeSettings(_Section):
    """The window in which copies of an event are dropped early. Correctness never rests on it."""

    window_entries: int = Field(
        default=250_000, ge=0, description="Fingerprints remembered: some 8 MB, seconds of replica lag at full speed. 0: off."
    )


class SweepSettings(_Section):
    """Removal of what has expired."""

    interval_seconds: float = Field(
        default=1, gt=0, description="Time between sweeps: what expires is gone within two seconds."
    )
    max_rows: int = Field(default=5_000, ge=1, description="Rows of one step: its row locks stay short.")


class TombstoneSettings(_Section):
    """How long deletions are remembered."""

    min_retention: Duration = Field(
        default=timedelta(days=10),
        description="Least time a deletion is kept after it was stored; must cover the topics' retention.",
    )
    purge_interval_seconds: float = Field(default=600, gt=0, description="Time between purges: nothing waits for them.")


class StopSettings(_Section):
    """What happens on SIGTERM and SIGINT."""

    grace_seconds: float = Field(
        default=20, ge=0, description="Longest wait to drain with a server away: below Kubernetes' 30."
    )


class RecoverySettings(_Section):
    """Bytewax's recovery store, for `cassmirror run`."""

    directory: Path = Field(default=Path(".cassmirror/recovery"), description="Made when missing; one process at a time.")
    snapshot_interval_seconds: float = Field(default=1, ge=0, description="Epoch length: what a restart may read again.")
    backup_interval_seconds: float = Field(
        default=0, ge=0, description="How long old snapshots are kept: PostgreSQL holds the offsets."
    )


class ClockSettings(_Section):
    """The clock that expiries are judged by."""

    at: Annotated[AwareDatetime, BeforeValidator(as_instant)] | None = Field(
        default=None,
        description="ISO instant, UTC unless it says otherwise, at which it stands still: for recordings. Unset: PostgreSQL's.",
    )


class LogSettings(_Section):
    """What is logged; never the values of rows."""

    level: Literal["debug", "info", "warning", "error"] = Field(default="info", description="Least level written.")
    format: Literal["auto", "json", "console"] = Field(
        default="auto", description="`auto`: lines for people on a terminal, else JSON."
    )


class Settings(BaseSettings):
    """Everything that can be set."""

    model_config = SettingsConfigDict(
        frozen=True,
        extra="forbid",
        hide_input_in_errors=True,
        env_nested_delimiter="__",
        env_ignore_empty=True,
        enable_decoding=False,
        validate_by_name=True,
        validate_by_alias=True,
    )

    kafka: KafkaSettings
    postgres: PostgresSettings
    redis: RedisSettings = Field(default_factory=RedisSettings)
    cassandra: CassandraSettings = Field(default_factory=CassandraSettings)
    schema_: SchemaSettings = Field(alias="schema", default_factory=SchemaSettings)
    tables: Names = Field(
        default=(), description="Patterns such as `shop.*`, comma separated. Unset: all in the schema but system keyspaces."
    )
    types: TypeSettings = Field(default_factory=TypeSettings)
    shard: ShardSettings = Field(default_factory=ShardSettings)
    http: HttpSettings = Field(default_factory=HttpSettings)
    breaker: BreakerSettings = Field(default_factory=BreakerSettings)
    dedupe: DedupeSettings = Field(default_factory=DedupeSettings)
    sweep: SweepSettings = Field(default_factory=SweepSettings)
    tombstones: TombstoneSettings = Field(default_factory=TombstoneSettings)
    stop: StopSettings = Field(default_factory=StopSettings)
    recovery: RecoverySettings = Field(default_factory=RecoverySettings)
    clock: ClockSettings = Field(default_factory=ClockSettings)
    log: LogSettings = Field(default_factory=LogSettings)

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],  # noqa: ARG003 - pydantic passes it
        init_settings: PydanticBaseSettingsSource,
        *_: Any,
        **__: Any,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Take only what is passed: `load_settings` reads the environment, a test passes its own."""
        return (init_settings,)

    def masked(self) -> dict[str, Any]:
        """Return the whole tree as plain values, secrets masked."""
        tree: dict[str, Any] = self.model_dump(mode="json", by_alias=True)
        tree["postgres"]["dsn"] = mask_address(self.postgres.dsn.get_secret_value())
        tree["redis"]["url"] = mask_address(self.redis.url.get_secret_value()) if self.redis.url else None
        tree["kafka"]["extra"] = mask_options(self.kafka.properties())
        return tree
