"""Who is told of what on Google Cloud, and what leads them to the page that helps."""

import re
from collections.abc import Mapping
from typing import Any

import yaml

from tests.terraform_files import ROOT, bare, local, resources
from tests.terraform_values import calls, value


def test_nothing_asked_for_is_left_out() -> None:
    """Whether something is made follows from what is asked for, and is never a number of its own."""
    counts = [str(each.body["count"]) for each in resources() if "count" in each.body]
    counts += [str(body["count"]) for _, _, _, body in calls() if "count" in body]
    assert len(counts) >= 3
    for said in counts:
        assert re.fullmatch(r'\$\{(var\.\w+ == ""|length\(var\.\w+\) == 0) \? 0 : 1\}', said), said


def test_whoever_is_to_be_told_is_told() -> None:
    """Each list of addresses becomes channels, each channel is in a list that alerts name, and pages have their own."""
    channels = local("modules/monitoring", "channels")
    made = {each.name: each for each in resources("google_monitoring_notification_channel")}
    assert {name: each.body["for_each"] for name, each in made.items()} == {
        "page": "${toset(var.pages)}",
        "ticket": "${toset(var.tickets)}",
    }
    for name in made:
        assert f"google_monitoring_notification_channel.{name} : channel.id" in channels[name]
    assert "var.page_channels" in channels["page"]
    told = {each.name: each.body["notification_channels"] for each in resources("google_monitoring_alert_policy")}
    severity = 'try(each.value[0].labels.severity, "ticket")'
    assert told == {
        "rule": f"${{local.channels[{severity}]}}",
        "unreachable": "${local.channels.page}",
        "dead_letters": "${var.notification_channels}",
        "failed": "${var.notification_channels}",
        "missed": "${var.notification_channels}",
    }
    for folder in ("modules/lanes", "modules/scheduler"):
        assert value(folder, "${var.notification_channels}") == "${module.monitoring.ticket_channels}"
    [budget] = resources("google_billing_budget")
    assert "${local.channels.ticket}" in str(budget.body)


def test_every_alert_names_its_runbook() -> None:
    """In its text, wherever the documents are read, and as a link where Terraform is told where that is."""
    [made] = [each for each in resources("google_monitoring_alert_policy") if each.name == "rule"]
    [document] = made.inner("documentation")
    assert document["content"] == "${local.documents[each.key]}"
    assert "Runbook: ${local.runbooks[key]}" in str(local("modules/monitoring", "documents"))
    for each in resources("google_monitoring_alert_policy"):
        [document] = each.inner("documentation")
        [link] = document["dynamic"]
        page = {"rule": "local.runbooks[each.key]", **CLOCK}.get(each.name) or f'"{link_page(document)}"'
        if each.name in CLOCK:
            assert "Runbook: ${each.value.runbook}" in document["content"], each.where
        assert link['"links"']["for_each"] == f'${{var.documents_url == "" ? [] : [{page}]}}', each.where
        assert value(each.folder, "${var.documents_url}") == "${var.documents_url}", each.where


CLOCK = {"failed": "each.value.runbook", "missed": "each.value.runbook"}
"""Alerts about jobs by the clock: each job names its page."""


def test_whatever_runs_by_the_clock_is_missed() -> None:
    """Each job has both alerts, by the names that Cloud Run gives it, and a section with all that somebody asks."""
    [clock] = [body for _, _, module, body in calls() if module == "scheduler"]
    page = (ROOT / "docs/runbooks.md").read_text(encoding="utf-8")
    parts = re.split(r"^### (.+)$", page, flags=re.MULTILINE)
    titles = (re.sub(r"[^\w\- ]", "", title).lower().replace(" ", "-") for title in parts[1::2])
    sections = dict(zip(titles, parts[2::2], strict=True))
    for job in clock["jobs"].values():
        document, _, section = bare(job["runbook"]).partition("#")
        assert document == "docs/runbooks.md"
        for question in ("**Customers**", "**Look**", "**Do**", "**Over**"):
            assert question in sections[section].split("\n## ")[0], question
    made = {
        each.name: each for each in resources("google_monitoring_alert_policy") if each.folder == "modules/scheduler"
    }
    assert {name: each.body["for_each"] for name, each in made.items()} == dict.fromkeys(CLOCK, "${var.jobs}")
    [job] = resources("google_cloud_run_v2_job")
    assert job.text("name") == "${var.prefix}-${each.key}"
    series = str(local("modules/scheduler", "executions"))
    for part in ("run_googleapis_com:job_completed_execution_count", "${var.prefix}-${name}", "${var.region}"):
        assert part in series
    asked = {
        name: str(each.inner("conditions")[0]["condition_prometheus_query_language"]) for name, each in made.items()
    }
    assert "failed" in asked["failed"]
    assert "succeeded" in asked["missed"]
    assert "vector(0)) < 0.5" in asked["missed"], "a job that nothing starts leaves no series at all"


