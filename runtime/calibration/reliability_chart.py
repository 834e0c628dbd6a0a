"""The picture of a calibration: for each field how well its confidences hold, and what is kept at what risk."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Final

from runtime.calibration.text import told_reports
from runtime.svg import AFTER, BEFORE, INK, QUIET, Panel, percent, picture
from workers.calibration import ALL, Calibration, FieldReport
from workers.reliability import ReliabilityBin
from workers.risk_coverage import KEPT_LEAST, RiskPoint

SIDE, LOW = 230.0, 60.0
"""Width of a panel, and the space left of it."""
ROW: Final = 330.0
HEAD: Final = 96.0
DOT_LEAST, DOT_MOST = 2.5, 9.0
TOPS: Final = (0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.75, 1.0)
"""How high an axis of error rates goes."""


def reliability_chart(calibration: Calibration) -> str:
    """An SVG: two panels a field, reliability before and after and the risk-coverage curve, all on held-out answers."""
    fields = list(told_reports(calibration))
    column = 2 * (SIDE + LOW) + 30
    columns = 2 if len(fields) > 1 else 1
    width, height = columns * column + 20, HEAD + ROW * math.ceil(len(fields) / columns)
    head = Panel(20, 20, width, HEAD)
    title = f"How well the confidences of {calibration.identity} hold"
    head.text(20, 30, title, size=17, weight=600)
    head.text(
        20,
        50,
        f"Held-out answers, {calibration.labels.count} labels about {calibration.labels.recordings} recordings. "
        "Dots on the diagonal mean what they say; a larger dot stands for more answers, its line for 95 %.",
        size=11,
        colour=QUIET,
    )
    _legend(head)
    panels = [head]
    for place, field in enumerate(fields):
        left = (place % columns) * column + LOW
        upper = HEAD + (place // columns) * ROW + 20
        report = calibration.report[field]
        name = "all fields" if field == ALL else field
        panels += [_reliability(report, name, left, upper), _risk(report, left + SIDE + LOW + 5, upper)]
    description = "; ".join(
        f"{field}: calibration error {calibration.report[field].after.ece.value:.3f}" for field in fields
    )
    return picture(width, height, title, description, panels)


def _legend(panel: Panel) -> None:
    marks = Panel(0, 0, 1, 1)
    for x, colour, hollow, words in ((26.0, BEFORE, True, "as the model said it"), (170.0, AFTER, False, "calibrated")):
        # A panel of one pixel, so that places in it are pixels of the picture.
        marks.dot((x, 1 - 68.0), 5, colour, hollow=hollow)
        marks.text(x + 10, 72, words, size=11, colour=INK)
    panel.parts += marks.parts


def _reliability(report: FieldReport, name: str, left: float, upper: float) -> Panel:
    panel = Panel(left, upper, SIDE, SIDE)
    panel.axes(name, "confidence", "right")
    panel.line([(0, 0), (1, 1)], QUIET, 1, dash="4 4")
    _bins(panel, report.before_bins, BEFORE, hollow=True)
    _bins(panel, report.bins, AFTER, hollow=False)
    return panel


def _bins(panel: Panel, bins: Sequence[ReliabilityBin], colour: str, *, hollow: bool) -> None:
    most = max((each.answers for each in bins), default=1)
    for each in bins:
        at = each.confidence
        if not hollow:
            panel.line([(at, each.right.low), (at, each.right.high)], colour, 1.5)
        radius = DOT_LEAST + (DOT_MOST - DOT_LEAST) * math.sqrt(each.answers / most)
        tip = f"{each.answers} answers, confidence {at:.2f}, right {each.right}"
        panel.dot((at, each.right.value), radius, colour, hollow=hollow, tip=tip)


def _risk(report: FieldReport, left: float, upper: float) -> Panel:
    shown = [point for point in report.curve if point.kept >= KEPT_LEAST] or list(report.curve[:1])
    panel = Panel(left, upper, SIDE, SIDE, top=axis_top([point.risk.high for point in shown]))
    panel.axes("", "answers kept", "wrong among the kept")
    before = f"{report.before.ece.value:.3f} → " if report.before is not None else ""
    panel.text(
        left,
        upper - 10,
        f"{report.labels} answers, calibration error {before}{report.after.ece.value:.3f}",
        size=11,
        colour=QUIET,
    )
    lower = [(point.coverage.value, point.risk.low) for point in shown]
    higher = [(point.coverage.value, point.risk.high) for point in shown]
    panel.band(lower, higher, AFTER)
    panel.line([(point.coverage.value, point.risk.value) for point in shown], AFTER, 2)
    for point in _told(shown):
        at = (point.coverage.value, point.risk.value)
        panel.dot(at, 3, AFTER, tip=f"threshold {point.threshold:.2f}: {percent(at[0])} kept, {point.risk} wrong")
        panel.text(panel.x(at[0]), panel.y(at[1]) - 7, f"{point.threshold:.2f}", anchor="end", size=10, colour=INK)
    return panel


def _told(curve: Sequence[RiskPoint]) -> list[RiskPoint]:
    """A few thresholds to name, far enough from each other."""
    wanted = [point for point in curve if round(point.threshold * 100) in {50, 60, 70, 80, 90, 95}]
    kept: list[RiskPoint] = []
    for point in wanted:
        if not kept or kept[-1].coverage.value - point.coverage.value > 0.12:  # noqa: PLR2004  # the width of a number
            kept.append(point)
    return kept


def axis_top(values: Sequence[float]) -> float:
    """The end of an axis that holds all values."""
    most = max(values, default=1.0)
    return next((top for top in TOPS if most <= top), 1.0)
