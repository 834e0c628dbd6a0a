"""Measures of how well confidences hold, held against their definitions and against scikit-learn."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import brier_score_loss, roc_auc_score

from workers.reliability import (
    bootstrap,
    brier_score,
    calibration_error,
    error_by_chance,
    measure,
    ranking,
    reliability_bins,
    risk_area,
    share_estimate,
)

answers = st.lists(st.tuples(st.floats(0, 1), st.booleans()), min_size=1, max_size=50)


def columns(pairs: list[tuple[float, bool]]) -> tuple[np.ndarray, np.ndarray]:
    """Confidences and whether each answer is right."""
    return np.array([confidence for confidence, _ in pairs]), np.array([right for _, right in pairs])


@given(answers)
def test_calibration_error_is_bounded(pairs: list[tuple[float, bool]]) -> None:
    """It is a distance between shares."""
    assert 0.0 <= calibration_error(*columns(pairs)) <= 1.0


def test_true_confidences_have_little_calibration_error() -> None:
    """Answers that are right as often as is said show no more than chance does."""
    chance = np.random.default_rng(2)
    confidences = chance.random(20_000)
    error = calibration_error(confidences, chance.random(20_000) < confidences)
    assert error < 0.02
    assert error < 2.5 * error_by_chance(confidences)


def test_calibration_error_by_hand() -> None:
    """Two bins: 0.9 said and half right, 0.25 said and none right."""
    confidences, right = np.array([0.9, 0.9, 0.25, 0.25]), np.array([True, False, False, False])
    assert calibration_error(confidences, right) == pytest.approx((0.4 * 2 + 0.25 * 2) / 4)
    assert calibration_error(confidences, right, np.array([1.0, 1.0, 0.0, 0.0])) == pytest.approx(0.4)


@given(answers)
def test_brier_and_ranking_equal_scikit_learn(pairs: list[tuple[float, bool]]) -> None:
    """Ties included."""
    confidences, right = columns(pairs)
    assert brier_score(confidences, right) == pytest.approx(brier_score_loss(right, confidences, labels=[False, True]))
    if right.any() and not right.all():
        assert ranking(confidences, right) == pytest.approx(roc_auc_score(right, confidences))
    else:
        assert ranking(confidences, right) is None


@given(answers)
def test_risk_area_is_a_mean_of_error_rates(pairs: list[tuple[float, bool]]) -> None:
    """For each answer, of all that are at least as confident."""
    confidences, right = columns(pairs)
    rates = [float((~right[confidences >= confidence]).mean()) for confidence in confidences]
    assert risk_area(confidences, right) == pytest.approx(np.mean(rates))


def test_bins_hold_every_answer_once() -> None:
    """Certain answers belong to the last bin."""
    confidences = np.array([0.0, 0.05, 0.1, 0.95, 1.0])
    bins = reliability_bins(confidences, np.array([False, False, True, True, True]))
    assert [(each.low, each.answers) for each in bins] == [(0.0, 2), (0.1, 1), (0.9, 2)]
    assert bins[-1].right.value == 1.0


@given(st.integers(0, 60), st.integers(0, 60))
def test_intervals_hold_their_share(part: int, rest: int) -> None:
    """Also for none, all and no cases."""
    estimate = share_estimate(part, part + rest)
    assert 0.0 <= estimate.low <= estimate.value <= estimate.high <= 1.0
    assert estimate.low < estimate.high


def test_more_answers_about_a_recording_are_no_more_evidence() -> None:
    """Answers told ten times over have the interval that they had; taken for recordings, a third of it."""
    chance = np.random.default_rng(0)
    confidences, right, recordings = np.full(60, 0.7), chance.random(60) < 0.7, np.arange(60)
    once = measure(confidences, right, recordings).brier
    told = measure(np.tile(confidences, 10), np.tile(right, 10), np.tile(recordings, 10)).brier
    apart = measure(np.tile(confidences, 10), np.tile(right, 10), np.arange(600)).brier
    assert told.high - told.low == pytest.approx(once.high - once.low, rel=1e-6)
    assert apart.high - apart.low < 0.5 * (once.high - once.low)


def test_the_same_answers_give_the_same_intervals() -> None:
    """The draws are seeded."""
    confidences, recordings = np.random.default_rng(1).random(50), np.arange(50)
    right = confidences > 0.4
    assert measure(confidences, right, recordings) == measure(confidences, right, recordings)


@settings(max_examples=20, deadline=None)
@given(st.lists(st.floats(0, 1), min_size=2, max_size=20))
def test_an_interval_holds_its_figure(values: list[float]) -> None:
    """However odd the draws."""
    data = np.array(values)
    [estimate] = bootstrap(lambda weights: [float(np.average(data, weights=weights))], np.arange(len(data)))
    assert estimate.low <= estimate.value <= estimate.high
