"""The settings of a benchmarked flow."""

from __future__ import annotations

from pathlib import Path

from bench.broker import prefix_of
from bench.workloads import MORE_COLUMNS, Workload, ddl_of


def flow_settings(directory: Path, dsn: str, bootstrap: str, workload: Workload) -> dict[str, str]:
    """Return the environment of a flow that drains a workload's topic; its schema file is made in `directory`."""
    schema = directory / "schema.cql"
    schema.write_text("".join(map(ddl_of, MORE_COLUMNS)))
    return {
        "CDC_KAFKA__BOOTSTRAP_SERVERS": bootstrap,
        "CDC_KAFKA__TOPIC_PREFIX": prefix_of(workload),
        "CDC_KAFKA__UNTIL_CAUGHT_UP": "true",
        "CDC_POSTGRES__DSN": dsn,
        "CDC_SCHEMA__FILE": str(schema),
        "CDC_HTTP__PORT": "0",
    }
