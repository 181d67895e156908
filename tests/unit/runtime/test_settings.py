"""Settings from the environment and a TOML file."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from cdc.errors import SettingsError
from runtime.settings import Settings
from runtime.settings_loading import load_settings, unknown_variables
from runtime.settings_parsing import host_and_port


@pytest.fixture
def environ(tmp_path: Path) -> dict[str, str]:
    """The least that must be set."""
    schema = tmp_path / "schema.cql"
    schema.write_text("CREATE TABLE shop.t (a int PRIMARY KEY);")
    return {
        "CDC_KAFKA__BOOTSTRAP_SERVERS": "broker:9092",
        "CDC_POSTGRES__DSN": "postgresql://user:open-sesame@db/mirror",
        "CDC_SCHEMA__FILE": str(schema),
    }


def value_at(settings: Settings, path: str) -> Any:
    value: Any = settings
    for part in path.split("."):
        value = getattr(value, "schema_" if part == "schema" else part)
    return value


def test_names_that_other_programs_use_have_their_defaults(environ: dict[str, str]) -> None:
    settings = load_settings(environ)
    got = {
        path: value_at(settings, path)
        for path in ("kafka.topic_prefix", "kafka.group_id", "kafka.dead_letter_topic", "kafka.until_caught_up", "tables")
    }
    assert got == {
        "kafka.topic_prefix": "cassandra",
        "kafka.group_id": "cass-cdc-pg-workers",
        "kafka.dead_letter_topic": "cassandra.cdc.dlq",
        "kafka.until_caught_up": False,
        "tables": (),
    }
    assert (settings.http.port, settings.shard.index, settings.shard.count) == (8000, 0, 1)
    assert settings.tombstones.min_retention == timedelta(days=10)
    assert (settings.clock.at, settings.redis.url, settings.cassandra.contact_points) == (None, None, ())


@pytest.mark.parametrize(
    ("variable", "value", "path", "want"),
    [
        ("CDC_KAFKA__UNTIL_CAUGHT_UP", "true", "kafka.until_caught_up", True),
        ("CDC_POSTGRES__CREATE_TABLES", "false", "postgres.create_tables", False),
        ("CDC_TABLES", "shop.*, audit.log ,", "tables", ("shop.*", "audit.log")),
        ("CDC_CASSANDRA__CONTACT_POINTS", "a,b:9043", "cassandra.contact_points", ("a", "b:9043")),
        ("CDC_TOMBSTONES__MIN_RETENTION", "36h", "tombstones.min_retention", timedelta(hours=36)),
        ("CDC_TOMBSTONES__MIN_RETENTION", "86400", "tombstones.min_retention", timedelta(days=1)),
        ("CDC_TOMBSTONES__MIN_RETENTION", "P2D", "tombstones.min_retention", timedelta(days=2)),
        ("CDC_CLOCK__AT", "2026-11-23T10:00:00.5Z", "clock.at", datetime(2026, 11, 23, 10, 0, 0, 500_000, UTC)),
        ("CDC_CLOCK__AT", "2026-11-23T11:00:00+01:00", "clock.at", datetime(2026, 11, 23, 10, tzinfo=UTC)),
        ("CDC_CLOCK__AT", "2026-11-23T10:00:00", "clock.at", datetime(2026, 11, 23, 10, tzinfo=UTC)),
        ("CDC_HTTP__PORT", "0", "http.port", 0),
        ("CDC_KAFKA__GROUP_ID", "", "kafka.group_id", "cass-cdc-pg-workers"),
        ("CDC_KAFKA__GROUP_ID", "  ", "kafka.group_id", "cass-cdc-pg-workers"),
        ("CDC_REDIS__URL", "", "redis.url", None),
    ],
)
def test_a_variable_sets_its_field(environ: dict[str, str], variable: str, value: str, path: str, want: object) -> None:
    assert value_at(load_settings(environ | {variable: value}), path) == want


def test_librdkafka_options_come_as_json_and_are_text(environ: dict[str, str]) -> None:
    extra = '{"security.protocol": "SASL_SSL", "sasl.password": "hidden", "fetch.wait.max.ms": 20, "x": true}'
    got = load_settings(environ | {"CDC_KAFKA__EXTRA": extra}).kafka.properties()
    assert got == {"security.protocol": "SASL_SSL", "sasl.password": "hidden", "fetch.wait.max.ms": "20", "x": "true"}


def test_the_environment_wins_over_the_file_leaf_by_leaf(environ: dict[str, str], tmp_path: Path) -> None:
    config = tmp_path / "cassmirror.toml"
    config.write_text(
        f"""
        tables = ["shop.*"]
        [kafka]
        bootstrap_servers = "from-file:1"
        group_id = "from-file"
        topic_prefix = ""
        extra = {{ "security.protocol" = "SSL" }}
        [postgres]
        dsn = "host=from-file"
        max_batch_rows = 7
        [schema]
        file = "{environ["CDC_SCHEMA__FILE"]}"
        """
    )
    kept = {name: value for name, value in environ.items() if name != "CDC_SCHEMA__FILE"}
    settings = load_settings(kept | {"CDC_CONFIG": str(config), "CDC_POSTGRES__MAX_BATCH_ROWS": "8"})
    got = (settings.kafka.bootstrap_servers, settings.kafka.group_id, settings.kafka.topic_prefix, settings.tables)
    assert got == ("broker:9092", "from-file", "cassandra", ("shop.*",))
    assert settings.postgres.max_batch_rows == 8
    assert settings.kafka.properties() == {"security.protocol": "SSL"}
    assert str(settings.schema_.file) == environ["CDC_SCHEMA__FILE"]


def test_all_problems_are_told_at_once_by_dotted_name(tmp_path: Path) -> None:
    broken = tmp_path / "broken.cql"
    broken.write_text("CREATE TABLE t (a int)")
    environ = {
        "CDC_KAFKA__BOOTSTRP_SERVERS": "x",
        "CDC_KAFKA__EXTRA": "{",
        "CDC_POSTGRES__DSN": "open-sesame",
        "CDC_SCHEMA__FILE": str(broken),
        "CDC_SHARD__INDEX": "2",
        "CDC_HTTP__PORT": "many",
        "CDC_CLOCK__AT": "yesterday",
        "CDC_TYPES__NUL_POLICY": "drop",
    }
    with pytest.raises(SettingsError) as caught:
        load_settings(environ)
    lines = caught.value.message.splitlines()
    assert sorted(line.split(": ")[0] for line in lines) == [
        "clock.at",
        "http.port",
        "kafka.bootstrap_servers",
        "kafka.bootstrp_servers",
        "kafka.extra",
        "postgres.dsn",
        "schema.file",
        "shard.count",
        "types.nul_policy",
    ]
    assert "kafka.bootstrap_servers: is required (CDC_KAFKA__BOOTSTRAP_SERVERS)" in lines
    assert "kafka.bootstrp_servers: is no setting (CDC_KAFKA__BOOTSTRP_SERVERS)" in lines
    assert "open-sesame" not in caught.value.message
    assert any("line 1, column 14" in line for line in lines)


def test_nothing_set_names_what_is_required() -> None:
    with pytest.raises(SettingsError) as caught:
        load_settings({})
    assert caught.value.message.splitlines() == [
        "kafka.bootstrap_servers: is required (CDC_KAFKA__BOOTSTRAP_SERVERS)",
        "postgres.dsn: is required (CDC_POSTGRES__DSN)",
        "schema.file: is required (CDC_SCHEMA__FILE), or CDC_CASSANDRA__CONTACT_POINTS",
    ]


def test_contact_points_make_the_file_needless(environ: dict[str, str]) -> None:
    del environ["CDC_SCHEMA__FILE"]
    assert load_settings(environ | {"CDC_CASSANDRA__CONTACT_POINTS": "a"}).schema_.file is None


@pytest.mark.parametrize(
    ("name", "want"),
    [
        ("a", ("a", 9042)),
        ("cassandra-1.example:19042", ("cassandra-1.example", 19042)),
        ("10.0.0.1:1", ("10.0.0.1", 1)),
        ("[::1]:9043", ("::1", 9043)),
        ("[fe80::1]", ("fe80::1", 9042)),
    ],
)
def test_a_contact_point_is_a_host_with_or_without_a_port(environ: dict[str, str], name: str, want: tuple[str, int]) -> None:
    points = load_settings(environ | {"CDC_CASSANDRA__CONTACT_POINTS": name}).cassandra.contact_points
    assert [host_and_port(point, 9042) for point in points] == [want]


@pytest.mark.parametrize("name", ["::1", "a:", "a:b", "user@a", "cassandra://a", "a b"])
def test_anything_else_is_no_contact_point(environ: dict[str, str], name: str) -> None:
    with pytest.raises(SettingsError, match=r"cassandra\.contact_points: .* is not host"):
        load_settings(environ | {"CDC_CASSANDRA__CONTACT_POINTS": name})


def test_a_command_without_need_of_a_schema_can_do_without(environ: dict[str, str]) -> None:
    del environ["CDC_SCHEMA__FILE"]
    assert load_settings(environ, needs_schema=False).schema_.file is None


@pytest.mark.parametrize("content", [None, "not = [toml"])
def test_a_config_file_that_cannot_be_read_is_a_problem(environ: dict[str, str], tmp_path: Path, content: str | None) -> None:
    config = tmp_path / "c.toml"
    if content:
        config.write_text(content)
    with pytest.raises(SettingsError, match="config: "):
        load_settings(environ | {"CDC_CONFIG": str(config)})


def test_secrets_are_masked_wherever_settings_are_shown(environ: dict[str, str]) -> None:
    secrets = {
        "CDC_KAFKA__EXTRA": '{"sasl.username": "me", "sasl.password": "open-sesame"}',
        "CDC_REDIS__URL": "redis://:open-sesame@cache:6379/0",
        "CDC_CASSANDRA__PASSWORD": "open-sesame",
    }
    settings = load_settings(environ | secrets)
    for shown in (repr(settings), str(settings), json.dumps(settings.masked()), settings.model_dump_json()):
        assert "open-sesame" not in shown
    assert settings.masked()["postgres"]["dsn"] == "postgresql://user:********@db/mirror"
    assert settings.masked()["kafka"]["extra"] == {"sasl.username": "me", "sasl.password": "********"}
    assert settings.postgres.dsn.get_secret_value() == environ["CDC_POSTGRES__DSN"]


def test_variables_of_no_section_are_named_but_no_problem(environ: dict[str, str]) -> None:
    got = unknown_variables(environ | {"CDC_KAKFA__GROUP_ID": "x", "CDC_CONFIG": "", "PATH": "/bin"})
    assert got == ("CDC_KAKFA__GROUP_ID",)
