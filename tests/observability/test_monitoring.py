"""
The dashboard and the alerts of docs/monitoring ask for nothing that is not exported.
"""

from __future__ import annotations

import json
import re
from functools import cache
from itertools import combinations
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from sessionstate import CloseReason, Supervisor

pytest.importorskip("prometheus_client")
pytest.importorskip("yaml")

import yaml

from sessionstate.observability.prometheus import SessionstateCollector

MONITORING = Path(__file__).parents[2] / "docs" / "monitoring"
BOARD: dict[str, Any] = json.loads((MONITORING / "grafana.json").read_text(encoding="utf-8"))
RULES: list[dict[str, Any]] = [
    rule
    for group in yaml.safe_load((MONITORING / "alerts.yml").read_text(encoding="utf-8"))["groups"]
    for rule in group["rules"]
]
PANELS: list[dict[str, Any]] = BOARD["panels"]
SHOWN: list[str] = [each["expr"] for panel in PANELS for each in panel.get("targets", ())]
ALERTED: list[str] = [rule["expr"] for rule in RULES]

OPERATORS = {"and", "or", "unless", "offset", "bool"}
TARGET_LABELS = {"job", "instance"}
"""What Prometheus itself puts on every series."""
SUFFIXES = {"counter": ("_total",), "histogram": ("_bucket", "_sum", "_count")}


class Query(NamedTuple):
    """
    What an expression asks for.
    """

    metrics: set[str]
    labels: set[str]
    reasons: set[str]
    matched: list[tuple[str, set[str]]]
    """Each metric with the labels that it is selected by."""


def parse(expression: str) -> Query:
    """
    Find metrics and labels in PromQL, a small part of which is understood: what is used here.
    """
    matched: list[tuple[str, set[str]]] = []
    reasons: set[str] = set()
    for name, matchers in re.findall(r"([a-zA-Z_:][\w:]*)\{([^}]*)\}", expression):
        pairs = re.findall(r'(\w+)\s*(?:=~|!~|!=|=)\s*"([^"]*)"', matchers)
        matched.append((name, {label for label, _ in pairs}))
        reasons.update(
            value for label, text in pairs if label == "reason" for value in text.split("|")
        )
    rest = re.sub(r"\{[^}]*\}", "", expression)
    rest = re.sub(r"\[[^\]]*\]", "", rest)
    rest = re.sub(r"\boffset \w+", "", rest)
    labels: set[str] = set()
    grouping = r"\b(?:by|on|without|ignoring)\s*\(([^)]*)\)"
    for listed in re.findall(grouping, rest):
        labels.update(each.strip() for each in listed.split(","))
    rest = re.sub(grouping, "", rest)
    words = re.findall(r"(?<![\w:.])[a-zA-Z_:][\w:]*(?!\s*\(|[\w:])", rest)
    return Query({word for word in words if word not in OPERATORS}, labels, reasons, matched)


@cache
def exported() -> dict[str, set[str]]:
    """
    Return the series that the collector exports, with their labels.
    """
    found: dict[str, set[str]] = {}
    for metric in SessionstateCollector(Supervisor(default=False)).describe():
        labels: set[str] = set(vars(metric)["_labelnames"])
        for suffix in SUFFIXES.get(metric.type, ("",)):
            found[metric.name + suffix] = labels | ({"le"} if suffix == "_bucket" else set())
    return found


RECORDED = {rule["record"]: {*TARGET_LABELS, "supervisor"} for rule in RULES if "record" in rule}


def test_parser() -> None:
    """
    The small parser tells metrics from functions, labels, keywords, durations and strings.
    """
    query = parse(
        'topk (10, sum by (le, job) (rate(a_total{reason=~"idle|shed", x!="sum(b)"}[5m]))) > 0 '
        "and on (instance) a:b:rate1h offset 1d or histogram_quantile(0.9, c_bucket) / 1e3"
    )
    assert query == Query(
        {"a_total", "a:b:rate1h", "c_bucket"},
        {"le", "job", "instance"},
        {"idle", "shed"},
        [("a_total", {"reason", "x"})],
    )


