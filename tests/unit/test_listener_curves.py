"""The listener's own curves, and the file they ship in."""

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from earmark.vocabulary import Basis
from workers.curves import LEAST, MOST, Platt, log_odds
from workers.models.listener.built_in import BuiltInCurves


@given(st.floats(0, 1), st.floats(0, 1))
def test_a_higher_score_never_means_less_confidence(one: float, other: float) -> None:
    """Curves with a positive weight rise, and stay within their bounds."""
    curves = BuiltInCurves({"content_type": Platt(-0.3, {"log_odds": 0.7})})
    low, high = (curves.rated("content_type", "music", score).confidence for score in sorted((one, other)))
    assert low is not None
    assert high is not None
    assert LEAST <= low <= high <= MOST


def test_a_field_without_a_curve_is_uncalibrated() -> None:
    """No confidence is invented; the raw score is kept."""
    rated = BuiltInCurves({}).rated("genres", "rock", 0.4)
    assert (rated.value, rated.confidence, rated.basis, rated.score) == ("rock", None, Basis.UNCALIBRATED, 0.4)


def test_a_calibrated_answer_keeps_its_score() -> None:
    """So that other curves can be fitted over the scores of stored records."""
    rated = BuiltInCurves({"vocals": Platt(1.0, {"log_odds": 1.0})}).rated("vocals", "male", 0.4)
    assert (rated.basis, rated.score) == (Basis.CALIBRATED, 0.4)


def test_a_label_falls_back_on_its_field() -> None:
    """``instruments/piano`` uses its own curve, or else that of ``instruments``."""
    curves = BuiltInCurves({"instruments": Platt(0.0, {}), "instruments/piano": Platt(2.0, {})})
    assert curves.rated("instruments/piano", "piano", 0.5).confidence == pytest.approx(0.8808, abs=1e-4)
    assert curves.rated("instruments/flute", "flute", 0.5).confidence == pytest.approx(0.5)


def test_certain_scores_stay_finite() -> None:
    """Scores of 0 and 1 have finite log odds, opposite to each other."""
    assert log_odds(0.0) == pytest.approx(-log_odds(1.0))


def test_the_shipped_curves_load() -> None:
    """Every field that claims a curve has one, and the file says what it was fitted on."""
    shipped = BuiltInCurves.load()
    for field in ("content_type", "instruments", "vocals"):
        assert shipped.calibrated(field, {"log_odds": 0.0}) is not None
    assert len(str(shipped.made["corpus_sha256"])) == 64


def test_shipped_scores_rise() -> None:
    """More certain models are trusted more."""
    shipped = BuiltInCurves.load()
    for field in ("content_type", "instruments", "vocals"):
        low, high = (shipped.calibrated(field, {"log_odds": odds}) for odds in (-1.0, 3.0))
        assert low is not None
        assert high is not None
        assert low < high


def test_another_format_is_refused(tmp_path: Path) -> None:
    """A file of another version is not half understood."""
    path = tmp_path / "calibration.json"
    path.write_text(json.dumps({"version": 99, "curves": {}, "made": {}}))
    with pytest.raises(ValueError, match="format version 99"):
        BuiltInCurves.load(path)
