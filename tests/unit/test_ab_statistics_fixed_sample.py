"""Tests for one look, held against scipy and statsmodels."""

import math

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from scipy import stats
from statsmodels.stats.proportion import confint_proportions_2indep, proportions_ztest

from ab_testing.evidence import Moments
from ab_testing.statistics.fixed_sample import two_proportions, welch


def sums(values: list[float]) -> Moments:
    """As an arm keeps them."""
    return Moments(len(values), sum(values), sum(value * value for value in values))


@given(st.integers(2, 5000), st.integers(2, 5000), st.floats(0.05, 0.95), st.floats(0.05, 0.95))
def test_two_proportions_equal_statsmodels(control_n: int, treatment_n: int, control: float, treatment: float) -> None:
    """Statistic, p-value and Wald's interval."""
    hits = round(control * control_n), round(treatment * treatment_n)
    assume(0 < sum(hits) < control_n + treatment_n)
    found = two_proportions(hits[0], control_n, hits[1], treatment_n, alpha=0.1)
    z, p = proportions_ztest([hits[1], hits[0]], [treatment_n, control_n])
    ends = confint_proportions_2indep(hits[1], treatment_n, hits[0], control_n, method="wald", alpha=0.1)
    assert (found.statistic, found.p_value) == pytest.approx((z, p), rel=1e-8, abs=1e-300)
    assert (found.low, found.high) == pytest.approx(ends, rel=1e-8, abs=1e-12)


values = st.lists(st.floats(-100, 100), min_size=2, max_size=60)


@given(values, values)
def test_welch_equals_scipy(control: list[float], treatment: list[float]) -> None:
    """Statistic, p-value and interval."""
    assume(min(np.var(control), np.var(treatment)) > 1e-3)
    found = welch(sums(control), sums(treatment))
    expected = stats.ttest_ind(treatment, control, equal_var=False)
    ends = expected.confidence_interval(0.95)
    assert found.statistic == pytest.approx(expected.statistic, rel=1e-6, abs=1e-9)
    assert found.p_value == pytest.approx(expected.pvalue, rel=1e-6, abs=1e-12)
    assert (found.low, found.high) == pytest.approx((ends.low, ends.high), rel=1e-5, abs=1e-6)


def test_no_failures_are_no_difference() -> None:
    """And no division by zero."""
    found = two_proportions(0, 10, 0, 10)
    assert (found.statistic, found.p_value) == (0.0, 1.0)


def test_too_few_are_refused() -> None:
    """An empty arm has no share, one value no variance, and equal values no scatter."""
    with pytest.raises(ValueError, match="at least one"):
        two_proportions(0, 0, 1, 5)
    with pytest.raises(ValueError, match="two values"):
        welch(sums([1.0]), sums([1.0, 2.0]))
    with pytest.raises(ValueError, match="differ"):
        welch(sums([1.0, 1.0]), sums([1.0, 1.0]))
    assert math.isfinite(welch(sums([1.0, 1.0]), sums([1.0, 2.0])).p_value)
