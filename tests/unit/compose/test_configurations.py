"""The files in config/ say what the embedded servers, which the tests run, are told; and what compose and the code say."""

from __future__ import annotations

import re
import tomllib
from typing import Any

import pytest

from bench.broker import PRODUCER
from cdc.ddl import read_ddl
from runtime.embedded import cassandra, connector, jars, kafka
from runtime.embedded.java import cassandra_modules
from runtime.settings import KafkaSettings, TombstoneSettings
from tests.fixtures.compose import CONFIG, ROOT, lines, mounts, properties, services, yaml

CASSANDRA = yaml(CONFIG / "cassandra/cassandra.yaml")
CONNECTOR = properties(CONFIG / "debezium/connector.properties")
KAFKA = properties(CONFIG / "kafka/server.properties")


def test_cassandra_is_told_what_the_embedded_one_is_told() -> None:
    own = {"memtable_heap_space", "commitlog_sync_period"}  # a larger heap, and a disk that may be a laptop's
    want = {name: value for name, value in cassandra._SETTINGS.items() if name not in own}
    assert {name: CASSANDRA[name] for name in want} == want


def test_cassandra_captures_changes_on_the_volume_that_the_connector_has_too() -> None:
    places = [CASSANDRA["cdc_raw_directory"], CASSANDRA["commitlog_directory"], *CASSANDRA["data_file_directories"]]
    places += [CONNECTOR["offset.backing.store.dir"], CONNECTOR["commit.log.relocation.dir"]]
    for name in ("cassandra", "connector"):
        volume = next(target for target, source in mounts(services()[name]).items() if source == "cassandra")
        assert [place for place in places if not place.startswith(volume + "/")] == []
    assert CASSANDRA["cdc_enabled"] is True


def test_cassandra_and_connector_read_the_same_file() -> None:
    (option,) = re.findall(r"-Dcassandra\.config=file://(\S+)", services()["cassandra"]["environment"]["JVM_EXTRA_OPTS"])
    assert option == CONNECTOR["cassandra.config"]
    sources = {mounts(services()[name])[option] for name in ("cassandra", "connector")}
    assert sources == {"./config/cassandra/cassandra.yaml"}


def test_cassandra_is_known_by_the_name_of_its_service() -> None:
    assert services()["cassandra"]["hostname"] == "cassandra"
    (seeds,) = CASSANDRA["seed_provider"][0]["parameters"]
    got = (CASSANDRA["listen_address"], CASSANDRA["broadcast_rpc_address"], seeds["seeds"])
    assert got == ("cassandra", "cassandra", f"cassandra:{CASSANDRA['storage_port']}")


def test_the_connector_is_told_what_the_embedded_one_is_told() -> None:
    places = {name for name in connector._PROPERTIES if name.endswith((".dir", ".file"))}
    want = {name: value for name, value in connector._PROPERTIES.items() if name not in places}
    assert {name: CONNECTOR.get(name) for name in want} == want
    own = {"topic.prefix", "cassandra.config", "kafka.producer.bootstrap.servers", "http.port"}
    assert set(CONNECTOR) == set(connector._PROPERTIES) | own


def test_the_bench_fills_its_topics_as_the_connector_writes() -> None:
    assert {name: CONNECTOR[f"kafka.producer.{name}"] for name in PRODUCER} == {
        name: str(value) for name, value in PRODUCER.items()
    }


def test_the_connector_writes_numbers_that_are_exact_to_topics_that_the_mirror_reads() -> None:
    assert (CONNECTOR["decimal.handling.mode"], CONNECTOR["varint.handling.mode"]) == ("string", "string")
    prefix = KafkaSettings.model_fields["topic_prefix"].default
    assert (CONNECTOR["topic.prefix"], services()["worker"]["environment"]["CDC_KAFKA__TOPIC_PREFIX"]) == (prefix, prefix)
    assert CONNECTOR["cassandra.cluster.name"] == CASSANDRA["cluster_name"] == cassandra.CLUSTER_NAME


def test_no_dot_stands_in_the_path_that_the_connector_cuts_at_the_first_one() -> None:
    assert "." not in CONNECTOR["commit.log.relocation.dir"]


def test_the_driver_of_the_connector_is_told_what_the_embedded_one_is_told() -> None:
    keyspaces = '["!system", "!/^system_.*/"]'
    embedded = connector._DRIVER.format(contact_point='"cassandra:9042"', datacenter=cassandra.DATACENTER, keyspaces=keyspaces)
    guards = {
        "advanced.metadata.schema.debouncer.window": "0 milliseconds",
        "advanced.metadata.schema.refreshed-keyspaces": keyspaces,
    }
    ours = hocon((CONFIG / "debezium/driver.conf").read_text())
    assert ours == hocon(embedded)
    assert {name: ours.get(name) for name in guards} == guards


def hocon(text: str) -> dict[str, str]:
    """Return the settings of a file of one block, a line each."""
    return dict(re.findall(r"^  ([a-z.-]+) (?:= )?(.+)$", text, re.MULTILINE))


