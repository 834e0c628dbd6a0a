"""``Report``: what ``earmark validate`` found, as Markdown for people and JSON for scripts."""

import json
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from router.intake import display
from workers.validation.figures import FIGURES
from workers.validation.targets import Targets
from workers.validation.verdict import CheckResult, Judged, Verdict, shown


@dataclass(frozen=True, slots=True)
class Report:
    """Everything that a report says."""

    model: str
    verdict: Verdict
    results: tuple[CheckResult, ...]
    targets: Targets
    environment: Mapping[str, str]
    command: str
    quick: bool
    began: datetime
    ended: datetime


def as_markdown(report: Report) -> str:
    """The report; its first line is the verdict, its second paragraph why."""
    return "\n".join(_lines(report)) + "\n"


def _lines(report: Report) -> Iterator[str]:
    yield from (f"# {report.verdict}: {_cell(report.model)}", "", f"{_cell(report.verdict.why)}.", "")
    yield f"Measured {_time(report.began)} to {_time(report.ended)} by `earmark validate`."
    if report.quick:
        yield "Quick: 20 calls over which memory is watched instead of 200, and each time measured once."
    if not report.verdict.complete:
        yield "**Incomplete: the checks that are missing below were not run to the end.**"
    yield from ("", "## Checks", "", "| check | result | why | took |", "|---|---|---|---:|")
    for result in report.results:
        took = f"{result.seconds:.1f} s" if result.seconds else ""
        yield f"| {result.check} | {_result(result.status)} | {_cell(result.reason)} | {took} |"
    yield from ("", "## Figures", "", "| figure | measured | unit | target | result | |", "|---|---:|---|---|---|---|")
    for result in report.results:
        yield from map(_figure, result.judged)
    yield from ("", "## Targets", "")
    for name, target in report.targets.items():
        judged = "" if target.judged else " (not judged)"
        yield f"- `{name}`: {target.words(FIGURES[name])}{judged}.  {_cell(target.why)}".rstrip()
    yield from ("", "## Environment", "", "| | |", "|---|---|")
    yield from (f"| {_cell(name)} | {_cell(value)} |" for name, value in report.environment.items())
    yield from ("", "## Again", "", "```sh", display(report.command).replace("`", "'"), "```")


def _figure(judged: Judged) -> str:
    measurement, target = judged.measurement, judged.target
    figure = FIGURES[measurement.name]
    wanted = "" if target is None else target.words(figure).removesuffix(f" {figure.unit}")
    if target is not None and not target.judged:
        wanted += " (not judged)"
    result = "" if judged.status is None else _result(judged.status)
    value = shown(measurement.value)
    return f"| {measurement.name} | {value} | {figure.unit} | {wanted} | {result} | {_cell(measurement.detail)} |"


def _result(status: str) -> str:
    return f"**{status}**" if status == "fail" else status


def as_json(report: Report) -> str:
    """The same as JSON; a figure that is not finite is null."""
    content = {
        "verdict": "GO" if report.verdict.go else "NO-GO",
        "why": report.verdict.why,
        "complete": report.verdict.complete,
        "quick": report.quick,
        "model": report.model,
        "began": report.began.isoformat(),
        "ended": report.ended.isoformat(),
        "checks": [
            {
                "check": result.check,
                "result": result.status,
                "why": result.reason,
                "seconds": round(result.seconds, 3),
                "figures": [_content(judged) for judged in result.judged],
            }
            for result in report.results
        ],
        "environment": dict(report.environment),
        "command": report.command,
    }
    return json.dumps(content, indent=1, allow_nan=False)


def _content(judged: Judged) -> dict[str, Any]:
    measurement, target = judged.measurement, judged.target
    figure = FIGURES[measurement.name]
    content: dict[str, Any] = {
        "name": measurement.name,
        "value": _finite(measurement.value),
        "unit": figure.unit,
        "low": _finite(measurement.low),
        "high": _finite(measurement.high),
        "detail": measurement.detail,
        "result": judged.status,
        "target": None,
    }
    if target is not None:
        sense = "at least" if figure.more_is_better else "at most"
        content["target"] = {"sense": sense, "limit": target.limit, "judged": target.judged, "why": target.why}
    return content


def _finite(value: float | None) -> float | None:
    return value if value is not None and math.isfinite(value) else None


def _cell(text: str) -> str:
    """Text that stays in its cell, and is no Markdown or HTML of its own."""
    plain = "".join(char if char.isprintable() else " " for char in text)
    for mark in "\\`*|<>[]":
        plain = plain.replace(mark, f"\\{mark}")
    return plain


def _time(moment: datetime) -> str:
    return f"{moment:%Y-%m-%d %H:%M:%S} UTC"
