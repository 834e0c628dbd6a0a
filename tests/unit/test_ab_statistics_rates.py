"""Intervals of shares and rates: held against what defines them, and against how often they miss the truth."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ab_testing.statistics.binomial_interval import binomial_interval
from ab_testing.statistics.e_process import log_e_two_sided, log_mixture
from ab_testing.statistics.rate_interval import difference_interval, ratio_interval, share_interval

shares = st.floats(0.02, 0.98)
counts = st.tuples(st.integers(0, 300), st.integers(0, 300)).map(lambda pair: (pair[0], sum(pair)))


@given(counts, st.floats(0.001, 0.3))
def test_ends_are_where_the_evidence_is_enough(count: tuple[int, int], alpha: float) -> None:
    """Just outside there is 1 / alpha against a share, just inside there is not."""
    k, n = count
    low, high = binomial_interval(k, n, alpha)
    for end, outwards in ((low, -1e-6), (high, 1e-6)):
        if 1e-5 < end < 1 - 1e-5 and n:
            assert log_mixture(k, n, end + outwards, 0.5, 0.5) >= -math.log(alpha)
            assert log_mixture(k, n, end - outwards, 0.5, 0.5) <= -math.log(alpha)
    assert low <= (k / n if n else 0.5) <= high


@given(counts, shares, st.floats(0.001, 0.3))
def test_interval_leaves_out_zero_just_when_the_e_value_says_so(
    count: tuple[int, int], share: float, alpha: float
) -> None:
    """A reader must not find one saying yes and the other no."""
    k, n = count
    evidence = log_e_two_sided(k, n, share) + math.log(alpha)
    low, high = difference_interval(k, n, 2 * n + 50, share, alpha)
    ratio = ratio_interval(k, n, share, alpha)
    if abs(evidence) > 1e-6:
        assert (low >= 0 or high <= 0) is (evidence > 0)
        assert (ratio.low > 1 or ratio.high < 1) is (evidence > 0)


def test_the_difference_is_made_of_two_intervals_that_share_alpha() -> None:
    """Nineteen twentieths for where events fall, and one for how many there are."""
    share, alpha = 0.1, 0.05
    theta = share_interval(60, 330, share, 0.95 * alpha)
    rate = binomial_interval(330, 10_000, 0.05 * alpha)
    ends = [s * (t - share) / (share * (1 - share)) for s in rate for t in theta]
    assert difference_interval(60, 330, 10_000, share, alpha) == pytest.approx((min(ends), max(ends)))


def test_evidence_that_is_only_just_enough_ends_at_zero() -> None:
    """Between 1 / alpha and what the interval's own part of alpha asks for, both must say the same."""
    just = [
        (k, n)
        for n in range(10, 400)
        for k in range(n + 1)
        if 1 / 0.05 <= math.exp(min(log_e_two_sided(k, n, 0.1), 50)) < 1 / (0.05 * 0.95)
    ]
    assert len(just) > 5
    for k, n in just:
        low, high = difference_interval(k, n, 20 * n, 0.1, 0.05)
        assert low == 0.0 if k > 0.1 * n else high == 0.0


@given(counts, shares)
def test_swapping_arms_turns_the_interval_round(count: tuple[int, int], share: float) -> None:
    """Treatment minus control becomes control minus treatment."""
    k, n = count
    there, back = (
        difference_interval(k, n, 2 * n + 50, share, 0.05),
        difference_interval(n - k, n, 2 * n + 50, 1 - share, 0.05),
    )
    assert (there.low, there.high) == pytest.approx((-back.high, -back.low), abs=1e-6)


def test_nothing_seen_bounds_nothing() -> None:
    """Any share is possible, and any difference."""
    assert share_interval(0, 0, 0.1, 0.05) == (0.0, 1.0)
    assert difference_interval(0, 0, 0, 0.1, 0.05) == (-1.0, 1.0)
    assert ratio_interval(0, 0, 0.1, 0.05) == (0.0, math.inf)


@pytest.mark.parametrize(("control", "treatment"), [(0.03, 0.03), (0.03, 0.06), (0.10, 0.05)])
def test_the_true_difference_is_rarely_missed_at_any_look(control: float, treatment: float) -> None:
    """In at most 5 % of experiments of 10,000 jobs, looked at 20 times; four more of 100 are left to chance."""
    random = np.random.default_rng(11)
    treated = np.cumsum(random.binomial(100, 0.1, (100, 100)), axis=1)
    blocks = np.diff(treated, axis=1, prepend=0)
    hits = np.cumsum(random.binomial(blocks, treatment), axis=1)
    events = hits + np.cumsum(random.binomial(100 - blocks, control), axis=1)
    missed = 0
    for experiment in range(100):
        for look in range(4, 100, 5):
            low, high = difference_interval(
                int(hits[experiment, look]), int(events[experiment, look]), 100 * (look + 1), 0.1, 0.05
            )
            if not low <= treatment - control <= high:
                missed += 1
                break
    assert missed <= 5 + 4
