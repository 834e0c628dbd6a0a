"""Confidences held against labels."""

from collections.abc import Sequence
from datetime import UTC, datetime

import numpy as np
import pytest

from workers.calibration import Calibration, FieldCurves, LabelSet
from workers.calibration_fit import Label
from workers.curves import Constant
from workers.validation.confidence import confidence_findings, confidence_of
from workers.validation.figures import Check, Doubt, Finding, Measurement
from workers.validation.targets import Target
from workers.validation.verdict import Status, judge_check

TARGETS = {"labels": Target(limit=1000), "ece": Target(limit=0.05), "auroc": Target(limit=0.75)}


def labels(count: int, right_as_said: float = 1.0, *, scored: bool = False) -> list[Label]:
    """Answers of any confidence, of which that multiple of the confidence is right."""
    chance = np.random.default_rng(1)
    said = chance.random(count)
    return [
        Label(
            field=("content_type", "key")[number % 2],
            right=bool(chance.random() < right_as_said * each),
            recording=str(number // 2),
            score=float(each) if scored else None,
            confidence=None if scored else float(each),
        )
        for number, each in enumerate(said)
    ]


def fitted(sha256: str, curves: dict[str, FieldCurves]) -> Calibration:
    """An artefact."""
    label_set = LabelSet(source="x", sha256=sha256, count=1, recordings=1)
    return Calibration(
        model="m", model_version="1", engine="", prompt_version="", fitted_at=datetime(2026, 1, 1, tzinfo=UTC),
        labels=label_set, curves=curves,
    )  # fmt: skip


def figures(found: Sequence[Finding]) -> dict[str, Measurement]:
    """By name."""
    return {finding.name: finding for finding in found if isinstance(finding, Measurement)}


@pytest.mark.parametrize(
    ("count", "right_as_said", "status"),
    [(2000, 1.0, Status.PASS), (2000, 0.6, Status.FAIL), (500, 1.0, Status.UNDECIDED)],
)
def test_confidences_that_hold_pass_and_others_do_not(count: int, right_as_said: float, status: Status) -> None:
    """Enough of them; every figure has an interval around it, over all fields and for each."""
    found = list(confidence_findings(labels(count, right_as_said), None, labels_sha256="a"))
    assert judge_check(Check.CALIBRATION, found, TARGETS).status is status
    by_name = figures(found)
    assert {"ece", "auroc", "brier", "ece_key", "auroc_key", "ece_content_type"} <= set(by_name)
    for name in ("ece", "auroc", "brier"):
        measured = by_name[name]
        assert measured.low is not None
        assert measured.high is not None
        assert measured.low <= measured.value <= measured.high


def test_a_raw_score_counts_where_there_is_no_confidence() -> None:
    """As in the cascade, and it says for how many."""
    found = figures(list(confidence_findings(labels(100, scored=True), None, labels_sha256="a")))
    assert found["labels"].value == 100
    assert "100 by their raw score" in found["labels"].detail


def test_the_artefact_goes_before_what_the_record_said() -> None:
    """For the fields it has a curve for."""
    curve = FieldCurves(unscored=Constant(share=0.3))
    calibration = fitted("b", {"key": curve})
    said = Label(field="key", right=True, recording="1", confidence=0.99)
    other = Label(field="vocals", right=True, recording="1", confidence=0.99)
    assert confidence_of(said, calibration) == pytest.approx(0.3)
    assert confidence_of(other, calibration) == 0.99


def test_judging_on_the_labels_of_the_fit_decides_nothing() -> None:
    """However good it looks."""
    found = list(confidence_findings(labels(2000), fitted("a", {}), labels_sha256="a"))
    assert judge_check(Check.CALIBRATION, found, TARGETS).status is Status.UNDECIDED
    assert any(isinstance(finding, Doubt) and "these very labels" in finding.reason for finding in found)


def test_answers_all_right_have_no_ranking() -> None:
    """And without a ranking nothing is decided."""
    always = [Label("key", right=True, recording=str(number), confidence=0.9) for number in range(1200)]
    found = list(confidence_findings(always, None, labels_sha256="a"))
    assert "auroc" not in figures(found)
    assert judge_check(Check.CALIBRATION, found, TARGETS).status is Status.UNDECIDED


def test_nothing_that_can_be_judged_is_not_decided() -> None:
    """Answers without confidence and score are left out, and that is told."""
    found = list(confidence_findings([Label("key", right=True, recording="1")], None, labels_sha256="a"))
    assert figures(found)["labels"].value == 0
    assert "left out" in figures(found)["labels"].detail
    assert judge_check(Check.CALIBRATION, found, TARGETS).status is Status.UNDECIDED
