"""The report of an experiment as JSON: every number as it is; what is not known, or not finite, is null."""

import json
import math
from dataclasses import asdict
from typing import Any

from ab_testing.finding import Comparison, Finding
from ab_testing.metrics import METRICS
from ab_testing.report import Report
from ab_testing.report_summary import headline, standing, summary
from ab_testing.state import dumped

FORMAT = 1
"""Raised when a key changes its meaning or goes."""


def as_json(report: Report) -> str:
    """The report; ``docs/experiments-report.md`` describes its keys."""
    return json.dumps(_finite(report_content(report)), indent=1, ensure_ascii=False, allow_nan=False) + "\n"


def report_content(report: Report) -> dict[str, Any]:
    """The same as values."""
    experiment = report.experiment
    return {
        "format": FORMAT,
        "experiment": experiment.name,
        "version": experiment.version,
        "state": str(report.state),
        "started_at": None if report.started_at is None else report.started_at.isoformat(),
        "seen_at": report.seen_at.isoformat(),
        "coverage": report.coverage,
        "unit": str(experiment.unit),
        "alpha": experiment.alpha,
        "control": experiment.control.name,
        "headline": headline(report),
        "summary": list(summary(report)),
        "standing": {arm.name: standing(report, arm.name) for arm in experiment.treatments},
        "arms": [asdict(arm) for arm in report.arms],
        **_comparison(report.comparison),
        "guardrails": [
            {
                **guardrail.model_dump(mode="json"),
                "arms": {
                    each.arm: {"state": str(each.state), "because": each.because}
                    for each in report.comparison.guardrails
                    if each.metric == guardrail.metric
                },
            }
            for guardrail in experiment.guardrails
        ],
        "segments": [
            {
                "kind": segment.kind,
                "value": segment.value,
                "exploratory": True,
                "jobs": dict(segment.jobs),
                "findings": [_exploratory(finding) for finding in segment.findings],
            }
            for segment in report.segments
        ],
        "history": [
            {"at": look.at.isoformat(), "findings": [asdict(finding) for finding in look.findings]}
            for look in report.looks
        ],
        "shadow": [
            {
                **asdict(pairs),
                "agreements": [{**asdict(each), "share": each.share} for each in pairs.agreements],
            }
            for pairs in report.pairs
        ],
        "decisions": [decision.model_dump(mode="json") for decision in report.decisions],
        "definition": dumped(experiment),
    }


def _comparison(comparison: Comparison) -> dict[str, Any]:
    return {
        "findings": [_finding(finding) for finding in comparison.findings],
        "sample_ratios": [asdict(ratio) for ratio in comparison.ratios],
        "alarms": [asdict(alarm) for alarm in comparison.alarms],
        "notes": list(comparison.notes),
        "withheld": comparison.withheld or None,
    }


def _finding(finding: Finding) -> dict[str, Any]:
    metric = METRICS[finding.metric]
    return {
        **asdict(finding),
        "title": metric.title,
        "kind": str(metric.kind),
        "unit": metric.unit,
        "better": str(metric.better),
    }


def _exploratory(finding: Finding) -> dict[str, Any]:
    told = asdict(finding)
    for name in ("verdict", "sentence", "would_change", "e_value"):
        del told[name]
    return told


def _finite(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _finite(part) for name, part in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(part) for part in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
