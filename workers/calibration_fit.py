"""Fits a calibration to labels, and judges it on recordings it was not fitted on.

Every figure of the report comes from ten folds that share no recording: the confidences of each fold are those of
curves fitted on the other nine.  What ships is then fitted on all labels.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from workers.calibration import ALL, Calibration, FieldCurves, FieldReport, Identity, LabelSet
from workers.curves import Flags, Floats, fit_constant, fit_scores, kind_for
from workers.reliability import measure, reliability_bins
from workers.risk_coverage import risk_curve

LABELS_LEAST: Final = 30
"""Labels of one kind below which a field stays uncalibrated."""
RECORDINGS_LEAST: Final = 10
"""Recordings from which they must come, since answers about one recording err together."""
EITHER_LEAST: Final = 5
"""Right answers, and wrong ones, below which nothing can be learnt about what tells them apart."""
FOLDS: Final = 10
SEED: Final = 0


@dataclass(frozen=True, slots=True)
class Label:
    """An answer, and whether it was right."""

    field: str
    right: bool
    recording: str
    """Answers about the same recording err together."""
    score: float | None = None
    """The model's raw score, 0 to 1."""
    confidence: float | None = None
    """What the record said, where it said something."""
    named: bool = True
    """Whether the recording is known; else each label counts as one of its own."""

    @property
    def content(self) -> tuple[object, ...]:
        """What two labels have in common that may be one told twice."""
        return self.field, self.score, self.confidence, self.right, self.recording if self.named else None


@dataclass(frozen=True, slots=True)
class _HeldOut:
    """Answers with the confidences of curves that were not fitted on their recordings."""

    confidences: Floats
    right: Flags
    recordings: NDArray[np.str_]
    before: Floats
    """nan where the model said nothing."""


def fit(labels: Sequence[Label], *, identity: Identity, label_set: LabelSet, fitted_at: datetime) -> Calibration:
    """The calibration that the labels allow; fields with too few of them stay uncalibrated, and it says so."""
    by_field: dict[str, list[Label]] = defaultdict(list)
    for label in labels:
        by_field[label.field].append(label)
    folds = _folds(sorted({label.recording for label in labels}))
    curves: dict[str, FieldCurves] = {}
    unfitted: dict[str, str] = {}
    held_out: dict[str, _HeldOut] = {}
    for field, mine in by_field.items():
        scored = [label for label in mine if label.score is not None]
        unscored = [label for label in mine if label.score is None]
        usable = [part for part in (scored, unscored) if _enough(part)]
        if not usable:
            unfitted[field] = _too_few(mine)
            continue
        kind = kind_for(len({label.content for label in scored}))
        fitted = [label for part in usable for label in part]
        curves[field] = _curves(fitted, kind)
        held_out[field] = _held_out(fitted, curves[field], kind, folds)
    report = {field: _report(answers) for field, answers in held_out.items()}
    if held_out:
        parts = list(held_out.values())
        report[ALL] = _report(
            _HeldOut(
                *(np.concatenate([getattr(part, name) for part in parts]) for name in _HeldOut.__dataclass_fields__)
            )
        )
    return Calibration(
        model=identity.model,
        model_version=identity.model_version,
        engine=identity.engine,
        prompt_version=identity.prompt_version,
        fitted_at=fitted_at,
        labels=label_set,
        curves=curves,
        report=report,
        unfitted=unfitted,
    )


def _enough(labels: Sequence[Label]) -> bool:
    return _many(labels) and EITHER_LEAST <= sum(label.right for label in labels) <= len(labels) - EITHER_LEAST


def _many(labels: Sequence[Label]) -> bool:
    return len(labels) >= LABELS_LEAST and len({label.recording for label in labels}) >= RECORDINGS_LEAST


def _too_few(labels: Sequence[Label]) -> str:
    for part in ([label for label in labels if (label.score is None) is unscored] for unscored in (False, True)):
        if _many(part):
            right = sum(label.right for label in part)
            return (
                f"{right} right and {len(part) - right} wrong answers; it takes {EITHER_LEAST} of either to learn what "
                "tells them apart.  What the model says now stays"
            )
    recordings = len({label.recording for label in labels})
    return (
        f"{len(labels)} labels from {recordings} recordings; it takes {LABELS_LEAST} from {RECORDINGS_LEAST}, "
        "those with a score and those without counted apart"
    )


def _curves(labels: Sequence[Label], kind: str) -> FieldCurves:
    """The curves of one field, for answers with a score and for those without, where there are any."""
    scored = [label for label in labels if label.score is not None]
    unscored = [label.right for label in labels if label.score is None]
    scores = [label.score for label in scored if label.score is not None]
    return FieldCurves(
        scored=fit_scores(scores, [label.right for label in scored], kind) if scored else None,
        unscored=fit_constant(unscored) if unscored else None,
    )


def _held_out(labels: Sequence[Label], whole: FieldCurves, kind: str, folds: Mapping[str, int]) -> _HeldOut:
    """The confidences that each fold gets from curves fitted on the others.

    Where the curve of all labels gives every answer the same confidence, that one is taken: from fold to fold it would
    differ only by being lower where the fold is better, which is no fault of the confidences.
    """
    places = np.array([folds[label.recording] for label in labels])
    confidences = np.zeros(len(labels))
    for fold in np.unique(places).tolist():
        curves = _curves([label for label, place in zip(labels, places, strict=True) if place != fold], kind)
        for index in np.flatnonzero(places == fold).tolist():
            score = labels[index].score
            confidence = (whole if whole.is_level(score) else curves).confidence(score)
            confidences[index] = 0.5 if confidence is None else confidence
    before = [label.score if label.confidence is None else label.confidence for label in labels]
    return _HeldOut(
        confidences=confidences,
        right=np.array([label.right for label in labels]),
        recordings=np.array([label.recording for label in labels]),
        before=np.array([math.nan if value is None else value for value in before]),
    )


def _report(answers: _HeldOut) -> FieldReport:
    recordings = _numbered(answers.recordings)
    said = ~np.isnan(answers.before)
    before: dict[str, Any] = {"before": None, "before_bins": ()}
    if said.any():
        confidences, right = answers.before[said], answers.right[said]
        before = {
            "before": measure(confidences, right, _numbered(answers.recordings[said])),
            "before_bins": reliability_bins(confidences, right),
        }
    return FieldReport(
        labels=len(answers.right),
        recordings=int(recordings.max()) + 1,
        right=float(answers.right.mean()),
        before_labels=int(said.sum()),
        after=measure(answers.confidences, answers.right, recordings),
        bins=reliability_bins(answers.confidences, answers.right),
        curve=risk_curve(answers.confidences, answers.right, recordings),
        **before,
    )


def _numbered(names: NDArray[np.str_]) -> NDArray[np.intp]:
    numbers: NDArray[np.intp] = np.unique(names, return_inverse=True)[1]
    return numbers


def _folds(recordings: Sequence[str]) -> dict[str, int]:
    """A fold for each recording, drawn with a fixed seed."""
    drawn = np.random.default_rng(SEED).permutation(len(recordings))
    return {recording: int(place) % FOLDS for recording, place in zip(recordings, drawn, strict=True)}
