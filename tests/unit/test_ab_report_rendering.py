"""Reports as tables, JSON, Markdown and HTML: well-formed, complete, and inert whatever things are called."""

import json
import re
from dataclasses import replace
from datetime import timedelta
from html.parser import HTMLParser

import pytest

from ab_testing.evidence import ArmEvidence, Evidence
from ab_testing.experiment import Arm
from ab_testing.report import Report, build_report
from ab_testing.report_words import DASH
from runtime.ab.report import FORMATS, rendered
from tests.ab_reports import BEGAN, decision, experiment, full_report, hourly, total

HOSTILE = "</td><script>alert(1)</script>|`[x](y)` \x1b[31m[red]&amp;\"'\n# Title\u202e"
VOID = {"meta", "rect", "line", "circle", "polyline", "polygon", "br"}


class Page(HTMLParser):
    """Reads a page strictly: every element is closed in its order."""

    def __init__(self, text: str) -> None:
        """Read all of it."""
        super().__init__(convert_charrefs=True)
        self.open: list[str] = []
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.texts: list[tuple[str, str]] = []
        self.feed(text)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Note an element."""
        self.tags.append((tag, dict(attrs)))
        if tag not in {"meta", "br"}:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Note one that closes itself, as they do in SVG."""
        assert tag in VOID
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        """It must be the one opened last."""
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        """Note text with the element it is in."""
        if data.strip():
            self.texts.append((self.open[-1] if self.open else "", data))

    def count(self, tag: str) -> int:
        """How many there are."""
        return sum(name == tag for name, _ in self.tags)


def nothing_yet() -> Report:
    """No job has come."""
    return build_report(experiment(), "draft", Evidence(), seen_at=BEGAN)


def three_arms() -> Report:
    """One of them without any data."""
    arms = [Arm(name="primary", share=0.8), Arm(name="b", share=0.1), Arm(name="c", share=0.1)]
    parts = hourly(hours=3)
    for part in parts:
        part.arms["b"], part.arms["c"] = part.arms.pop("experimental"), ArmEvidence()
    steps = [(BEGAN + timedelta(hours=hour), part) for hour, part in enumerate(parts)]
    return build_report(experiment(arms=arms), "paused", total(parts), seen_at=BEGAN + timedelta(hours=3), steps=steps)


def hostile() -> Report:
    """Everything that people, callers and models name is hostile."""
    arms = [Arm(name="primary", share=0.9), Arm(name="experimental", share=0.1, model=HOSTILE)]
    parts = hourly(hours=3)
    report = build_report(
        experiment(arms=arms, description=HOSTILE),
        HOSTILE,
        total(parts),
        seen_at=BEGAN + timedelta(hours=3),
        steps=[(BEGAN + timedelta(hours=hour), part) for hour, part in enumerate(parts)],
        segments={(HOSTILE, HOSTILE): total(parts)},
        decisions=[decision(actor=HOSTILE, reason=HOSTILE)],
    )
    findings = tuple(replace(finding, sentence=HOSTILE, would_change=HOSTILE) for finding in report.comparison.findings)
    ratios = tuple(replace(ratio, sentence=HOSTILE, broken=True) for ratio in report.comparison.ratios)
    return replace(report, comparison=replace(report.comparison, findings=findings, ratios=ratios, notes=(HOSTILE,)))


REPORTS = {"full": full_report, "nothing yet": nothing_yet, "three arms": three_arms, "hostile": hostile}


@pytest.mark.parametrize("name", REPORTS)
def test_the_page_is_well_formed_and_stands_alone(name: str) -> None:
    """Nothing runs, nothing is loaded, tables have headers, pictures have titles, ids are there once."""
    text = rendered(REPORTS[name](), "html")
    page = Page(text)
    tags = {tag for tag, _ in page.tags}
    assert tags.isdisjoint({"script", "link", "img", "iframe", "object", "base", "form", "image", "use"})
    for tag, attributes in page.tags:
        assert not any(attribute.startswith("on") or attribute in {"src", "href"} for attribute in attributes), tag
    assert "url(http" not in text
    assert "@import" not in text
    ids = [attributes["id"] for _, attributes in page.tags if "id" in attributes]
    assert len(set(ids)) == len(ids)
    for _, attributes in page.tags:
        named = f"{attributes.get('aria-labelledby') or ''}".split()
        assert set(named) <= set(ids)
    assert page.count("table") == page.count("caption") == page.count("thead")
    assert all("scope" in attributes for tag, attributes in page.tags if tag == "th")
    pictures = [attributes for tag, attributes in page.tags if tag == "svg"]
    assert all(attributes.get("role") == "img" and attributes.get("aria-labelledby") for attributes in pictures)
    assert bool(pictures) is (name in {"full", "hostile"})  # of three arms one lost its jobs: all is withheld


