"""docker-compose.yml is what compose understands, and what its services need: there is no engine here to ask."""

from __future__ import annotations

import re
import subprocess
import sys
from collections import Counter
from typing import Any

import pytest

from runtime.settings_loading import load_settings
from runtime.stop import LAST_SECONDS
from tests.fixtures.compose import ROOT, compose, mounts, services, unset
from tests.unit.docs.test_docs import variables

REQUIRED = re.compile(r"\$\{(\w+):\?([^}]+)\}")
USED = re.compile(r"\$\{(\w+)")
CORE = {"cassandra", "schema", "connector", "kafka", "postgres", "redis", "worker"}
EVERY_SERVICE = pytest.mark.parametrize("name", sorted(services()))


def megabytes(limit: str) -> int:
    number, unit = int(limit[:-1]), limit[-1]
    return number * {"m": 1, "g": 1024}[unit]


def port_of(published: str) -> tuple[str, int, int]:
    address, host, container = published.split(":")
    return address, int(host), int(container)


def test_the_file_is_valid_by_the_compose_specification() -> None:
    command = [sys.executable, "-m", "check_jsonschema", "--builtin-schema", "vendor.compose-spec", "docker-compose.yml"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, ""), done.stdout


def test_the_core_starts_alone_and_profiles_add_the_rest() -> None:
    profiles = {name: service.get("profiles", []) for name, service in services().items()}
    assert {name for name, profile in profiles.items() if not profile} == CORE
    assert {name: profile for name, profile in profiles.items() if profile} == {
        "grafana": ["monitoring"],
        "jaeger": ["monitoring"],
        "prometheus": ["monitoring"],
        "vault": ["vault"],
    }


@EVERY_SERVICE
def test_an_image_is_built_here_or_pinned_to_a_full_version(name: str) -> None:
    service = services()[name]
    if "build" in service:
        assert ":" not in service["image"]
    else:
        assert re.fullmatch(r"[\w./-]+:v?\d+\.\d+(\.\d+)?(-\w+)?", service["image"])


@EVERY_SERVICE
def test_a_service_waits_only_for_what_its_profile_starts_and_what_tells_its_health(name: str) -> None:
    service = services()[name]
    for other, how in service.get("depends_on", {}).items():
        assert set(services()[other].get("profiles", [])) <= set(service.get("profiles", []))
        if how["condition"] == "service_healthy":
            assert "healthcheck" in services()[other], other
        else:
            assert (how["condition"], services()[other]["restart"]) == ("service_completed_successfully", "on-failure")


def test_every_service_that_stays_tells_its_health() -> None:
    without = {name for name, service in services().items() if "healthcheck" not in service}
    assert without == {"schema", "worker", "connector"}  # one ends; the images of the others say how
    for dockerfile in ("Dockerfile", "config/debezium/Dockerfile"):
        assert "HEALTHCHECK" in (ROOT / dockerfile).read_text()


def test_memory_is_limited_to_what_a_laptop_of_16_gb_has_to_spare() -> None:
    limits = {name: megabytes(service["mem_limit"]) for name, service in services().items()}
    core = sum(limit for name, limit in limits.items() if name in CORE)
    assert (core, sum(limits.values())) == (7424, 9216)
    assert "Memory limits: 9 GB in all" in (ROOT / "docker-compose.yml").read_text()


@EVERY_SERVICE
def test_ports_are_published_on_loopback_only(name: str) -> None:
    assert {port_of(port)[0] for port in services()[name].get("ports", ())} <= {"127.0.0.1"}


def test_no_port_is_published_twice() -> None:
    published = Counter(port_of(port)[1] for service in services().values() for port in service.get("ports", ()))
    assert [port for port, count in published.items() if count > 1] == []


@EVERY_SERVICE
def test_what_is_mounted_is_there(name: str) -> None:
    for source in mounts(services()[name]).values():
        if source.startswith("."):
            assert (ROOT / source).exists()
        else:
            assert source in compose()["volumes"]


