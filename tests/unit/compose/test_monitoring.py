"""Queries of the dashboard and of the alerts name what the code exposes; what compose mounts is what Grafana looks for."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

import pytest
from prometheus_client import Counter, Histogram

from runtime.http import METRICS
from runtime.metrics import create_metrics
from tests.fixtures.compose import MONITORING, mounts, services, yaml
from tests.unit.runtime.test_metrics import FIXED

DASHBOARD: dict[str, Any] = json.loads((MONITORING / "grafana/dashboards/cassmirror.json").read_text(encoding="utf-8"))
ALERTS: list[dict[str, Any]] = yaml(MONITORING / "alerts.yml")["groups"][0]["rules"]
SCRAPED: dict[str, Any] = yaml(MONITORING / "prometheus.yml")
NAME = re.compile(r"\b(?:cdc|process)_\w+|\bup\b")
TARGET = {"job", "instance"}  # labels that Prometheus adds
SELECTOR = re.compile(r"(\w+)\{([^}]*)\}")
GROUPED = re.compile(r"\bby \(([^)]*)\)")


def exposed() -> dict[str, set[str]]:
    """Return every name that can be queried, with its labels."""
    metrics = create_metrics()
    found: dict[str, set[str]] = {"up": set()}
    found |= {sample.name: set() for family in metrics.registry.collect() for sample in family.samples}
    for field, metric in vars(metrics).items():
        if field == "registry":
            continue
        labels = set(metric._labelnames)
        if isinstance(metric, Histogram):
            found |= {f"{metric._name}_{part}": labels for part in ("sum", "count")}
            found[f"{metric._name}_bucket"] = labels | {"le"}
        else:
            found[metric._name + ("_total" if isinstance(metric, Counter) else "")] = labels
    return found


def queries() -> Iterator[str]:
    yield from (target["expr"] for panel in DASHBOARD["panels"] for target in panel["targets"])
    yield from (rule["expr"] for rule in ALERTS)


@pytest.mark.parametrize("query", sorted(set(queries())))
def test_a_query_names_metrics_and_labels_that_there_are(query: str) -> None:
    labels = exposed()
    named = set(NAME.findall(query))
    assert named
    assert named - labels.keys() == set()
    for name, selector in SELECTOR.findall(query):
        assert set(re.findall(r"(\w+)=", selector)) <= labels[name] | TARGET
    for group in GROUPED.findall(query):
        assert {label.strip() for label in group.split(",")} <= set.intersection(*(labels[name] | TARGET for name in named))


def test_variables_of_the_dashboard_are_labels_of_metrics() -> None:
    (variable,) = DASHBOARD["templating"]["list"]
    match = re.fullmatch(r"label_values\((\w+), (\w+)\)", variable["query"]["query"])
    assert match is not None
    assert match[2] in exposed()[match[1]]
    assert set(re.findall(r"\$(\w+)", " ".join(queries()))) - {"labels", "value"} == {variable["name"]}


def test_the_dashboard_shows_each_of_the_fixed_metrics() -> None:
    shown = " ".join(target["expr"] for panel in DASHBOARD["panels"] for target in panel["targets"])
    assert [name for name in FIXED if name not in shown] == []


@pytest.mark.parametrize("rule", ALERTS, ids=lambda rule: rule["alert"])
def test_an_alert_tells_only_what_its_query_returns(rule: dict[str, Any]) -> None:
    told = set(re.findall(r"\$labels\.(\w+)", rule["annotations"]["summary"]))
    grouped = {label.strip() for group in GROUPED.findall(rule["expr"]) for label in group.split(",")}
    assert told <= grouped


def test_panels_have_their_own_numbers_and_do_not_overlap() -> None:
    cells = [
        (panel["gridPos"]["x"] + x, panel["gridPos"]["y"] + y)
        for panel in DASHBOARD["panels"]
        for x in range(panel["gridPos"]["w"])
        for y in range(panel["gridPos"]["h"])
    ]
    assert len(cells) == len(set(cells))
    assert max(x for x, _ in cells) < 24
    assert len({panel["id"] for panel in DASHBOARD["panels"]}) == len(DASHBOARD["panels"])


def test_prometheus_scrapes_the_worker_where_it_answers() -> None:
    (job,) = SCRAPED["scrape_configs"]
    worker = services()["worker"]["environment"]
    assert job["static_configs"] == [{"targets": [f"worker:{worker['CDC_HTTP__PORT']}"]}]
    assert job.get("metrics_path", "/metrics") == METRICS
    assert {match for rule in queries() for match in re.findall(r'job="(\w+)"', rule)} == {job["job_name"]}
    assert SCRAPED["rule_files"] == [place for place in mounts(services()["prometheus"]) if place.endswith("alerts.yml")]


def test_grafana_finds_its_source_and_its_dashboard() -> None:
    (source,) = yaml(MONITORING / "grafana/provisioning/datasources/prometheus.yml")["datasources"]
    assert source["url"] == "http://prometheus:9090"
    used = {panel["datasource"]["uid"] for panel in DASHBOARD["panels"]}
    used |= {target["datasource"]["uid"] for panel in DASHBOARD["panels"] for target in panel["targets"]}
    assert used == {source["uid"]}
    (provider,) = yaml(MONITORING / "grafana/provisioning/dashboards/cassmirror.yml")["providers"]
    mounted = mounts(services()["grafana"])
    assert mounted[provider["options"]["path"]] == "./monitoring/grafana/dashboards"
    assert mounted["/etc/grafana/provisioning"] == "./monitoring/grafana/provisioning"
    home = services()["grafana"]["environment"]["GF_DASHBOARDS_DEFAULT_HOME_DASHBOARD_PATH"]
    assert home == f"{provider['options']['path']}/cassmirror.json"
