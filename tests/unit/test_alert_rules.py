"""Alerts ask only for what there is, and say how urgent it is and where to read on."""

import re
from typing import Final

import pytest

from runtime.metrics.catalogue import METRICS
from runtime.metrics.metric import Kind, Label
from tests.alert_rules import Rule, alerts, rules, sections
from tests.promql import Matcher, Selector, asked

TARGET: Final = {"role", "instance", "job", "cluster"}
"""Labels that Prometheus gives to whatever it scrapes; the roles come from the API or from Kubernetes, the cluster from
Google's managed Prometheus.
"""
OTHERS: Final[dict[str, set[str]]] = {"up": TARGET}
"""What is read and is no metric of ours: Prometheus' own."""
SEVERITIES: Final = {"page", "ticket"}
LONGEST_S: Final = 23 * 3600
"""Cloud Monitoring's conditions hold for less than a day."""
UNIT_S: Final = {"s": 1, "m": 60, "h": 3600, "d": 86400}


def case(rule: Rule) -> str:
    """A case's name."""
    return f"{rule.name}-{rule.severity}"


def known() -> dict[str, dict[str, Label | None]]:
    """The labels of everything that may be asked for, by the names under which it is stored."""
    target: dict[str, Label | None] = dict.fromkeys(TARGET)
    found: dict[str, dict[str, Label | None]] = {name: dict.fromkeys(labels) for name, labels in OTHERS.items()}
    for metric in METRICS:
        for name in metric.series_names:
            own: dict[str, Label | None] = {label.name: label for label in metric.labels}
            bucket: dict[str, Label | None] = (
                {"le": None} if metric.kind is Kind.HISTOGRAM and name.endswith("_bucket") else {}
            )
            found[name] = target | own | bucket
    for rule in rules():
        if not rule.alerts:
            found[rule.name] = dict.fromkeys({"cluster", *asked(rule.expr).grouped})
    return found


KNOWN: Final = known()


def faults(selector: Selector) -> list[str]:
    """What there is not of what a selector asks for."""
    if selector.name not in KNOWN:
        return [f"there is no metric {selector.name}"]
    labels = KNOWN[selector.name]
    return [fault for matcher in selector.matchers for fault in faults_of(matcher, selector.name, labels)]


def faults_of(matcher: Matcher, name: str, labels: dict[str, Label | None]) -> list[str]:
    """The same of one of its conditions; a value may only be one that can occur."""
    if matcher.label not in labels:
        return [f"{name} has no label {matcher.label}"]
    label = labels[matcher.label]
    if label is None or not label.values:
        return []
    values = matcher.value.split("|") if "~" in matcher.sign else [matcher.value]
    return [f"{name}: {value} is no {label.name}" for value in values if value not in label.values]


@pytest.mark.parametrize("rule", list(rules()), ids=case)
def test_every_metric_label_and_value_exists(rule: Rule) -> None:
    """An alert on what nobody tells would be silent for ever."""
    what = asked(rule.expr)
    assert [fault for selector in what.selectors for fault in faults(selector)] == []
    there = {label for selector in what.selectors for label in KNOWN[selector.name]} | what.made
    assert what.grouped <= there
    used = {label for text in rule.annotations.values() for label in re.findall(r"\$labels\.(\w+)", text)}
    assert used <= there


@pytest.mark.parametrize(
    "expression",
    [
        "earmark_queue_wating > 500",
        'earmark_queue_waiting{lane="high"} > 500',
        'earmark_queue_waiting{queue="hgih"} > 500',
        'earmark_jobs_settled_total{status=~"failed|lost"}',
    ],
)
def test_what_there_is_not_is_found(expression: str) -> None:
    """A wrong name, a wrong label, a value that cannot occur."""
    assert [fault for selector in asked(expression).selectors for fault in faults(selector)]


@pytest.mark.parametrize("rule", alerts(), ids=case)
def test_every_alert_says_how_urgent_it_is_what_it_is_and_where_to_read_on(rule: Rule) -> None:
    """Severity, summary, and a link to a section that there is."""
    assert rule.severity in SEVERITIES
    assert rule.annotations["summary"]
    assert rule.annotations["runbook"] == f"docs/runbooks.md#{rule.name.lower()}"
    assert rule.name in sections()


@pytest.mark.parametrize("rule", [rule for rule in alerts() if rule.lasts], ids=case)
def test_no_alert_waits_longer_than_cloud_monitoring_can(rule: Rule) -> None:
    """The same rules are made there; its conditions are looked at each 30 s."""
    lasts_s = sum(int(number) * UNIT_S[unit] for number, unit in re.findall(r"(\d+)([smhd])", rule.lasts))
    assert lasts_s <= LONGEST_S
    assert lasts_s % 30 == 0
