"""The report of an experiment as one HTML file: no script, nothing from the network, light and dark."""

from collections.abc import Iterator
from html import escape
from typing import Final

from ab_testing.finding import Finding, RatioState, Verdict
from ab_testing.metrics import METRICS, Better, Kind, Metric
from ab_testing.report import Report
from ab_testing.report_sections import Section, Sheet, guarded, moment, sections
from ab_testing.report_summary import headline, ratio_state, standing, summary
from ab_testing.report_words import VERDICTS, difference, difference_unit, interval, relative
from earmark.named_file import printable
from runtime.ab.interval_chart import MetricInterval, TimedInterval, interval_chart, metric_chart
from runtime.ab.report_style import STYLE

HOUR_S: Final = 3600.0
POLICY: Final = "default-src 'none'; style-src 'unsafe-inline'"
"""What the browser may load: nothing, even if some text were to get out of its place."""
FINE: Final = 0.01
"""Largest figures below this are drawn in a smaller unit."""
NO_BREAK: Final = "\N{NO-BREAK SPACE}"
MARKED: Final = {"better": "better", "worse": "worse", "fired": "worse"}
RATIO: Final = {
    RatioState.BROKEN: "sample ratio broken",
    RatioState.NOT_CHECKED: "sample ratio not checked",
    RatioState.OPEN: "sample ratio open",
    RatioState.MATCHES: "sample ratio holds so far",
}


def as_html(report: Report) -> str:
    """The whole page."""
    return "\n".join(_page(report)) + "\n"


def _page(report: Report) -> Iterator[str]:
    title = headline(report)
    yield '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">'
    yield f'<meta http-equiv="Content-Security-Policy" content="{escape(POLICY)}">'
    yield '<meta name="viewport" content="width=device-width, initial-scale=1">'
    yield '<meta name="color-scheme" content="light dark">'
    yield f"<title>{_shown(title)}</title>\n<style>\n{STYLE}</style>\n</head>\n<body>\n<main>"
    yield f"<h1>{_shown(report.experiment.name)} <small>version {report.experiment.version}</small></h1>"
    yield from _badges(report)
    if report.experiment.description:
        yield f"<p>{_shown(report.experiment.description)}</p>"
    yield '<section class="summary" aria-label="In short">'
    yield from (f"<p>{_shown(sentence)}</p>" for sentence in summary(report))
    yield "</section>"
    for number, section in enumerate(sections(report, every_segment_metric=True)):
        yield from _section(report, section, f"s{number}")
    yield f"<footer>As of {moment(report.seen_at)}.</footer>"
    yield "</main>\n</body>\n</html>"


def _badges(report: Report) -> Iterator[str]:
    state = str(report.state).replace("_", " ")
    yield f'<ul class="badges"><li>{_shown(state)}</li>'
    for arm in report.experiment.treatments:
        told = standing(report, arm.name)
        yield f'<li class="{_kind(told)}">{_shown(arm.name)}: {_shown(told)}</li>'
    if not report.empty:
        state = ratio_state(report)
        yield f'<li class="{"worse" if state is RatioState.BROKEN else ""}">{RATIO[state]}</li>'
    if report.comparison.alarms:
        yield '<li class="worse">a guardrail fired</li>'
    yield "</ul>"


def _section(report: Report, section: Section, ident: str) -> Iterator[str]:
    yield f'<section aria-labelledby="{ident}">\n<h2 id="{ident}">{_shown(section.title)}</h2>'
    if section.key == "notes":
        yield f"<ul>{''.join(f'<li>{_shown(text)}</li>' for text in section.texts)}</ul>"
    else:
        yield from (f"<p>{_shown(text)}</p>" for text in section.texts)
    if section.key == "metrics":
        yield _metric_chart(report, section.arm, ident)
    for sheet in section.sheets:
        if section.key == "segments":
            yield f"<details><summary>{_shown(sheet.title)}</summary>"
            yield from _table(sheet, caption=False)
            yield "</details>"
        else:
            yield from _table(sheet, caption=len(section.sheets) > 1)
    if section.explained:
        yield "<h3>In words</h3>\n<dl>"
        for each in section.explained:
            yield f'<dt><span class="{_kind(each.verdict)}">{_shown(each.verdict)}</span> {_shown(each.metric)}</dt>'
            yield f"<dd>{_shown(each.sentence)}<br>"
            yield f'<span class="change">What would change it: {_shown(each.would_change)}</span></dd>'
        yield "</dl>"
    if section.key == "metrics":
        yield from _courses(report, section.arm, ident)
    yield "</section>"


