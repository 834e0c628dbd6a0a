"""The report in sections of text and tables, the same for the terminal, for Markdown and for HTML."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from ab_testing.finding import Finding, Verdict
from ab_testing.metrics import METRICS
from ab_testing.report import Report
from ab_testing.report_pairs import ShadowPairs
from ab_testing.report_words import (
    DASH,
    GUARDRAILS,
    VERDICTS,
    count,
    difference,
    evidence,
    interval,
    percent,
    relative,
    shown,
)

KINDS: Final = {"tier": "tier", "duration": "length of the audio", "language": "language"}
"""What segments are called."""
DECISIONS_MOST: Final = 20


@dataclass(frozen=True, slots=True)
class Column:
    """A column of a table."""

    name: str
    figures: bool = True
    """Whether it holds figures, which are set to the right."""
    lines: bool = False
    """Whether its texts have line breaks of their own, and no others."""


@dataclass(frozen=True, slots=True)
class Sheet:
    """A table of texts."""

    title: str
    columns: tuple[Column, ...]
    rows: tuple[tuple[str, ...], ...]


@dataclass(frozen=True, slots=True)
class Explained:
    """A metric's verdict in a sentence, and what would change it."""

    metric: str
    verdict: str
    sentence: str
    would_change: str


@dataclass(frozen=True, slots=True)
class Section:
    """A part of the report."""

    key: str
    """Names it for renderings that add pictures: ``metrics``, ``arms``, ``segments``, ``shadow``, ``decisions``."""
    title: str
    arm: str = ""
    """The treatment arm it is about, if it is about one."""
    texts: tuple[str, ...] = ()
    sheets: tuple[Sheet, ...] = ()
    explained: tuple[Explained, ...] = ()


def sections(report: Report, *, narrow: bool = False, every_segment_metric: bool = False) -> tuple[Section, ...]:
    """All sections that have something to say.

    Args:
        report: of which.
        narrow: whether metrics are told by their short names, in few columns, for a terminal.
        every_segment_metric: whether segments are told by every metric; else by those with a guardrail.
    """
    return tuple(
        section
        for section in (
            _checks(report),
            *(_metrics(report, arm.name, narrow=narrow) for arm in report.experiment.treatments),
            _arms(report),
            *(_segments(report, arm.name, every=every_segment_metric) for arm in report.experiment.treatments),
            *map(_shadow, report.pairs),
            _decisions(report),
            _notes(report),
        )
        if section.texts or section.sheets
    )


def level(report: Report) -> str:
    """How sure intervals are: ``95 %``."""
    return percent(1 - report.experiment.alpha)


def moment(at: datetime) -> str:
    """A moment in UTC."""
    return f"{at:%Y-%m-%d %H:%M} UTC"


def guarded(report: Report) -> dict[str, float]:
    """Margins by metric."""
    return {guardrail.metric: guardrail.margin for guardrail in report.experiment.guardrails}


def _checks(report: Report) -> Section:
    margins = guarded(report)
    rows = [
        (
            METRICS[each.metric].title,
            each.arm,
            f"up to {percent(margins[each.metric])} worse" if margins[each.metric] else "no worse",
            GUARDRAILS[each.state] + (f", because {each.because}" if each.because else ""),
        )
        for each in report.comparison.guardrails
    ]
    columns = tuple(Column(name, figures=False) for name in ("metric", "arm", "allowed", "now"))
    return Section(
        "checks",
        "Guardrails and sample ratio",
        texts=(
            *(alarm.sentence for alarm in report.comparison.alarms),
            *(ratio.sentence for ratio in report.comparison.ratios),
        ),
        sheets=(Sheet("Guardrails", columns, tuple(rows)),) if rows else (),
    )


def _metrics(report: Report, arm: str, *, narrow: bool) -> Section:
    control = report.experiment.control.name
    findings = [finding for finding in report.comparison.findings if finding.arm == arm]
    wide = map(Column, ("difference", f"{level(report)} interval", "relative"))
    columns = (
        Column("metric", figures=False),
        Column(control),
        Column(arm),
        *([Column(f"difference, {level(report)} interval", lines=True)] if narrow else wide),
        Column("e-value"),
        Column("verdict", figures=False),
    )
    rows = [_narrow(finding) if narrow else _metric_row(finding) for finding in findings]
    title = f"{arm} against {control}"
    return Section(
        "metrics",
        title,
        arm,
        texts=("Verdicts are withheld, for the reason given at the top.",) if report.comparison.withheld else (),
        sheets=(Sheet(title, columns, tuple(rows)),) if rows else (),
        explained=tuple(
            Explained(METRICS[finding.metric].title, VERDICTS[finding.verdict], finding.sentence, finding.would_change)
            for finding in findings
            if finding.verdict is not Verdict.WITHHELD
        ),
    )


def _metric_row(finding: Finding) -> tuple[str, ...]:
    metric = METRICS[finding.metric]
    return (
        metric.title,
        shown(metric, finding.control),
        shown(metric, finding.treatment),
        difference(metric, finding.difference),
        interval(metric, finding.low, finding.high),
        relative(finding.relative),
        evidence(finding.e_value),
        VERDICTS[finding.verdict],
    )