@pytest.mark.parametrize("output", FORMATS)
@pytest.mark.parametrize("name", REPORTS)
def test_figures_are_for_people(name: str, output: str) -> None:
    """No tails of rounding, no None and no nan outside of JSON."""
    if output == "json":
        return
    text = rendered(REPORTS[name](), output)
    assert not re.search(r"\d\.\d*([1-9]0{6,}|9{6,})\d", text)
    assert not re.search(r"\b(None|nan|inf)\b", text)


def test_the_page_has_light_and_dark_colours() -> None:
    """Both follow the reader's system; pictures take theirs from classes."""
    text = rendered(full_report(), "html")
    assert "prefers-color-scheme: dark" in text
    body = text.split("</style>")[1]
    assert not re.search(r'(fill|stroke)="#', body)


def test_each_metric_has_its_course() -> None:
    """But quantiles, which are not told over time; and one picture of all."""
    page = Page(rendered(full_report(), "html"))
    assert page.count("svg") == 8 + 1


def test_hostile_names_do_nothing() -> None:
    """They are shown as they are written, on one line, in every format."""
    html = rendered(hostile(), "html")
    assert "<script" not in html
    assert any("</td><script>" in text for _, text in Page(html).texts)
    table = rendered(hostile(), "table")
    markdown = rendered(hostile(), "md")
    for text in (html, table, markdown):
        assert "\x1b" not in text
        assert "\u202e" not in text
        assert "\n# Title" not in text
    assert "<script" not in markdown.replace("\\<script", "")
    assert json.loads(rendered(hostile(), "json"))["segments"][0]["value"] == HOSTILE


@pytest.mark.parametrize("name", REPORTS)
def test_tables_of_markdown_have_all_their_columns(name: str) -> None:
    """Each row as many as its head, so that no name breaks one."""
    columns = 0
    for line in rendered(REPORTS[name](), "md").splitlines():
        if not line.startswith("|"):
            columns = 0
            continue
        cells = len(re.findall(r"(?<!\\)\|", line)) - 1
        columns = columns or cells
        assert cells == columns


def test_markdown_has_the_metrics_with_their_verdicts() -> None:
    """In the order of the experiment, figures to the right."""
    lines = rendered(full_report(), "md").splitlines()
    assert lines[0] == "# qwen-or-listener, version 2: experimental is better in some and worse in others"
    head = lines.index(
        "| metric | primary | experimental | difference | 95 % interval | relative | e-value | verdict |"
    )
    assert lines[head + 1] == "|---|---:|---:|---:|---:|---:|---:|---|"
    assert lines[head + 2].startswith("| jobs whose tries all failed | 2.95 % | 5.62 % | +2.68 points | ")
    assert lines[head + 2].endswith(" | worse |")
    assert sum("What would change it:" in line for line in lines) == 10


def test_the_terminals_table_fits_a_pipe() -> None:
    """100 columns, without colours; a dash where nothing is known."""
    for make in REPORTS.values():
        text = rendered(make(), "table")
        assert max(map(len, text.splitlines())) <= 100
        assert "\x1b" not in text
    assert DASH in rendered(nothing_yet(), "table")
    assert "nothing to compare" in rendered(nothing_yet(), "table")


def test_json_keeps_its_keys() -> None:
    """Scripts rely on them; every number is as it was found."""
    report = full_report()
    content = json.loads(rendered(report, "json"))
    assert list(content) == [
        "format", "experiment", "version", "state", "started_at", "seen_at", "coverage", "unit", "alpha", "control",
        "headline", "summary", "standing", "arms", "findings", "sample_ratios", "alarms", "notes", "withheld",
        "guardrails", "segments", "history", "shadow", "decisions", "definition",
    ]  # fmt: skip
    assert list(content["findings"][0]) == [
        "metric", "arm", "control", "treatment", "difference", "low", "high", "relative", "e_value", "control_jobs",
        "treatment_jobs", "verdict", "sentence", "would_change", "control_total", "treatment_total", "title", "kind",
        "unit", "better",
    ]  # fmt: skip
    assert content["findings"][0]["difference"] == report.comparison.findings[0].difference
    assert content["standing"] == {"experimental": "better in some and worse in others"}
    assert len(content["history"]) == 52
    assert set(content["history"][0]["findings"][0]) == {"metric", "arm", "difference", "low", "high"}
    assert all(
        segment["exploratory"] and "verdict" not in finding
        for segment in content["segments"]
        for finding in segment["findings"]
    )
    assert content["shadow"][0]["agreements"][0]["share"] == pytest.approx(771 / 803)
    assert content["arms"][1]["model"] == "qwen2_audio"


def test_what_is_not_finite_is_null_in_json() -> None:
    """JSON has no other word for it."""
    report = full_report()
    odd = replace(report.comparison.findings[0], e_value=float("inf"), low=float("-inf"), high=float("nan"))
    report = replace(report, comparison=replace(report.comparison, findings=(odd,)))
    found = json.loads(rendered(report, "json"))["findings"][0]
    assert (found["e_value"], found["low"], found["high"]) == (None, None, None)
    assert "\\> 1 million" in rendered(report, "md")
