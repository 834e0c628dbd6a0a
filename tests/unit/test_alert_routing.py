"""Who is told of an alert, and that one cause rings once."""

import re
from typing import Final

from tests.alert_rules import FOLDER, alerts, read

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


def test_a_page_about_letters_of_one_class_silences_no_other_class() -> None:
    """Only the ticket about the same letters."""
    page, ticket, other = (
        {"alertname": "EarmarkDeadLetterRate", "severity": severity, "kind": kind}
        for severity, kind in (("page", "worker_lost"), ("ticket", "worker_lost"), ("ticket", "not_found"))
    )
    assert heard([page, ticket, other]) == [page, other]


def test_what_is_missing_in_one_region_silences_nothing_of_another() -> None:
    """Each is a system of its own; what follows in the same one is not heard."""

    def at(cluster: str, *names: str, lane: str = "") -> list[dict[str, str]]:
        return [alert | {"cluster": cluster} for alert in fired("page", *names, lane=lane)]

    gone = at("eu", "EarmarkWorkersAbsent", "EarmarkControllerAbsent")
    follows = [*at("eu", "EarmarkLaneStalled", lane="high"), *at("eu", "EarmarkPartUnseen")]
    others = [*at("us", "EarmarkLaneStalled", lane="high"), *at("us", "EarmarkPartUnseen")]
    assert heard([*gone, *follows, *others]) == [*gone, *others]


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
        sources = [
            name
            for name in {each.name for each in alerts()}
            if matched(rule["source_matchers"], fired("page", name)[0])
        ]
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
