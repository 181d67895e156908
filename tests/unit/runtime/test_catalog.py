"""Which tables are mirrored."""

from __future__ import annotations

from pathlib import Path

import pytest
from pydantic import SecretStr
from structlog.testing import capture_logs

from cdc.ddl import read_ddl
from cdc.errors import RedisUnavailable, SchemaError, SettingsError
from runtime.catalog import load_schema, ping_cache, select_tables
from runtime.settings import RedisSettings, Settings

CQL = "".join(
    f"CREATE TABLE {name} (a int PRIMARY KEY, n {kind});"
    for name, kind in [
        ("shop.orders", "int"),
        ("shop.order_lines", "int"),
        ("shop.hits", "counter"),
        ("audit.log", "int"),
        ('audit."Log"', "int"),
        ("system.local", "int"),
        ("system_auth.roles", "int"),
        ("systematic.t", "int"),
    ]
)


@pytest.mark.parametrize(
    ("patterns", "want"),
    [
        ((), ["audit.Log", "audit.log", "shop.order_lines", "shop.orders", "systematic.t"]),
        (("shop.*",), ["shop.order_lines", "shop.orders"]),
        (("shop",), ["shop.order_lines", "shop.orders"]),
        (("audit.log", "shop.order?"), ["audit.log", "shop.orders"]),
        (("*.*",), ["audit.Log", "audit.log", "shop.order_lines", "shop.orders", "systematic.t"]),
    ],
)
def test_patterns_name_the_tables_and_system_keyspaces_and_counters_are_left_out(
    patterns: tuple[str, ...], want: list[str]
) -> None:
    got = select_tables(read_ddl(CQL), patterns)
    assert sorted(table.full_name for table in got.tables.values()) == want


def test_counters_and_patterns_that_name_nothing_are_told() -> None:
    with capture_logs() as logs:
        select_tables(read_ddl(CQL), ("shop.*", "nix.*"))
    got = [(line["event"], line.get("pattern") or line.get("table")) for line in logs]
    assert got == [("pattern_names_no_table", "nix.*"), ("counter_table_left_out", "shop.hits")]


def test_a_schema_with_nothing_to_mirror_is_a_problem() -> None:
    with pytest.raises(SchemaError, match="no table to mirror"):
        select_tables(read_ddl(CQL), ("nix.*",))


def settings_for(file: Path | None) -> Settings:
    return Settings.model_validate(
        {
            "kafka": {"bootstrap_servers": "b:1"},
            "postgres": {"dsn": "host=h"},
            "schema": {"file": file},
            "tables": ["audit.*"],
        }
    )


def test_the_schema_comes_from_the_file(tmp_path: Path) -> None:
    file = tmp_path / "schema.cql"
    file.write_text(CQL)
    assert sorted(name for _, name in load_schema(settings_for(file)).tables) == ["Log", "log"]


def test_without_a_file_there_is_no_schema() -> None:
    with pytest.raises(SettingsError, match=r"schema\.file"):
        load_schema(settings_for(None))


def test_a_cache_that_is_away_is_told() -> None:
    with pytest.raises(RedisUnavailable):
        ping_cache(RedisSettings(url=SecretStr("redis://127.0.0.1:1")))
    ping_cache(RedisSettings())