def _narrow(finding: Finding) -> tuple[str, ...]:
    """The same in fewer columns; a line break parts the difference from its interval."""
    _, control, treatment, by, between, share, *rest = _metric_row(finding)
    moved = f"{by} ({share})" if finding.relative is not None else by
    return (finding.metric, control, treatment, moved if between == DASH else f"{moved}\n{between}", *rest)


def _arms(report: Report) -> Section:
    columns = (
        Column("arm", figures=False),
        Column("model", figures=False),
        *map(Column, ("share", "assigned", "ended", "failed", "rejected", "diverted", "cold", "cost USD")),
    )
    cost = METRICS["cost_usd"]
    rows = tuple(
        (
            arm.name,
            arm.model or "as set",
            percent(arm.share),
            *map(count, (arm.assigned, arm.ended, arm.failed, arm.rejected, arm.diverted, arm.cold)),
            shown(cost, arm.cost_usd).removesuffix(" USD"),
        )
        for arm in report.arms
    )
    return Section("arms", "Arms", sheets=(Sheet("Arms", columns, rows),))


def _segments(report: Report, arm: str, *, every: bool) -> Section:
    chosen = report.experiment.metrics if every else tuple(guarded(report)) or report.experiment.metrics[:1]
    kinds = list(dict.fromkeys(segment.kind for segment in report.segments))
    sheets = []
    for kind in kinds:
        name = KINDS.get(kind, kind)
        columns = (
            Column(name, figures=False),
            Column("jobs"),
            Column("metric", figures=False),
            *map(Column, (report.experiment.control.name, arm, "difference", "interval")),
        )
        rows = tuple(
            _segment_row(segment.value, dict(segment.jobs)[arm], finding)
            for segment in report.segments
            if segment.kind == kind
            for finding in segment.findings
            if finding.arm == arm and finding.metric in chosen
        )
        if rows:
            sheets.append(Sheet(f"By {name}", columns, rows))
    text = (
        "Exploratory: of many parts some differ by chance alone, so no verdict is given here and nothing acts on them. "
        f" Jobs are those of {arm}."
    )
    return Section(
        "segments", f"Segments of {arm} (exploratory)", arm, texts=(text,) if sheets else (), sheets=tuple(sheets)
    )


def _segment_row(value: str, jobs: int, finding: Finding) -> tuple[str, ...]:
    metric = METRICS[finding.metric]
    return (
        value or DASH,
        count(jobs),
        metric.name,
        shown(metric, finding.control),
        shown(metric, finding.treatment),
        difference(metric, finding.difference),
        interval(metric, finding.low, finding.high),
    )


def _shadow(pairs: ShadowPairs) -> Section:
    failed = f"; for {count(pairs.failed)} of them it has no answer" if pairs.failed else ""
    differences = tuple(
        (
            METRICS[each.metric].title,
            count(each.pairs),
            difference(METRICS[each.metric], each.difference),
            interval(METRICS[each.metric], each.low, each.high),
        )
        for each in pairs.differences
    )
    agreements = tuple(
        (
            each.field,
            count(each.pairs),
            percent(each.share),
            DASH if each.low is None else f"{percent(each.low)} to {percent(each.high)}",
        )
        for each in pairs.agreements
    )
    sheets = [
        Sheet(
            "Paired differences, shadow minus what the customer got",
            (Column("figure", figures=False), Column("pairs"), Column("difference"), Column("interval")),
            differences,
        )
    ]
    if agreements:
        sheets.append(
            Sheet(
                "How often both gave a field the same value",
                (Column("field", figures=False), Column("pairs"), Column("agree"), Column("interval")),
                agreements,
            )
        )
    return Section(
        "shadow",
        f"{pairs.arm} in the shadow",
        pairs.arm,
        texts=(
            f"Its model heard {count(pairs.pairs)} uploads too, and no customer was shown what it said{failed}.",
            "Where both models agree both may be wrong; where they differ either may be right.",
        ),
        sheets=tuple(sheets),
    )


def _decisions(report: Report) -> Section:
    columns = tuple(Column(name, figures=False) for name in ("when", "who", "what", "coverage", "why"))
    rows = tuple(
        (
            moment(each.at),
            each.actor,
            str(each.action).replace("_", " "),
            percent(each.coverage),
            each.reason or DASH,
        )
        for each in report.decisions[-DECISIONS_MOST:]
    )
    return Section("decisions", "Decisions", sheets=(Sheet("Decisions", columns, rows),) if rows else ())


def _notes(report: Report) -> Section:
    notes = (note for note in report.comparison.notes if note != report.comparison.withheld)
    return Section("notes", "What to know", texts=(*notes, *_reading(report)))


def _reading(report: Report) -> Iterator[str]:
    alpha = report.experiment.alpha
    yield (
        "Intervals and e-values hold at every look, so this may be read at any time and as often as one likes: of "
        f"experiments in which an arm does not differ in a metric, that metric is ever called better or worse in at "
        f"most {percent(alpha)}."
    )
    yield (
        f"An e-value is the evidence against there being no difference; {evidence(1 / alpha)} is needed.  A dash "
        "means: not known.  Differences of rates are in percentage points.  A relative difference is the difference "
        "over the control's value, as both are shown."
    )
    yield "Nothing is promoted by itself: a better arm becomes the primary model when a person sets it."