@EVERY_SERVICE
def test_files_of_the_project_are_mounted_read_only(name: str) -> None:
    for volume in services()[name].get("volumes", ()):
        if isinstance(volume, dict):
            assert volume["read_only"]
        elif volume.startswith("."):
            assert volume.endswith(":ro")


def test_every_volume_and_network_is_used() -> None:
    used = {source for service in services().values() for source in mounts(service).values()}
    assert set(compose()["volumes"]) <= used
    assert {network for service in services().values() for network in service["networks"]} == set(compose()["networks"])


def test_services_find_each_other_on_a_network_that_both_are_on() -> None:
    pairs = {
        ("worker", "kafka"),
        ("worker", "postgres"),
        ("worker", "redis"),
        ("worker", "cassandra"),
        ("prometheus", "worker"),
    }
    pairs |= {("connector", "kafka"), ("connector", "cassandra"), ("schema", "cassandra"), ("grafana", "prometheus")}
    for one, other in pairs:
        assert set(services()[one]["networks"]) & set(services()[other]["networks"]), (one, other)


def secrets_of(environment: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in environment.items() if re.search("PASSWORD|TOKEN|AUTH", name)}


def test_no_password_stands_in_the_file_and_none_has_a_default() -> None:
    for name, service in services().items():
        for variable, value in secrets_of(service.get("environment", {})).items():
            assert REQUIRED.fullmatch(str(value)), (name, variable)
    text = (ROOT / "docker-compose.yml").read_text()
    for address in re.findall(r"\w+://[^\s\"]*@", text):
        assert re.search(r":\$\{\w+:\?", address), address


def test_the_example_names_every_variable_and_sets_none() -> None:
    example = dict(line.split("=", 1) for line in (ROOT / ".env.example").read_text().splitlines() if re.match(r"\w+=", line))
    text = (ROOT / "docker-compose.yml").read_text()
    assert set(example) == set(USED.findall(text))
    assert set(example.values()) == {""}
    assert set(example) - {name for name, _ in REQUIRED.findall(text)} == {"SCHEMA_FILE"}
    assert ".env" in (ROOT / ".gitignore").read_text().split()


def worker_environment() -> dict[str, str]:
    given = services()["worker"]["environment"]
    return {name: REQUIRED.sub("open-sesame", unset(value)) for name, value in given.items()}


def test_every_setting_of_the_worker_exists_and_is_valid() -> None:
    environment = worker_environment()
    assert {name for name in environment if name.startswith("CDC_")} - variables() == set()
    settings = load_settings(environment | {"CDC_SCHEMA__FILE": str(ROOT / "config/cassandra/schema.cql")})
    assert settings.kafka.bootstrap_servers == "kafka:9092"
    assert settings.postgres.dsn.get_secret_value() == "postgresql://mirror:open-sesame@postgres:5432/mirror"
    assert settings.redis.url is not None
    assert settings.redis.url.get_secret_value() == "redis://:open-sesame@redis:6379/0"
    assert settings.cassandra.contact_points == ("cassandra:9042",)


def test_the_worker_writes_only_to_its_volume_and_tmp() -> None:
    worker = services()["worker"]
    assert (worker["read_only"], worker["tmpfs"], worker["cap_drop"]) == (True, ["/tmp"], ["ALL"])
    volume = next(target for target, source in mounts(worker).items() if source == "worker")
    assert worker["environment"]["CDC_RECOVERY__DIRECTORY"].startswith(volume + "/")
    assert worker["environment"]["CDC_SCHEMA__FILE"] in mounts(worker)


def test_the_worker_is_given_more_time_to_stop_than_it_takes() -> None:
    schema = {"CDC_SCHEMA__FILE": str(ROOT / "config/cassandra/schema.cql")}
    settings = load_settings(worker_environment() | schema)
    assert int(services()["worker"]["stop_grace_period"].removesuffix("s")) > settings.stop.grace_seconds + LAST_SECONDS
