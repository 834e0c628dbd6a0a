"""Alerts ask only for what there is, say what to do, and wake nobody twice for one cause."""

import re
import shlex
from typing import Any, Final

import pytest
from typer.main import get_command
from typer.testing import CliRunner

from runtime.cli import app
from runtime.metrics.catalogue import METRICS
from runtime.metrics.metric import Kind, Label
from tests.alert_rules import FOLDER, ROOT, RUNBOOKS, Rule, alerts, read, rules
from tests.promql import Matcher, Selector, asked

TARGET: Final = {"role", "instance", "job"}
"""Labels that Prometheus gives to whatever it scrapes; the roles come from the API or from Kubernetes."""
OTHERS: Final[dict[str, set[str]]] = {
    "up": TARGET,
    "pubsub_googleapis_com:subscription_num_undelivered_messages": {"subscription_id"},
    "pubsub_googleapis_com:subscription_oldest_unacked_message_age": {"subscription_id"},
}
"""What is read and is no metric of ours: Prometheus' own, and Cloud Monitoring's."""
SEVERITIES: Final = {"page", "ticket"}
LONGEST_S: Final = 23 * 3600
"""Cloud Monitoring's conditions hold for less than a day."""
UNIT_S: Final = {"s": 1, "m": 60, "h": 3600, "d": 86400}


def known() -> dict[str, dict[str, Label | None]]:
    """The labels of everything that may be asked for, by the names under which it is stored."""
    target: dict[str, Label | None] = dict.fromkeys(TARGET)
    found: dict[str, dict[str, Label | None]] = {name: dict.fromkeys(labels) for name, labels in OTHERS.items()}
    for metric in METRICS:
        for name in metric.series_names:
            own: dict[str, Label | None] = {label.name: label for label in metric.labels}
            bucket = {"le": None} if metric.kind is Kind.HISTOGRAM and name.endswith("_bucket") else {}
            found[name] = target | own | bucket
    for rule in rules():
        if not rule.alerts:
            found[rule.name] = dict.fromkeys(asked(rule.expr).grouped)
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


@pytest.mark.parametrize("rule", rules(), ids=lambda rule: f"{rule.name}-{rule.severity}")
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


@pytest.mark.parametrize("rule", alerts(), ids=lambda rule: f"{rule.name}-{rule.severity}")
def test_every_alert_says_how_urgent_it_is_what_it_is_and_where_to_read_on(rule: Rule) -> None:
    """Severity, summary, and a link to a section that there is."""
    assert rule.severity in SEVERITIES
    assert rule.annotations["summary"]
    assert rule.annotations["runbook"] == f"docs/runbooks.md#{rule.name.lower()}"
    assert rule.name in sections()


@pytest.mark.parametrize("rule", [rule for rule in alerts() if rule.lasts], ids=lambda rule: f"{rule.name}-{rule.severity}")
def test_no_alert_waits_longer_than_cloud_monitoring_can(rule: Rule) -> None:
    """The same rules are made there; its conditions are looked at each 30 s."""
    lasts_s = sum(int(number) * UNIT_S[unit] for number, unit in re.findall(r"(\d+)([smhd])", rule.lasts))
    assert lasts_s <= LONGEST_S
    assert lasts_s % 30 == 0


def sections() -> dict[str, str]:
    """Names of the sections of the runbooks about alerts, with their texts."""
    parts = re.split(r"^### (Earmark\w+)$", RUNBOOKS.read_text(encoding="utf-8"), flags=re.MULTILINE)[1:]
    return {name: re.split(r"^## ", text, maxsplit=1, flags=re.MULTILINE)[0] for name, text in zip(parts[::2], parts[1::2], strict=True)}


def test_every_section_of_the_runbooks_belongs_to_an_alert() -> None:
    """And each alert has one, once; whoever is woken looks for its name."""
    headings = re.findall(r"^### (\S+)$", RUNBOOKS.read_text(encoding="utf-8"), flags=re.MULTILINE)
    assert sorted(headings) == sorted({rule.name for rule in alerts()})


@pytest.mark.parametrize(("name", "text"), sections().items(), ids=sections())
def test_a_section_says_what_somebody_who_was_woken_asks(name: str, text: str) -> None:
    """What customers notice, where to look, what to do, how to see that it is over."""
    for question in ("**Customers**", "**Look**", "**Do**", "**Over**"):
        assert question in text, f"{name} does not say {question}"


def commands() -> list[str]:
    """Every command of Earmark's that the runbooks tell somebody to type."""
    text = RUNBOOKS.read_text(encoding="utf-8")
    return sorted(set(re.findall(r"`(earmark [^`]+)`", text)) | set(re.findall(r"^(earmark [^#|\n]+)", text, flags=re.MULTILINE)))


@pytest.mark.parametrize("line", commands())
def test_every_command_of_the_runbooks_exists(line: str) -> None:
    """With all its options; nobody should learn at night that there is no such command."""
    words = shlex.split(line.split("|", maxsplit=1)[0])[1:]
    path = []
    command: Any = get_command(app)
    while words and hasattr(command, "commands") and words[0] in command.commands:
        path.append(words.pop(0))
        command = command.commands[path[-1]]
    assert not hasattr(command, "commands") or not words, f"{line}: there is no command {words[:1]}"
    options = {name for parameter in command.params for name in (*parameter.opts, *parameter.secondary_opts)}
    assert {word for word in words if word.startswith("--")} <= options | {"--help"}


