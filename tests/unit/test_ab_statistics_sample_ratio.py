"""The check of the sample ratio, held against its definition."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from ab_testing.statistics.sample_ratio import CONCENTRATION, E_BROKEN, log_e_sample_ratio

EXPECTED = {"a": 0.7, "b": 0.2, "c": 0.1}


@given(st.tuples(*[st.integers(0, 2000)] * 3))
def test_equals_scipy(seen: tuple[int, int, int]) -> None:
    """Dirichlet-multinomial over multinomial; what counts orders is the same in both."""
    n = sum(seen)
    weights = [CONCENTRATION * share for share in EXPECTED.values()]
    expected = stats.dirichlet_multinomial.logpmf(seen, weights, n) - stats.multinomial.logpmf(
        seen, n, list(EXPECTED.values())
    )
    assert log_e_sample_ratio(dict(zip("abc", seen, strict=True)), EXPECTED) == pytest.approx(
        expected, rel=1e-6, abs=1e-6
    )


@given(st.tuples(*[st.integers(0, 2000)] * 3))
def test_is_a_martingale(seen: tuple[int, int, int]) -> None:
    """One more unit, dealt as it should be, changes it by nothing on average."""
    before = dict(zip("abc", seen, strict=True))
    now = log_e_sample_ratio(before, EXPECTED)
    after = sum(
        share * math.exp(log_e_sample_ratio({**before, arm: before[arm] + 1}, EXPECTED) - now)
        for arm, share in EXPECTED.items()
    )
    assert after == pytest.approx(1, rel=1e-6)


def test_lost_jobs_are_seen() -> None:
    """An arm that loses three in ten of its jobs is found out within 10,000; one that loses none is not."""
    expected = {"control": 0.9, "treatment": 0.1}
    assert log_e_sample_ratio({"control": 9000, "treatment": 700}, expected) > math.log(E_BROKEN)
    assert log_e_sample_ratio({"control": 9000, "treatment": 1000}, expected) < 0
    assert log_e_sample_ratio({"control": 0, "treatment": 0}, expected) == pytest.approx(0.0)


def test_an_arm_that_should_get_nothing() -> None:
    """Any unit in it is proof."""
    assert log_e_sample_ratio({"a": 10, "b": 1}, {"a": 1.0, "b": 0.0}) == math.inf
    assert math.isfinite(log_e_sample_ratio({"a": 10}, {"a": 1.0, "b": 0.0}))
