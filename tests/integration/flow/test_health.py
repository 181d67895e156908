"""Health of a running flow while its servers come and go."""

from __future__ import annotations

import http.client
import json
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner

from dataflows.__main__ import main
from runtime.embedded.postgres import PostgresServer
from tests.integration.flow.flow_metrics import free_port, processed
from tests.integration.flow.mirrored import Mirrored
from tests.integration.flow.recorded_topics import write_records
from tests.integration.flow.source_flow import Topics, eventually


def ask(port: int, page: str) -> tuple[int, dict[str, str]]:
    """Return the code and the checks; 0 while nobody answers."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    try:
        connection.request("GET", page)
        answer = connection.getresponse()
        return answer.status, dict(json.loads(answer.read())["checks"])
    except OSError:
        return 0, {}
    finally:
        connection.close()


def ready(port: int) -> int:
    return ask(port, "/health/ready")[0]


@pytest.mark.parametrize("command", ["run", "bytewax"])
def test_a_flow_is_ready_while_postgres_answers_and_live_all_the_time(
    shop: Mirrored, own_postgres: PostgresServer, own_database: Callable[[], str], command: str
) -> None:
    shop.dsn = own_database()
    write_records(shop.topics, shop.replay.records)
    port = free_port()
    with shop.running(command, HTTP__PORT=str(port), KAFKA__UNTIL_CAUGHT_UP="", POSTGRES__RETRY_MAX_SECONDS="0.5") as flow:
        eventually(lambda: ready(port) == 200, "ready")
        eventually(lambda: processed(port) > 0, "events processed")
        own_postgres.stop("immediate")
        eventually(lambda: ready(port) == 503, "not ready")
        checks = ask(port, "/health/ready")[1]
        assert {name: check == "ok" for name, check in checks.items()} == {
            "kafka": True,
            "postgres": False,
            "tables": True,
            "process": True,
        }
        assert ask(port, "/health/live") == (200, {"process": "ok"})
        own_postgres.start()
        eventually(lambda: ready(port) == 200, "ready again")
        shown = CliRunner().invoke(main, ["status", "--url", f"http://127.0.0.1:{port}"])
        assert (shown.exit_code, "shop.orders" in shown.output) == (0, True), shown.output
        flow.ask_to_stop()
        assert flow.wait() == 0, flow.log.read_text()


def test_a_flow_without_kafka_is_live_and_says_what_it_waits_for(postgres_dsn: str, tmp_path: Path) -> None:
    shop = Mirrored("workload_shop", Topics("127.0.0.1:1", "none"), postgres_dsn, tmp_path)
    port = free_port()
    with shop.running(HTTP__PORT=str(port), KAFKA__UNTIL_CAUGHT_UP="", STOP__GRACE_SECONDS="1") as flow:
        eventually(lambda: "broker" in ask(port, "/health/ready")[1].get("kafka", "").lower(), "the trouble is named")
        assert (ready(port), ask(port, "/health/live")[0]) == (503, 200)
        flow.ask_to_stop()
        flow.wait()


def test_a_flow_that_waits_for_cassandra_to_say_the_schema_is_live(postgres_dsn: str, tmp_path: Path) -> None:
    shop = Mirrored("workload_shop", Topics("127.0.0.1:1", "none"), postgres_dsn, tmp_path)
    port = free_port()
    with shop.running(HTTP__PORT=str(port), CASSANDRA__CONTACT_POINTS="127.0.0.1:1", SCHEMA__FILE=""):
        eventually(lambda: ask(port, "/health/ready")[1].get("cassandra", "ok") != "ok", "Cassandra is named")
        assert (ready(port), ask(port, "/health/live")[0]) == (503, 200)
