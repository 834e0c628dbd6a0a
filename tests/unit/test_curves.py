"""Curves from scores to confidences: the two kinds there are, held against theory and against scikit-learn."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.isotonic import IsotonicRegression

from workers.curves import (
    ISOTONIC_FROM,
    LEAST,
    MOST,
    Isotonic,
    Platt,
    fit_constant,
    fit_isotonic,
    fit_platt,
    kind_for,
    log_odds,
)

scores = st.floats(0, 1, allow_nan=False)
labelled = st.lists(st.tuples(scores, st.booleans()), min_size=1, max_size=60)


def sample(slope: float, bias: float, count: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Scores, and answers that are right as a logistic curve over their log odds says."""
    chance = np.random.default_rng(seed)
    odds = chance.normal(0, 2, count)
    given_scores = 1 / (1 + np.exp(-odds))
    return given_scores, chance.random(count) < 1 / (1 + np.exp(-(bias + slope * odds)))


@pytest.mark.parametrize(("slope", "bias"), [(1.0, 0.0), (0.3, -0.5), (2.0, 1.0)])
def test_platt_finds_the_curve_that_made_the_labels(slope: float, bias: float) -> None:
    """With many labels the two numbers come out as they went in."""
    curve = fit_platt(*sample(slope, bias, 40_000))
    assert curve.weights["log_odds"] == pytest.approx(slope, abs=0.06)
    assert curve.bias == pytest.approx(bias, abs=0.06)


@given(labelled)
def test_platt_is_finite_and_never_turns_an_order_round(pairs: list[tuple[float, bool]]) -> None:
    """Whatever the labels, also all right or all wrong: a higher score is worth no less, within the bounds."""
    curve = fit_platt([score for score, _ in pairs], [right for _, right in pairs])
    assert math.isfinite(curve.bias)
    assert curve.weights["log_odds"] >= 0
    confidences = [curve.confidence(score) for score in sorted(score for score, _ in pairs)]
    assert confidences == sorted(confidences)
    assert all(LEAST <= confidence <= MOST for confidence in confidences)


def test_labels_that_are_all_right_stay_doubtful() -> None:
    """Thirty right answers do not prove that the next one is: (n + 1) / (n + 2)."""
    curve = fit_platt([0.9] * 30, [True] * 30)
    assert curve.confidence(0.9) == pytest.approx(31 / 32, abs=1e-4)


def test_a_score_that_lies_is_not_believed() -> None:
    """Where high scores are wrong the curve is level at the share of right answers."""
    curve = fit_platt([0.9] * 50 + [0.1] * 50, [False] * 50 + [True] * 50)
    assert curve.weights == {"log_odds": 0.0}
    assert curve.confidence(0.99) == pytest.approx(0.5, abs=0.01)


@settings(max_examples=200)
@given(labelled)
def test_isotonic_equals_scikit_learn(pairs: list[tuple[float, bool]]) -> None:
    """At the scores fitted on, between them and beyond them, ties included."""
    given_scores, right = np.array([score for score, _ in pairs]), np.array([right for _, right in pairs], float)
    ours = fit_isotonic(given_scores, right.astype(bool))
    # scikit-learn takes scores for equal that differ by less than it can tell; so must the test.
    if len(given_scores) > 1 and np.diff(np.unique(given_scores)).min(initial=1.0) < 1e-9:
        return
    theirs = IsotonicRegression(out_of_bounds="clip").fit(given_scores, right)
    asked = np.concatenate([given_scores, np.linspace(0, 1, 21)])
    expected = np.clip(theirs.predict(asked), LEAST, MOST)
    assert [ours.confidence(score) for score in asked] == pytest.approx(expected.tolist(), abs=1e-9)


@given(labelled, st.lists(scores, min_size=2))
def test_isotonic_never_falls(pairs: list[tuple[float, bool]], asked: list[float]) -> None:
    """A higher score is worth no less, and no confidence leaves the bounds."""
    curve = fit_isotonic([score for score, _ in pairs], [right for _, right in pairs])
    confidences = [curve.confidence(score) for score in sorted(asked)]
    assert confidences == sorted(confidences)
    assert all(LEAST <= confidence <= MOST for confidence in confidences)


@pytest.mark.parametrize(
    ("given_scores", "confidences"),
    [((), ()), ((0.1,), (0.1, 0.2)), ((0.2, 0.1), (0.1, 0.2)), ((0.1, 0.2), (0.3, 0.2))],
)
def test_points_that_do_not_rise_are_no_curve(given_scores: tuple[float, ...], confidences: tuple[float, ...]) -> None:
    """An artefact with such points is refused."""
    with pytest.raises(ValueError, match="rising order"):
        Isotonic(given_scores, confidences)


def test_numbers_must_be_finite() -> None:
    """No curve gives nan."""
    with pytest.raises(ValueError, match="finite"):
        Platt(math.nan, {"log_odds": 1.0})


def test_a_constant_is_the_mean_of_a_beta_posterior() -> None:
    """One right and one wrong answer are added to those seen."""
    assert fit_constant([True] * 7 + [False] * 2).confidence() == pytest.approx(8 / 11)


def test_many_labels_are_fitted_in_steps() -> None:
    """From a thousand labels on."""
    assert (kind_for(ISOTONIC_FROM - 1), kind_for(ISOTONIC_FROM)) == ("platt", "isotonic")


def test_certain_scores_stay_finite() -> None:
    """Scores of 0 and 1 have finite log odds, opposite to each other."""
    assert log_odds(0.0) == pytest.approx(-log_odds(1.0))
