"""The settings of a benchmarked flow."""

from __future__ import annotations

from pathlib import Path

from bench.broker import PREFIX
from bench.workloads import DDL


def flow_settings(directory: Path, dsn: str, bootstrap: str) -> dict[str, str]:
    """Return the environment of a flow that drains the benchmark's topics; its schema file is made in `directory`."""
    schema = directory / "schema.cql"
    schema.write_text("".join(DDL.format(table=table) for table in ("orders", "copies")))
    return {
        "CDC_KAFKA__BOOTSTRAP_SERVERS": bootstrap,
        "CDC_KAFKA__TOPIC_PREFIX": PREFIX,
        "CDC_KAFKA__UNTIL_CAUGHT_UP": "true",
        "CDC_POSTGRES__DSN": dsn,
        "CDC_SCHEMA__FILE": str(schema),
        "CDC_HTTP__PORT": "0",
    }
