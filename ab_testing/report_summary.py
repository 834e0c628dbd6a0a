"""The first paragraph of a report: what somebody needs who reads nothing else."""

from collections.abc import Iterator
from datetime import timedelta
from typing import Final

from ab_testing.finding import Finding, GuardrailState, RatioState, Verdict
from ab_testing.metrics import METRICS
from ab_testing.report import Report
from ab_testing.report_words import count, days, percent, shown

STATES: Final = {
    "draft": "has not been started",
    "running": "is running",
    "paused": "is paused",
    "rolled_back": "was rolled back",
    "completed": "was completed",
}
TELLING: Final = (Verdict.WITHHELD, Verdict.WORSE, Verdict.BETTER)
NAMED_MOST: Final = 3
"""Metrics that are named with their figures; of the rest only how many there are."""
RATIO: Final = {
    RatioState.BROKEN: "The sample ratio is broken.",
    RatioState.NOT_CHECKED: "The sample ratio is not checked.",
    RatioState.OPEN: "Whether the arms got their shares cannot be told yet.",
    RatioState.MATCHES: "The sample ratio holds so far: the arms got about their shares.",
}
DAY: Final = timedelta(days=1)


def headline(report: Report) -> str:
    """The report in some words: ``qwen-or-listener, version 2: experimental is worse``."""
    experiment = report.experiment
    told = "; ".join(f"{arm.name} is {standing(report, arm.name)}" for arm in experiment.treatments)
    return f"{experiment.name}, version {experiment.version}: {told}"


def standing(report: Report, arm: str) -> str:
    """What may be said of an arm in all: ``better in some and worse in others``, or one of a verdict's words."""
    verdicts = {finding.verdict for finding in _of(report, arm)}
    if {Verdict.BETTER, Verdict.WORSE} <= verdicts:
        return "better in some and worse in others"
    return next((str(told) for told in TELLING if told in verdicts), str(Verdict.OPEN))


def summary(report: Report) -> tuple[str, ...]:
    """Where it stands, what each arm is worth, whether the deal is sound and whether a guardrail fires."""
    return (_state(report), *(_arm(report, arm.name) for arm in report.experiment.treatments), *_checks(report))


def _state(report: Report) -> str:
    experiment = report.experiment
    words = f"{experiment.name} (version {experiment.version}) {STATES.get(report.state, report.state)}"
    if report.started_at is not None:
        ran = report.seen_at - report.started_at
        words += f"; it was started {days(max(ran, timedelta(0)) / DAY)} ago"
    if report.state == "running":
        words += f" and covers {percent(report.coverage)} of the {experiment.unit}s"
    if report.empty:
        return f"{words}.  No job of it was assigned or has ended yet, so there is nothing to compare."
    ended = ", ".join(f"{count(arm.ended)} in {arm.name}" for arm in report.arms)
    return f"{words}.  {count(sum(arm.ended for arm in report.arms))} jobs have ended: {ended}."


def _arm(report: Report, arm: str) -> str:
    findings = _of(report, arm)
    control = report.experiment.control.name
    parts = []
    for verdict in (Verdict.WORSE, Verdict.BETTER):
        told = [finding for finding in findings if finding.verdict is verdict]
        if told:
            named = "; ".join(map(_named, told[:NAMED_MOST]))
            more = f"; and {len(told) - NAMED_MOST} more" if len(told) > NAMED_MOST else ""
            parts.append(f"{verdict} than {control} in {named}{more}")
    waiting = sum(finding.verdict in {Verdict.OPEN, Verdict.TOO_FEW} for finding in findings)
    if standing(report, arm) == Verdict.WITHHELD:
        return f"{arm} against {control}: withheld."
    if not parts:
        return f"{arm} against {control}: open.  Nothing is shown yet in any of {len(findings)} metrics."
    rest = f"  Open: {waiting} of {len(findings)} metrics." if waiting else ""
    return f"{arm} is {', and '.join(parts)}.{rest}"


def _named(finding: Finding) -> str:
    metric = METRICS[finding.metric]
    return f"{metric.title} ({shown(metric, finding.treatment)} against {shown(metric, finding.control)})"


def _checks(report: Report) -> Iterator[str]:
    if report.comparison.withheld and not report.empty:
        yield report.comparison.withheld
    broken = [ratio for ratio in report.comparison.ratios if ratio.broken]
    if broken:
        yield from (ratio.sentence for ratio in broken)
    elif not report.empty:
        yield RATIO[ratio_state(report)]
    yield from _guardrails(report)
    if report.state == "rolled_back":
        last = next((each for each in reversed(report.decisions) if each.action == "roll_back"), None)
        if last is not None:
            yield f"It was rolled back by {last.actor}: {last.reason}"


def ratio_state(report: Report) -> RatioState:
    """Of both checks of the sample ratio the one that says least for it."""
    states = {ratio.state for ratio in report.comparison.ratios}
    return next((state for state in RATIO if state in states), RatioState.OPEN)


def _guardrails(report: Report) -> Iterator[str]:
    alarms, standings = report.comparison.alarms, report.comparison.guardrails
    if not report.experiment.guardrails:
        yield "It has no guardrails."
        return
    if report.empty:
        return
    idle = [each for each in standings if each.state is GuardrailState.NOT_JUDGED]
    because = "; ".join(dict.fromkeys(each.because for each in idle))
    if alarms:
        fired = "A guardrail fired" if len(alarms) == 1 else f"{len(alarms)} guardrails fired"
        yield f"{fired}: {'  '.join(alarm.sentence for alarm in alarms)}"
    elif len(idle) < len(standings):
        yield "No guardrail has fired so far."
    if idle:
        some = f"{len(idle)} of {len(standings)} guardrails {'is' if len(idle) == 1 else 'are'} not"
        yield f"{'No guardrail is' if len(idle) == len(standings) else some} judged, because {because}."


def _of(report: Report, arm: str) -> list[Finding]:
    return [finding for finding in report.comparison.findings if finding.arm == arm]