def test_no_condition_stands_beside_one_of_promql() -> None:
    """Cloud Monitoring takes one for a policy, so one rule for an alert and severity."""
    for each in resources("google_monitoring_alert_policy"):
        if each.folder != "modules/monitoring":
            conditions = each.body["conditions"]
            assert len(conditions) == 1 or "prometheus" not in str(conditions), each.where
    named = [
        (rule["alert"], rule["labels"]["severity"])
        for path in sorted((ROOT / "infra/prometheus").glob("*.rules.yml"))
        for group in yaml.safe_load(path.read_text(encoding="utf-8"))["groups"]
        for rule in group["rules"]
        if "alert" in rule
    ]
    assert len(named) == len(set(named))


def link_page(document: Mapping[str, Any]) -> str:
    """The page that the text of an alert names."""
    [page] = re.findall(r"Runbook: (docs/[\w-]+\.md)", str(document["content"]))
    return str(page)


def test_people_are_sent_to_pages_that_are_there() -> None:
    """The pages that alerts outside of the rules name."""
    for each in resources("google_monitoring_alert_policy"):
        for page in re.findall(r"docs/[\w-]+\.md", bare(str(each.body))):
            assert (ROOT / page).is_file(), f"{each.where}: {page}"


def sentences() -> list[str]:
    """All that the repository's rules say to people."""
    return [
        sentence
        for path in sorted((ROOT / "infra/prometheus").glob("*.rules.yml"))
        for group in yaml.safe_load(path.read_text(encoding="utf-8"))["groups"]
        for rule in group["rules"]
        for sentence in rule.get("annotations", {}).values()
    ]


def on_google(sentence: str) -> str:
    """A rule's sentence as modules/monitoring hands it on: its patterns, which Go and Python read alike."""
    for name, put in (
        ("label", r"${metric_or_resource.label.\1}"),
        ("time", "${metric.label.value} s"),
        ("value", "${metric.label.value}"),
    ):
        pattern = str(local("modules/monitoring", name)).strip("/").encode().decode("unicode_escape")
        sentence = re.sub(pattern, put, sentence)
    return sentence


def test_alerts_say_what_they_are_about() -> None:
    """Every template of a rule is one that Cloud Monitoring has a variable for, of the metric or of its resource."""
    written = str(local("modules/monitoring", "documents"))
    assert "replace(replace(replace(text, local.label, " in re.sub(r"\s+", " ", written).replace("( ", "(")
    assert "$${metric_or_resource.label.$1}" in written
    assert written.index("local.time") < written.index("local.value")
    said = [on_google(each) for each in sentences()]
    assert not [each for each in said if "{{" in each]
    assert "No worker of ${metric_or_resource.label.cluster} is heard of" in said
    assert "A job has waited for ${metric.label.value} s in lane ${metric_or_resource.label.lane}" in said
    assert sum("cluster}" in each for each in said) >= len({each for each in sentences() if ".cluster" in each})


def test_an_unknown_template_is_refused() -> None:
    """It would be shown as it is written, to somebody who is woken."""
    [made] = [each for each in resources("google_monitoring_alert_policy") if each.name == "rule"]
    assert '!strcontains(local.documents[each.key], "{{")' in str(made.body["lifecycle"])
    assert "{{" in on_google("{{ $value | humanize1024 }} of {{ $externalLabels.cluster }}")
