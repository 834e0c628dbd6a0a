"""``earmark ab status``: where experiments stand now, from the counters of all routers and workers."""

import json
import math
import sys
from collections.abc import Sequence
from dataclasses import asdict
from datetime import datetime
from typing import Any, Final

from ab_testing import report_words
from ab_testing.comparison import compare
from ab_testing.counters import read_counters
from ab_testing.evidence import ArmEvidence, Evidence
from ab_testing.finding import Comparison, Finding
from ab_testing.metrics import METRICS
from ab_testing.state import Course
from earmark.clock import utc_now
from earmark.ports import Clock
from earmark.settings import Settings
from runtime.ab.decide import course_fields, decision_line, headline, percent, tell_malformed
from runtime.experiments import make_registry
from runtime.wiring import connect_existing

DECISIONS_SHOWN: Final = 10


def show_status(settings: Settings, name: str, *, as_json: bool, clock: Clock = utc_now) -> None:
    """Print one experiment, or all that run or pause.

    Raises:
        ConfigurationError: there is none of that name.
    """
    backend = connect_existing(settings)
    registry = make_registry(backend, clock)
    courses = [registry.course(name)] if name else [each for each in registry.all() if each.latest.live]
    tell_malformed(registry)
    now = clock()
    shown: list[dict[str, object]] = []
    for course in courses:
        definition = course.latest.definition
        evidence = read_counters(backend.state, definition.name, definition.version)
        comparison = compare(definition, evidence)
        if as_json:
            shown.append(_fields(course, evidence, comparison, now))
        else:
            _print(course, evidence, comparison, now, whole=bool(name))
    if as_json:
        sys.stdout.write(json.dumps(shown[0] if name else shown, indent=1) + "\n")
    elif not courses:
        sys.stdout.write("No experiment runs.  `earmark ab list` shows those that ended.\n")


def _fields(course: Course, evidence: Evidence, comparison: Comparison, now: datetime) -> dict[str, object]:
    definition = course.latest.definition
    return {
        **course_fields(course, now),
        "arms": {arm.name: _arm_fields(arm.share, evidence.arms.get(arm.name)) for arm in definition.arms},
        "findings": [_plain(finding) for finding in comparison.findings],
        "sample_ratios": [_plain(ratio) for ratio in comparison.ratios],
        "alarms": [_plain(alarm) for alarm in comparison.alarms],
        "notes": list(comparison.notes),
        "decisions": [decision.model_dump(mode="json") for decision in course.decisions],
    }


def _arm_fields(share: float, arm: ArmEvidence | None) -> dict[str, object]:
    arm = arm or ArmEvidence()
    return {
        "share": share,
        "assigned": arm.assigned,
        "ended": arm.ended,
        **{name: arm.counts[name] for name in ("done", "failed", "rejected", "diverted")},
    }


def _print(course: Course, evidence: Evidence, comparison: Comparison, now: datetime, *, whole: bool) -> None:
    lines = [headline(course, now)]
    rows: list[tuple[str, ...]] = [("arm", "share", "assigned", "ended", "done", "failed", "rejected", "diverted")]
    for arm in course.latest.definition.arms:
        fields = _arm_fields(arm.share, evidence.arms.get(arm.name))
        rows.append((arm.name, percent(arm.share), *(str(fields[name]) for name in rows[0][2:])))
    lines += _table(rows)
    found: list[tuple[str, ...]] = [("metric", "arm", "control", "treatment", "difference", "verdict")]
    found += [_row(finding) for finding in comparison.findings]
    lines += ["", *_table(found)] if comparison.findings else []
    lines += [""] if comparison.ratios or comparison.alarms else []
    lines += [f"  {ratio.sentence}" for ratio in comparison.ratios]
    lines += [f"  ALARM: {alarm.sentence}" for alarm in comparison.alarms]
    if whole:
        lines += [f"  {note}" for note in comparison.notes]
        lines += ["", "  decisions", *(f"  {decision_line(each)}" for each in course.decisions[-DECISIONS_SHOWN:])]
    sys.stdout.write("\n".join(lines) + "\n\n")


def _row(finding: Finding) -> tuple[str, ...]:
    metric = METRICS[finding.metric]
    away = report_words.difference(metric, finding.difference)
    if finding.low is not None and finding.high is not None:
        away += f" ({report_words.interval(metric, finding.low, finding.high)})"
    control, treatment = (report_words.shown(metric, value) for value in (finding.control, finding.treatment))
    return finding.metric, finding.arm, control, treatment, away, finding.verdict.replace("_", " ")


def _table(rows: Sequence[Sequence[str]]) -> list[str]:
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return [
        "  " + "  ".join(f"{text:{width}}" for text, width in zip(row, widths, strict=True)).rstrip() for row in rows
    ]


def _plain(part: Any) -> dict[str, object]:
    """A part of a comparison as JSON can hold it: what is infinite or no number is null."""
    return {
        name: None if isinstance(value, float) and not math.isfinite(value) else value
        for name, value in asdict(part).items()
    }
