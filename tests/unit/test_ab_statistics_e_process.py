"""The e-process for rates: a martingale where nothing differs, and the reference's values."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import special, stats

from ab_testing.statistics.e_process import (
    CONCENTRATION,
    e_value,
    log_e_one_sided,
    log_e_two_sided,
    null_share,
)

shares = st.floats(0.01, 0.99)
counts = st.tuples(st.integers(0, 400), st.integers(0, 400)).map(lambda pair: (pair[0], sum(pair)))


def mean_of_next(log_e: float, hit: float, miss: float, share: float) -> float:
    """Mean of the evidence after one more event, over the evidence before."""
    return share * math.exp(hit - log_e) + (1 - share) * math.exp(miss - log_e)


@given(counts, shares)
def test_two_sided_equals_the_formula_of_the_reference(count: tuple[int, int], share: float) -> None:
    """With Beta(2, 18) at a share of 0.1, and as narrow at any other."""
    k, n = count
    a, b = CONCENTRATION * share, CONCENTRATION * (1 - share)
    expected = (
        special.betaln(a + k, b + n - k) - special.betaln(a, b) - k * math.log(share) - (n - k) * math.log1p(-share)
    )
    assert log_e_two_sided(k, n, share) == pytest.approx(expected, rel=1e-8, abs=1e-8)


def test_the_mixture_at_a_tenth_is_beta_2_18() -> None:
    """As the reference has it."""
    assert (CONCENTRATION * 0.1, CONCENTRATION * 0.9) == (2.0, 18.0)
    assert e_value(log_e_two_sided(6, 6, 0.1)) == pytest.approx(special.beta(8, 18) / special.beta(2, 18) / 1e-6)


@given(counts, shares)
def test_one_sided_equals_the_formula_of_the_reference(count: tuple[int, int], share: float) -> None:
    """The two-sided one, times P(p > p0 | data) / P(p > p0)."""
    k, n = count
    a, b = CONCENTRATION * share, CONCENTRATION * (1 - share)
    after, before = stats.beta(a + k, b + n - k).logsf(share), stats.beta(a, b).logsf(share)
    if math.isfinite(after):
        expected = log_e_two_sided(k, n, share) + after - before
        assert log_e_one_sided(k, n, share) == pytest.approx(expected, rel=1e-6, abs=1e-6)


@given(counts, shares)
def test_is_a_martingale_where_nothing_differs(count: tuple[int, int], share: float) -> None:
    """One more event changes it by nothing on average, so that it is 1 / alpha in at most alpha of all cases."""
    k, n = count
    for log_e in (log_e_two_sided, log_e_one_sided):
        now = log_e(k, n, share)
        assert mean_of_next(now, log_e(k + 1, n + 1, share), log_e(k, n + 1, share), share) == pytest.approx(
            1, rel=1e-6
        )


@given(counts, shares, st.floats(0.0, 1.0))
def test_one_sided_falls_where_the_treatment_is_better(count: tuple[int, int], share: float, part: float) -> None:
    """Also with a true share below the null's it grows by nothing: that is what a margin needs."""
    k, n = count
    now = log_e_one_sided(k, n, share)
    hit, miss = log_e_one_sided(k + 1, n + 1, share), log_e_one_sided(k, n + 1, share)
    assert mean_of_next(now, hit, miss, share * part) <= 1 + 1e-6


@given(counts, shares)
def test_starts_at_one_and_rises_with_hits(count: tuple[int, int], share: float) -> None:
    """More failures in the treatment arm never speak for it."""
    k, n = count
    assert log_e_two_sided(0, 0, share) == log_e_one_sided(0, 0, share) == pytest.approx(0.0)
    if k < n:
        assert log_e_one_sided(k, n, share) < log_e_one_sided(k + 1, n, share)


@given(counts, shares)
def test_arms_can_be_swapped(count: tuple[int, int], share: float) -> None:
    """Two-sided evidence is the same whichever arm is called the treatment."""
    k, n = count
    assert log_e_two_sided(k, n, share) == pytest.approx(log_e_two_sided(n - k, n, 1 - share), rel=1e-8, abs=1e-8)


@given(st.floats(0.01, 0.99), st.floats(0.001, 0.3), st.floats(1.0, 3.0))
def test_null_share_is_where_events_fall(share: float, rate: float, ratio: float) -> None:
    """If the treatment fails ``ratio`` times as often, this part of the failures is its."""
    failing = share * rate * ratio
    assert null_share(share, ratio) == pytest.approx(failing / (failing + (1 - share) * rate))


def test_evidence_beyond_floats_is_told_as_large() -> None:
    """JSON has no infinity."""
    assert math.isfinite(e_value(1e6))
