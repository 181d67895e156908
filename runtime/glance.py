"""What a running process says of itself over HTTP, put together for people."""

from __future__ import annotations

import http.client
import math
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Final
from urllib.parse import urlsplit

import msgspec

from cdc.errors import ServiceFailed
from runtime.health import Report
from runtime.http import LIVE, METRICS, READY
from runtime.metrics import Sample, read_samples

TIMEOUT_SECONDS: Final = 5.0
_BUCKET: Final = "cdc_replication_latency_seconds_bucket"


@dataclass
class TableGlance:
    """One table as its process sees it. Quantiles are None before the first event, infinite beyond the last bucket."""

    events: int = 0
    lag_seconds: float = 0.0
    latency_p50_seconds: float | None = None
    latency_p99_seconds: float | None = None
    dead_letters: int = 0
    halted: bool = False


@dataclass
class Glance:
    """One process: its health, and its tables by `keyspace.table`."""

    url: str
    live: Report
    ready: Report
    tables: dict[str, TableGlance] = field(default_factory=dict)


def glance(url: str, *, timeout_seconds: float = TIMEOUT_SECONDS) -> Glance:
    """Ask a process. Raises `ServiceFailed` when none answers there, or not as ours does."""
    try:
        live, ready = (msgspec.json.decode(_get(url, page, timeout_seconds), type=Report) for page in (LIVE, READY))
        samples = read_samples(_get(url, METRICS, timeout_seconds).decode())
    except (OSError, http.client.HTTPException, ValueError) as error:
        hint = "is the process running, and is CDC_HTTP__PORT its port?"
        raise ServiceFailed(f"no process of ours answers at {url}: {error}", hint=hint) from error
    return Glance(url, live, ready, tables_of(samples))


def tables_of(samples: Iterable[Sample]) -> dict[str, TableGlance]:
    """Return what metrics say of each table, in the order of their names."""
    tables: dict[str, TableGlance] = defaultdict(TableGlance)
    buckets: dict[str, dict[float, float]] = defaultdict(dict)
    for sample in samples:
        name = sample.labels.get("table")
        if name is None:
            continue
        _note(tables[name], sample)
        if sample.name == _BUCKET:
            buckets[name][float(sample.labels["le"])] = sample.value
    for name, counts in buckets.items():
        tables[name].latency_p50_seconds = quantile(0.5, counts)
        tables[name].latency_p99_seconds = quantile(0.99, counts)
    return dict(sorted(tables.items()))


def quantile(share: float, counts: Mapping[float, float]) -> float | None:
    """Return the upper bound of the bucket that holds the quantile: the true one is not above it. None without events."""
    total = max(counts.values(), default=0)
    if not total:
        return None
    return next((bound for bound, count in sorted(counts.items()) if count >= share * total), math.inf)


def _note(table: TableGlance, sample: Sample) -> None:
    match sample.name:
        case "cdc_events_processed_total":
            table.events += int(sample.value)
        case "cdc_replication_lag_seconds":
            table.lag_seconds = sample.value
        case "cdc_dlq_size":
            table.dead_letters = int(sample.value)
        case "cdc_table_halted":
            table.halted = bool(sample.value)


def _get(url: str, page: str, timeout_seconds: float) -> bytes:
    parts = urlsplit(url)
    if parts.scheme != "http" or not parts.hostname:
        raise ValueError("not an address such as http://127.0.0.1:8000")
    connection = http.client.HTTPConnection(parts.hostname, parts.port or 80, timeout=timeout_seconds)
    try:
        connection.request("GET", page)
        return connection.getresponse().read()
    finally:
        connection.close()
