"""The risk-coverage curve, and the thresholds that are picked from it."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from earmark.errors import ConfigurationError
from runtime.calibration.threshold import Wish, choose
from workers.risk_coverage import RiskPoint, at_coverage, highest_for_share, lowest_for_error, risk_curve, safest

answers = st.lists(st.tuples(st.integers(0, 100), st.booleans()), min_size=1, max_size=40)


def curve_of(count: int = 2000, seed: int = 0) -> tuple[RiskPoint, ...]:
    """Answers that are right as often as they say, two of each recording."""
    chance = np.random.default_rng(seed)
    confidences = chance.beta(4, 2, count)
    return risk_curve(confidences, chance.random(count) < confidences, np.arange(count) // 2)


@settings(max_examples=25, deadline=None)
@given(answers)
def test_the_curve_counts_what_each_threshold_keeps(pairs: list[tuple[int, bool]]) -> None:
    """Kept and wrong as counted one by one, within intervals; the last point keeps something."""
    confidences, right = np.array([step / 100 for step, _ in pairs]), np.array([right for _, right in pairs])
    curve = risk_curve(confidences, right, np.arange(len(pairs)))
    for point in curve:
        kept = [(step, good) for step, good in pairs if step >= round(point.threshold * 100)]
        assert (point.kept, point.wrong) == (len(kept), sum(not good for _, good in kept))
        assert point.risk.low <= point.wrong / point.kept + 1e-6
        assert point.risk.high >= point.wrong / point.kept - 1e-6
        assert point.coverage.value == pytest.approx(len(kept) / len(pairs), abs=1e-6)
    assert curve[0].kept == len(pairs)
    assert curve[-1].kept > 0


def test_a_recording_is_sent_for_one_weak_answer() -> None:
    """Of two recordings with two answers each, one has a weak one."""
    curve = risk_curve(np.array([0.9, 0.2, 0.9, 0.9]), np.array([True] * 4), np.array([0, 0, 1, 1]))
    assert [curve[step].recordings_sent for step in (20, 21, 90)] == [0.0, 0.5, 0.5]
    assert curve[21].coverage.value == 0.75


def test_the_error_rate_is_met_at_the_least_cost() -> None:
    """The next lower threshold does not meet it."""
    curve = curve_of()
    point = lowest_for_error(curve, 0.2)
    assert point is not None
    assert point.risk.value <= 0.2
    assert curve[curve.index(point) - 1].risk.value > 0.2
    surely = lowest_for_error(curve, 0.2, surely=True)
    assert surely is not None
    assert surely.threshold > point.threshold


def test_an_error_rate_that_cannot_be_met_is_refused() -> None:
    """With the best there is, told; few kept answers prove nothing."""
    curve = curve_of()
    choice = choose(curve, Wish(error_rate=0.001))
    assert choice.point is None
    assert "cannot be met" in choice.why
    best = safest(curve)
    assert best is not None
    assert best.kept >= 30
    assert choose(curve_of(20), Wish(error_rate=0.5)).point is None


def test_a_budget_is_spent_and_not_exceeded() -> None:
    """The next higher threshold would send more than the share."""
    curve = curve_of()
    point = highest_for_share(curve, 0.2)
    assert point is not None
    assert 1 - point.coverage.value <= 0.2 < 1 - curve[curve.index(point) + 1].coverage.value
    dollars = choose(curve, Wish(budget_usd=40, usd_per_answer=0.004, answers=50_000))
    assert dollars.point == point
    nothing = choose(curve, Wish(budget_usd=0, usd_per_answer=0.004)).point
    assert nothing is not None
    assert nothing.coverage.value == 1.0
    free = choose(curve, Wish(budget_usd=0, usd_per_answer=0)).point
    assert free == curve[-1] or free is not None


def test_coverage_is_found_by_its_share() -> None:
    """The point keeps at least what is asked."""
    curve = curve_of()
    point = at_coverage(curve, 0.5)
    assert point.coverage.value >= 0.5 > curve[curve.index(point) + 1].coverage.value


@pytest.mark.parametrize(
    "wish",
    [Wish(), Wish(error_rate=0.1, budget_share=0.1), Wish(budget_usd=1), Wish(error_rate=0.1, usd_per_answer=1)],
    ids=["none", "two", "no price", "a price for nothing"],
)
def test_a_wish_is_one_wish(wish: Wish) -> None:
    """Exactly one thing is wanted, and dollars have a price."""
    with pytest.raises(ConfigurationError, match="--"):
        wish.check()