@pytest.mark.parametrize("place", ["cassandra.config", "cassandra.driver.config.file"])
def test_what_the_connector_reads_is_mounted(place: str) -> None:
    assert CONNECTOR[place] in mounts(services()["connector"])


def test_the_options_of_java_open_what_cassandras_code_reaches_for() -> None:
    options = lines(CONFIG / "debezium/jvm.options")
    assert [option for option in options if option.startswith("--add-")] == cassandra_modules()
    (logback,) = (option.partition("=")[2] for option in options if option.startswith("-Dlogback"))
    assert logback in mounts(services()["connector"])


def test_kafka_is_told_what_the_embedded_one_is_told() -> None:
    embedded = dict(line.split("=", 1) for line in kafka._PROPERTIES.splitlines() if not line.startswith("#"))
    ours = {"listeners", "advertised.listeners", "controller.quorum.voters", "inter.broker.listener.name", "log.dirs"}
    small = {"log.index.size.max.bytes", "log.cleaner.dedupe.buffer.size", "broker.session.timeout.ms"}
    small |= {"broker.heartbeat.interval.ms", "num.partitions"}  # for many short lives beside each other, or an argument
    want = {name: value for name, value in embedded.items() if name not in ours | small}
    assert {name: KAFKA.get(name) for name in want} == want


def test_kafka_is_reached_by_its_service_name_and_from_the_machine() -> None:
    advertised = dict(listener.split("://") for listener in KAFKA["advertised.listeners"].split(","))
    worker = services()["worker"]["environment"]["CDC_KAFKA__BOOTSTRAP_SERVERS"]
    assert advertised["INTERNAL"] == worker == CONNECTOR["kafka.producer.bootstrap.servers"]
    assert services()["kafka"]["ports"] == [f"{advertised['HOST']}:{advertised['HOST'].partition(':')[2]}"]
    listeners = {listener.split("://")[0] for listener in KAFKA["listeners"].split(",")}
    assert listeners == {pair.split(":")[0] for pair in KAFKA["listener.security.protocol.map"].split(",")}
    assert KAFKA["log.dirs"] in mounts(services()["kafka"])


def test_kafka_forgets_events_before_the_mirror_forgets_deletions() -> None:
    retention: Any = TombstoneSettings.model_fields["min_retention"].default
    assert int(KAFKA["log.retention.hours"]) * 3600 < retention.total_seconds()


def test_redis_keeps_what_it_is_told_by_log_and_snapshot() -> None:
    told = dict(line.split(" ", 1) for line in lines(CONFIG / "redis/redis.conf"))
    assert (told["appendonly"], told["maxmemory-policy"], bool(told["save"].split())) == ("yes", "noeviction", True)
    assert told["dir"] in mounts(services()["redis"])
    assert not {"requirepass", "user"} & told.keys()


def test_postgres_quotes_neither_key_nor_line_nor_statement_in_its_log() -> None:
    told = dict(line.split(" = ", 1) for line in lines(CONFIG / "postgres/postgresql.conf"))
    assert (told["log_error_verbosity"], told["log_min_error_statement"]) == ("terse", "panic")
    (file,) = (part.partition("=")[2] for part in services()["postgres"]["command"] if part.startswith("config_file="))
    assert file in mounts(services()["postgres"])


def test_the_tables_of_a_first_look_are_captured() -> None:
    schema = read_ddl((CONFIG / "cassandra/schema.cql").read_text())
    assert {table.full_name: table.cdc for table in schema.tables.values()} == {"shop.customers": True, "shop.orders": True}


def versions() -> dict[str, str]:
    """Return the version of each embedded server's first jar."""
    lock = tomllib.loads((ROOT / "runtime/embedded/jars.lock").read_text())
    return {name: entry["roots"][0].split(":")[-1] for name, entry in lock.items()}


def test_the_images_have_the_versions_that_the_tests_run() -> None:
    got = {name: services()[name]["image"].split(":")[1] for name in ("cassandra", "schema", "kafka")}
    want = versions()
    assert got == {"cassandra": want["cassandra"], "schema": want["cassandra"], "kafka": want["kafka"]}
    assert f"FROM cassandra:{want['cassandra']}\n" in (CONFIG / "debezium/Dockerfile").read_text()


def test_the_connectors_image_has_the_jar_that_the_tests_run() -> None:
    dockerfile = (CONFIG / "debezium/Dockerfile").read_text()
    arguments = dict(re.findall(r"^ARG (\w+)=(\S+)$", dockerfile, re.MULTILINE))
    (jar,) = tomllib.loads((ROOT / "runtime/embedded/jars.lock").read_text())["connector"]["jars"]
    assert arguments == {"CONNECTOR_VERSION": versions()["connector"], "CONNECTOR_SHA256": jar["sha256"]}
    coordinate = jars.ROOTS["connector"][0].rpartition(":")[0]
    assert f'"-Dartifact={artifact(coordinate)}"' in dockerfile


def artifact(coordinate: str) -> str:
    """Return `group:name:packaging:classifier` as the plug-in takes it, with its version."""
    group, name, packaging, classifier = coordinate.split(":")
    return f"{group}:{name}:${{CONNECTOR_VERSION}}:{packaging}:{classifier}"
