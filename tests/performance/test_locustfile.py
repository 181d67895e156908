"""The Locust file runs, in a process of its own: Locust changes Python's sockets and threads when it is imported."""

from __future__ import annotations

import csv
import subprocess
import sys
from pathlib import Path

from dataflows.shop.schema import TABLES
from tests.fixtures.compose import ROOT

# A session that refuses what is written to `sessions`.
_ON_A_FAKE = """
from types import SimpleNamespace
from tests.performance import locustfile
from tests.performance.locustfile import CassandraUser

def execute(cql, parameters):
    assert cql.count("?") == len(parameters)
    if "shop.sessions" in cql:
        raise OSError("refused")

def connect(host):
    assert host == "cassandra.test"
    return SimpleNamespace(prepare=str, execute=execute, cluster=SimpleNamespace(shutdown=lambda: None))

locustfile.connect = connect
"""


def test_a_run_reports_each_kind_of_statement_with_its_table_and_its_failures(tmp_path: Path) -> None:
    (tmp_path / "locustfile.py").write_text(_ON_A_FAKE)
    command = [sys.executable, "-m", "locust", "-f", str(tmp_path / "locustfile.py"), "--headless", "--host", "cassandra.test"]
    command += ["--users", "20", "--spawn-rate", "20", "--run-time", "3s", "--csv", str(tmp_path / "run"), "--only-summary"]
    environment = {"PATH": "", "PYTHONPATH": str(ROOT)}
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False, timeout=120)
    assert "No module named locust" not in done.stderr, "pip install 'cassmirror[performance]'"
    assert done.returncode == 1, done.stderr  # there were failures
    with (tmp_path / "run_stats.csv").open() as file:
        rows = [row for row in csv.DictReader(file) if row["Type"] == "CQL"]
    assert {row["Name"].partition(": ")[2] for row in rows} & set(TABLES)
    failed = {row["Name"] for row in rows if row["Failure Count"] != "0"}
    assert failed == {row["Name"] for row in rows if "sessions" in row["Name"]}
    assert failed
