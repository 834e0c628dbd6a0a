"""The report of a calibration as plain text."""

from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Final

from earmark.named_file import printable
from workers.calibration import ALL, Calibration, FieldReport
from workers.curves import Platt
from workers.reliability import Estimate, Measures, ReliabilityBin
from workers.risk_coverage import RiskPoint, at_coverage

COVERAGES: Final = (1.0, 0.9, 0.8, 0.7, 0.5)
BAR: Final = 24
"""Characters that a share of 1 is drawn with."""


def report_lines(calibration: Calibration, tempo: Counter[str]) -> list[str]:
    """The whole report; every figure is of recordings that the curves were not fitted on."""
    labels = calibration.labels
    lines = [
        f"Calibration {calibration.id} of {calibration.identity}",
        f"{labels.count} labels about {labels.recordings} recordings from {labels.source}",
        "Held out: every confidence below is of curves fitted on other recordings.  In brackets: 95 % interval over",
        "recordings drawn anew.",
    ]
    for field, report in told_reports(calibration).items():
        title = "all fields together" if field == ALL else f"{field} ({_curve(calibration, field)})"
        lines += ["", title, *_field_lines(report)]
        if field == "tempo_bpm" and tempo["answers"]:
            lines.append(f"  right but for the octave {tempo['near'] / tempo['answers']:.1%}")
    if calibration.unfitted:
        lines += ["", "Uncalibrated:"]
        lines += [f"  {field}: {reason}" for field, reason in calibration.unfitted.items()]
    return [printable(line) for line in lines]


def told_reports(calibration: Calibration) -> dict[str, FieldReport]:
    """The reports by field; that of all fields together only where there are several."""
    fields = dict(calibration.report)
    if len(calibration.curves) == 1:
        fields.pop(ALL, None)
    return fields


def warnings(calibration: Calibration) -> list[str]:
    """Why a person may want to leave what the model says now as it is: a line for each such field."""
    lines = []
    for field, report in told_reports(calibration).items():
        before, after = report.before, report.after
        if field == ALL or before is None or after.brier.value <= before.brier.value:
            continue
        ranks = ""
        if before.auroc is not None and after.auroc is not None and after.auroc.value < before.auroc.value:
            ranks = f", and ranks better, AUROC {before.auroc.value:.3f} against {after.auroc.value:.3f}"
        lines.append(
            f"Warning: {field} is no better for it: held out, what the model says now errs less, Brier "
            f"{before.brier.value:.3f} against {after.brier.value:.3f}{ranks}.  Label more, above all wrong answers, "
            "before this is put to use."
        )
    return lines


def _field_lines(report: FieldReport) -> Iterator[str]:
    yield f"  {report.labels} labels, {report.recordings} recordings, {report.right:.1%} right"
    before, after = report.before, report.after
    chance = f"; {after.ece_by_chance:.3f} if the confidences were exactly true"
    yield _measure("ECE", before.ece if before else None, after.ece) + chance
    yield _measure("Brier", before.brier if before else None, after.brier)
    if after.auroc is not None:
        yield _measure("AUROC", _auroc(before), after.auroc)
    else:
        yield "  AUROC  none: all answers are right, or all are wrong"
    if before is not None and after.brier.value > before.brier.value:
        yield "  No better than before: label more, above all wrong answers, before this is put to use."
    yield "  confidence      answers   mean   right  (95 %)"
    yield from (_bin_line(each) for each in report.bins)
    yield "  kept    threshold   wrong among the kept   recordings sent on"
    yield from _coverage_lines(report.curve)


def _measure(name: str, before: Estimate | None, after: Estimate) -> str:
    return f"  {name:6} " + (f"{before} before, " if before is not None else "") + f"{after} after"


def _auroc(measures: Measures | None) -> Estimate | None:
    return None if measures is None else measures.auroc


def _bin_line(each: ReliabilityBin) -> str:
    right = each.right
    bar = "".join(
        "|" if place == round(each.confidence * BAR) else "#" if place < round(right.value * BAR) else "."
        for place in range(BAR + 1)
    )
    interval = f"({right.low:.2f} to {right.high:.2f})"
    scale = f"  {each.low:.1f} to {each.high:.1f}  {each.answers:10}"
    return f"{scale}  {each.confidence:.3f}   {right.value:.3f}  {interval}  {bar}"


def _coverage_lines(curve: Sequence[RiskPoint]) -> Iterator[str]:
    points = dict.fromkeys(at_coverage(curve, share) for share in COVERAGES)
    for point in points:
        yield (f"  {point.coverage.value:6.1%}       {point.threshold:.2f}  {point.risk}  {point.recordings_sent:8.1%}")


def _curve(calibration: Calibration, field: str) -> str:
    """How the field is calibrated, in words."""
    curves = calibration.curves[field]
    parts = []
    if curves.scored is not None:
        kind = "Platt" if isinstance(curves.scored, Platt) else "isotonic"
        parts.append("level: the score tells nothing" if curves.scored.is_level else kind)
    if curves.unscored is not None:
        parts.append(f"{curves.unscored.confidence():.2f} for answers without a score")
    return ", ".join(parts)