def test_help_is_there() -> None:
    """The commands of the test above are those of the program."""
    assert CliRunner().invoke(app, ["dlq", "replay", "--help"]).exit_code == 0


def test_links_of_the_runbooks_lead_somewhere() -> None:
    """Files and sections."""
    text = RUNBOOKS.read_text(encoding="utf-8")
    for file, anchor in re.findall(r"\]\(([\w./-]*)(?:#([\w-]+))?\)", text):
        target = RUNBOOKS if not file else RUNBOOKS.parent / file
        assert target.is_file(), target
        headings = re.findall(r"^#+ (.+)$", target.read_text(encoding="utf-8"), flags=re.MULTILINE)
        anchors = {re.sub(r"[^\w\- ]", "", heading).strip().lower().replace(" ", "-") for heading in headings}
        assert not anchor or anchor in anchors, f"{target.relative_to(ROOT)}#{anchor}"


MANAGER: Final = read(FOLDER / "alertmanager.yml")


def matched(matchers: list[str], alert: dict[str, str]) -> bool:
    """Whether Alertmanager would take an alert for one that is meant."""
    for matcher in matchers:
        parts = re.fullmatch(r'(\w+)(=~|=)"(.*)"', matcher)
        assert parts is not None, matcher
        name, sign, value = parts.groups()
        own = alert.get(name, "")
        if not (re.fullmatch(value, own) if sign == "=~" else own == value):
            return False
    return True


def heard(fired: list[dict[str, str]]) -> list[dict[str, str]]:
    """Those that no other silences."""
    return [
        alert
        for alert in fired
        if not any(
            matched(rule["target_matchers"], alert)
            and any(
                matched(rule["source_matchers"], other)
                and other is not alert
                and all(other.get(label, "") == alert.get(label, "") for label in rule.get("equal", []))
                for other in fired
            )
            for rule in MANAGER["inhibit_rules"]
        )
    ]


def fired(severity: str, *names: str, lane: str = "") -> list[dict[str, str]]:
    """Alerts of one severity and lane."""
    return [{"alertname": name, "severity": severity} | ({"lane": lane} if lane else {}) for name in names]


def test_one_cause_rings_once() -> None:
    """All workers are gone in the night: whatever follows from it, in both lanes, is not heard beside it."""
    follows = ("EarmarkLaneStalled", "EarmarkOldestWaiting", "EarmarkBacklog")
    night = fired("page", "EarmarkWorkersAbsent")
    all_of_it = [*night, *fired("page", *follows, lane="high"), *fired("page", "EarmarkLaneStalled", lane="low")]
    assert heard([*all_of_it, *fired("ticket", "EarmarkBacklog", lane="low")]) == night


def test_what_is_late_because_much_waits_rings_once() -> None:
    """The other lane is another matter, and so are errors."""
    high = fired("page", "EarmarkBacklog", "EarmarkJobsLate", "EarmarkLatenessBudgetBurn", lane="high")
    high += fired("ticket", "EarmarkResponseSlow", "EarmarkLatenessBudgetBurn", lane="high")
    others = [*fired("page", "EarmarkJobErrors", lane="high"), *fired("page", "EarmarkLatenessBudgetBurn", lane="low")]
    assert heard([*high, *others]) == [high[0], *others]


def test_a_ticket_silences_no_page() -> None:
    """However the low lane's backlog, a ticket, may explain why it is late."""
    late = fired("page", "EarmarkLatenessBudgetBurn", lane="low")
    assert late[0] in heard([*fired("ticket", "EarmarkBacklog", "EarmarkJobsLate", lane="low"), *late])
    only_pages = {rule.name for rule in alerts()} - {rule.name for rule in alerts() if rule.severity == "ticket"}
    for rule in MANAGER["inhibit_rules"]:
        sources = [name for name in {each.name for each in alerts()} if matched(rule["source_matchers"], fired("page", name)[0])]
        assert 'severity="page"' in rule["source_matchers"] or set(sources) <= only_pages


def test_alertmanager_names_alerts_that_there_are() -> None:
    """A rule about an alert that was renamed would do nothing, silently."""
    names = {rule.name for rule in alerts()}
    for rule in MANAGER["inhibit_rules"]:
        for matcher in (*rule["source_matchers"], *rule["target_matchers"]):
            if matcher.startswith("alertname"):
                assert set(matcher.split('"')[1].split("|")) <= names


def test_pages_tickets_and_the_heartbeat_go_somewhere_each() -> None:
    """Three receivers, each with a way out."""
    routes = {route["matchers"][0]: route["receiver"] for route in MANAGER["route"]["routes"]}
    assert routes == {'severity="heartbeat"': "heartbeat", 'severity="page"': "page"}
    assert MANAGER["route"]["receiver"] == "ticket"
    assert all(receiver["webhook_configs"] for receiver in MANAGER["receivers"])
    [beat] = read(FOLDER / "heartbeat.yml")["groups"][0]["rules"]
    assert beat["labels"] == {"severity": "heartbeat"}
    assert "heartbeat.yml" in read(FOLDER / "prometheus.yml")["rule_files"]