@pytest.mark.parametrize("expression", [*SHOWN, *ALERTED])
def test_only_what_is_exported(expression: str) -> None:
    """
    Every metric, every label and every reason that is asked for exists.
    """
    series = {**exported(), **RECORDED}
    query = parse(expression)
    assert query.metrics
    assert query.metrics <= set(series)
    for metric, labels in query.matched:
        assert labels <= series[metric] | TARGET_LABELS
    known = {label for metric in query.metrics for label in series[metric]}
    assert query.labels <= known | TARGET_LABELS
    assert query.reasons <= set(CloseReason)


@pytest.mark.parametrize("expression", [*SHOWN, *ALERTED])
def test_counters_are_read_as_rates(expression: str) -> None:
    """
    What only grows is shown by how fast it does, and what does not is never taken for it.
    """
    rated = set(re.findall(r"(?:rate|increase)\((\w+)", expression))
    growing = {each for each in parse(expression).metrics if each.endswith(("_total", "_bucket"))}
    assert rated == growing


def test_goodbyes_are_what_nobody_else_decided() -> None:
    """
    The share of goodbyes leaves out every automatic end, and what follows from another end.
    """
    left_out = {"parent", "shutdown", *(each for each in CloseReason if each.automatic)}
    shares = [each for each in [*SHOWN, *ALERTED] if "reason!~" in each and "/" in each]
    assert len(shares) == 3
    for share in shares:
        assert parse(share.partition("/")[0]).reasons == left_out


def test_everything_is_on_the_dashboard() -> None:
    """
    What is exported is shown somewhere: each metric, though not each part of a histogram.
    """
    shown = {metric for each in SHOWN for metric in parse(each).metrics}
    for metric in SessionstateCollector(Supervisor(default=False)).describe():
        assert any(each.startswith(metric.name) for each in shown), metric.name


def test_dashboard_has_its_data_source_as_a_variable() -> None:
    """
    Whoever imports the dashboard chooses where the figures are.
    """
    variables = {each["name"]: each for each in BOARD["templating"]["list"]}
    assert variables["datasource"]["type"] == "datasource"
    sources = [panel["datasource"] for panel in PANELS if panel["type"] != "row"]
    sources += [each["datasource"] for panel in PANELS for each in panel.get("targets", ())]
    sources += [each["datasource"] for name, each in variables.items() if name != "datasource"]
    assert all(each == {"type": "prometheus", "uid": "${datasource}"} for each in sources)
    for variable in re.findall(r"\$(\w+)", " ".join(SHOWN)):
        assert variable in variables or variable == "__rate_interval"
    for name, each in variables.items():
        if name != "datasource":
            metric = re.findall(r"label_values\((\w+)", each["definition"])
            assert metric == ["sessionstate_opened_total"]


def test_panels_lie_beside_each_other() -> None:
    """
    No panel covers another one, or leaves the page; each has an id and a title of its own.
    """
    cells: list[set[tuple[int, int]]] = []
    for panel in PANELS:
        at = panel["gridPos"]
        assert 0 <= at["x"] <= at["x"] + at["w"] <= 24
        rows = range(at["y"], at["y"] + at["h"])
        cells.append({(x, y) for x in range(at["x"], at["x"] + at["w"]) for y in rows})
    assert not any(one & other for one, other in combinations(cells, 2))
    assert len({panel["id"] for panel in PANELS}) == len(PANELS)
    assert all(panel["title"] for panel in PANELS)


def test_alerts_say_what_to_do() -> None:
    """
    Each alert waits, has a severity, and tells what happened and what it means.
    """
    alerts = [rule for rule in RULES if "alert" in rule]
    assert {"SessionstateOrphans", "SessionstateGoodbyesMissing"} < {a["alert"] for a in alerts}
    for alert in alerts:
        assert re.fullmatch(r"\d+m", alert["for"])
        assert alert["labels"]["severity"] in ("warning", "critical")
        assert set(alert["annotations"]) == {"summary", "description"}
        used = set(re.findall(r"\$labels\.(\w+)", str(alert["annotations"])))
        assert used <= {"job", "instance", "supervisor", "map"}
        if "by (job, supervisor)" in alert["expr"] or "share1h" in alert["expr"]:
            assert "instance" not in used