def _table(sheet: Sheet, *, caption: bool = True) -> Iterator[str]:
    hidden = "" if caption else ' class="unseen"'
    yield f'<div class="wide" role="region" tabindex="0" aria-label="{_shown(sheet.title)}">'
    yield f"<table>\n<caption{hidden}>{_shown(sheet.title)}</caption>\n<thead><tr>"
    yield "".join(f'<th scope="col"{_right(column.figures)}>{_shown(column.name)}</th>' for column in sheet.columns)
    yield "</tr></thead>\n<tbody>"
    for row in sheet.rows:
        first = f'<th scope="row">{_shown(row[0])}</th>'
        cells = zip(row[1:], sheet.columns[1:], strict=True)
        yield f"<tr>{first}{''.join(_cell(cell, figures=column.figures) for cell, column in cells)}</tr>"
    yield "</tbody>\n</table>\n</div>"


def _cell(cell: str, *, figures: bool) -> str:
    if cell in MARKED:
        return f'<td><span class="{MARKED[cell]}">{_shown(cell)}</span></td>'
    words = _shown(cell)
    if figures:  # a figure stays with its unit; an interval may break in its middle
        words = words.replace(" ", NO_BREAK).replace(f"{NO_BREAK}to{NO_BREAK}", f"{NO_BREAK}to ")
    return f"<td{_right(figures)}>{words}</td>"


def _right(figures: bool) -> str:  # noqa: FBT001  # a column's own word
    return ' class="n"' if figures else ""


def _metric_chart(report: Report, arm: str, ident: str) -> str:
    margins = guarded(report)
    # what is withheld has no interval, and a bar without ends would look like one of any length
    told = [finding for finding in _findings(report, arm) if finding.verdict is not Verdict.WITHHELD]
    rows = [_turned(finding, margins.get(finding.metric)) for finding in told]
    title = f"Relative differences of {arm} with their intervals"
    chart = metric_chart(f"{ident}-m", title, rows)
    note = "Dots are differences, lines their intervals, arrows go on; a tall mark is what a guardrail allows."
    return f'<figure><div class="wide">{chart}</div><figcaption>{note}</figcaption></figure>' if chart else ""


def _turned(finding: Finding, margin: float | None) -> MetricInterval:
    """A finding as a share of the control's value, above zero where it is worse."""
    metric = METRICS[finding.metric]
    sign = 1.0 if metric.better is Better.LOWER else -1.0
    tip = f"{metric.title}: {relative(finding.relative)}, {VERDICTS[finding.verdict]}"
    if finding.relative is None or not finding.difference:
        scale = None if finding.relative is None or not finding.control else sign / abs(finding.control)
    else:
        scale = sign * finding.relative / finding.difference
    if scale is None:
        return MetricInterval(metric.title, None, None, None, VERDICTS[finding.verdict], margin, tip)
    ends = [None if end is None else end * scale for end in (finding.low, finding.high)]
    low, high = ends if sign > 0 else reversed(ends)
    centre = (finding.difference or 0.0) * scale
    return MetricInterval(metric.title, centre, low, high, VERDICTS[finding.verdict], margin, tip)


def _courses(report: Report, arm: str, ident: str) -> Iterator[str]:
    charts = [
        chart
        for place, finding in enumerate(_findings(report, arm))
        if (chart := _course(report, arm, METRICS[finding.metric], f"{ident}-c{place}"))
    ]
    if charts:
        yield "<h3>Differences over time</h3>"
        yield "<p>What one would have seen at each look: the line is the difference, the band its interval.</p>"
        yield '<div class="charts">'
        yield from (f"<figure>{chart}</figure>" for chart in charts)
        yield "</div>"


def _course(report: Report, arm: str, metric: Metric, ident: str) -> str:
    if not report.looks:
        return ""
    start = report.started_at or report.looks[0].at
    looks = [
        TimedInterval(
            (look.at - start).total_seconds() / HOUR_S,
            past.difference,
            past.low,
            past.high,
            f"{moment(look.at)}: {difference(metric, past.difference)}, {interval(metric, past.low, past.high)}",
        )
        for look in report.looks
        for past in look.findings
        if (past.metric, past.arm) == (metric.name, arm)
    ]
    unit, scale = _unit(metric, looks)
    return interval_chart(ident, metric.title, looks, unit=unit, scale=scale, worse_above=metric.better is Better.LOWER)


def _unit(metric: Metric, looks: list[TimedInterval]) -> tuple[str, float]:
    """What a difference is drawn in, so that its numbers are short, and what it is multiplied with for that."""
    if metric.kind is Kind.RATE:
        return difference_unit(metric), 100.0
    ends = [abs(end) for end in (looks[-1].low, looks[-1].high) if end is not None] if looks else []
    small = max(ends, default=1.0)
    if metric.unit == "USD" and small < FINE:
        return ("USD in 1,000 jobs", 1e3) if small >= FINE / 1e3 else ("USD in 1,000,000 jobs", 1e6)
    return ("ms", 1e3) if metric.unit == "s" and small < FINE else (metric.unit, 1.0)


def _findings(report: Report, arm: str) -> list[Finding]:
    return [finding for finding in report.comparison.findings if finding.arm == arm]


def _kind(words: str) -> str:
    return words if words in {"better", "worse"} else "worse" if "worse" in words else "open"


def _shown(words: str) -> str:
    return escape(printable(words))
