"""What every Kafka client of the mirror has in common: its settings, and how its errors are told."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from confluent_kafka import KafkaError, KafkaException

from cdc.errors import KafkaUnavailable

OnTrouble = Callable[[str], None]


@dataclass(frozen=True)
class KafkaClient:
    """Where the brokers are. `properties` are librdkafka's own (security, above all) and win over ours."""

    bootstrap_servers: str
    properties: Mapping[str, str] = field(default_factory=dict, repr=False)
    on_trouble: OnTrouble | None = None

    def config(self, **ours: Any) -> dict[str, Any]:
        """Return a client's configuration; underscores of `ours` are the dots of librdkafka's names."""
        config: dict[str, Any] = {
            "bootstrap.servers": self.bootstrap_servers,
            "client.id": "cassmirror",
            "socket.keepalive.enable": True,
            "reconnect.backoff.max.ms": 2_000,  # librdkafka's 10 s is how long a restarted broker would be missed
            "log_level": 2,  # what matters arrives by error_cb; the rest would repeat itself every second
            "error_cb": self._error,
        }
        config.update({name.replace("_", "."): value for name, value in ours.items()})
        config.update(self.properties)
        return config

    def _error(self, error: KafkaError) -> None:
        if self.on_trouble is not None:
            self.on_trouble(error.str())


def unavailable(action: str, error: KafkaException) -> KafkaUnavailable:
    """Return the infrastructure error for what the client library raised."""
    cause = error.args[0] if error.args else None
    reason = cause.str() if isinstance(cause, KafkaError) else str(error)
    return KafkaUnavailable(f"{action}: {reason}")


def code_of(error: KafkaException) -> int | None:
    """Return librdkafka's error code, what errors are told apart by."""
    cause = error.args[0] if error.args else None
    return cause.code() if isinstance(cause, KafkaError) else None
