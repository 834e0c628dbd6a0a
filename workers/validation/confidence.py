"""How well confidences hold on labelled answers, as figures."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence

import numpy as np

from workers.calibration import Calibration
from workers.calibration_fit import Label
from workers.reliability import Estimate, Measures, measure
from workers.validation.figures import Doubt, Finding, Measurement


def confidence_findings(
    labels: Sequence[Label], fitted: Calibration | None, *, labels_sha256: str
) -> Iterator[Finding]:
    """Calibration error, ranking and their intervals, over all fields and for each.

    Args:
        labels: answers that were judged.
        fitted: what gives answers their confidences; None = the model's own.
        labels_sha256: of what the labels come from.
    """
    rated = [(label, confidence) for label in labels if (confidence := confidence_of(label, fitted)) is not None]
    yield Measurement("labels", len(rated), _left_out(len(labels) - len(rated), labels, fitted))
    yield Measurement("recordings", len({label.recording for label, _ in rated}))
    if fitted is not None and fitted.labels.sha256 == labels_sha256:
        yield Doubt(f"the calibration {fitted.id} was fitted on these very labels; judge it on others")
    if not rated:
        return
    yield Measurement("right", sum(label.right for label, _ in rated) / len(rated), "of the answers")
    overall = _measured(rated)
    yield _estimated("ece", overall.ece, f"{overall.ece_by_chance:.3f} of it by chance")
    yield _estimated("brier", overall.brier)
    if overall.auroc is None:
        yield Doubt("all answers are right, or all are wrong: no AUROC")
    else:
        yield _estimated("auroc", overall.auroc)
    by_field: dict[str, list[tuple[Label, float]]] = defaultdict(list)
    for label, confidence in rated:
        by_field[label.field].append((label, confidence))
    for field in sorted(by_field):
        measures = _measured(by_field[field])
        yield _estimated(f"ece_{field}", measures.ece, f"{len(by_field[field])} labels")
        if measures.auroc is not None:
            yield _estimated(f"auroc_{field}", measures.auroc)


def confidence_of(label: Label, fitted: Calibration | None) -> float | None:
    """The confidence a record gives an answer, or else its raw score, which the cascade takes for one."""
    curves = None if fitted is None else fitted.curves.get(label.field)
    confidence = None if curves is None else curves.confidence(label.score)
    if confidence is None:
        confidence = label.score if label.confidence is None else label.confidence
    return confidence


def _left_out(count: int, labels: Sequence[Label], fitted: Calibration | None) -> str:
    curves = {} if fitted is None else fitted.curves
    raw = sum(label.confidence is None and label.score is not None and label.field not in curves for label in labels)
    parts = [
        f"{raw} by their raw score, for lack of a confidence" if raw else "",
        f"{count} more without confidence or score are left out" if count else "",
    ]
    return "; ".join(part for part in parts if part)


def _measured(rated: Sequence[tuple[Label, float]]) -> Measures:
    numbers = np.unique([label.recording for label, _ in rated], return_inverse=True)[1]
    return measure(
        np.array([confidence for _, confidence in rated], float),
        np.array([label.right for label, _ in rated], bool),
        np.asarray(numbers, np.intp),
    )


def _estimated(name: str, estimate: Estimate, detail: str = "") -> Measurement:
    interval = f"95 % interval {estimate.low:.3f} to {estimate.high:.3f}"
    return Measurement(
        name, estimate.value, f"{interval}; {detail}" if detail else interval, estimate.low, estimate.high
    )
