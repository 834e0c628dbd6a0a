"""Quantiles from bins and their intervals, held against numpy and against how often they miss the truth."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ab_testing.evidence import BIN_OF_ZERO, BIN_RATIO, bin_of
from ab_testing.statistics.e_process import log_mixture
from ab_testing.statistics.quantile_interval import CONCENTRATION, Distribution

quantiles = st.sampled_from([0.05, 0.5, 0.95])


def counted(values: list[float]) -> dict[int, float]:
    """Counts by bin."""
    counts: dict[int, float] = {}
    for value in values:
        counts[bin_of(value)] = counts.get(bin_of(value), 0) + 1
    return counts


@given(st.lists(st.floats(0.001, 1000), min_size=1, max_size=200), quantiles)
def test_quantile_is_numpys_up_to_a_bin(values: list[float], q: float) -> None:
    """Between the values on both sides of the rank, or as far off as a bin is wide."""
    low, high = (np.quantile(values, q, method=method) for method in ("lower", "higher"))
    rank_low = np.quantile(values, q, method="inverted_cdf")
    found = Distribution(counted(values)).quantile(q)
    assert min(low, rank_low) / BIN_RATIO <= found <= max(high, rank_low) * BIN_RATIO


@given(st.lists(st.floats(0.001, 1000), min_size=1, max_size=400), quantiles, st.floats(0.001, 0.5))
def test_interval_is_where_counts_are_no_evidence(values: list[float], q: float, alpha: float) -> None:
    """Found by halving; here every edge is tried."""
    counts = counted(values)
    low, high = Distribution(counts).interval(q, alpha)
    n = sum(counts.values())
    lows, highs = [0.0], [math.inf]
    for number in counts:
        below = sum(count for other, count in counts.items() if other < number)
        upto = below + counts[number]
        for count, edge, ends, side in ((below, number, lows, -1), (upto, number + 1, highs, 1)):
            spoken = log_mixture(count, n, q, CONCENTRATION * q, CONCENTRATION * (1 - q)) >= -math.log(alpha)
            if spoken and (count - q * n) * side > 0:
                ends.append(BIN_RATIO**edge)
    assert (low, high) == pytest.approx((max(lows), min(highs)))


def test_intervals_rarely_miss_at_any_look() -> None:
    """In at most 5 % of 200 streams of 5000 values, looked at 50 times; five points more are left to chance."""
    random = np.random.default_rng(3)
    for q, truth in ((0.5, 1.0), (0.95, math.exp(1.6448536))):
        missed = 0
        for _ in range(200):
            bins = np.floor(np.log(random.lognormal(0, 1, 5000)) / math.log(BIN_RATIO)).astype(int)
            seen: dict[int, float] = {}
            for look in range(50):
                kinds, counts = np.unique(bins[100 * look : 100 * look + 100], return_counts=True)
                for kind, count in zip(kinds.tolist(), counts.tolist(), strict=True):
                    seen[kind] = seen.get(kind, 0) + count
                low, high = Distribution(seen).interval(q, 0.05)
                if not low <= truth <= high:
                    missed += 1
                    break
        assert missed <= 20


def test_interval_narrows_to_the_bin() -> None:
    """A million values leave a bin or two of doubt."""
    random = np.random.default_rng(4)
    bins = np.floor(random.normal(0, 1, 1_000_000) / math.log(BIN_RATIO)).astype(int)
    kinds, counts = np.unique(bins, return_counts=True)
    low, high = Distribution(dict(zip(kinds.tolist(), counts.tolist(), strict=True))).interval(0.5, 0.05)
    assert low <= 1 <= high <= low * BIN_RATIO**2 * 1.0001


def test_a_few_values_bound_nothing() -> None:
    """No upper end for a 95th percentile of ten values."""
    assert Distribution(counted([1.0] * 10)).interval(0.95, 0.05).high == math.inf
    assert Distribution({}).interval(0.5, 0.05) == (0.0, math.inf)
    with pytest.raises(ValueError, match="no quantile"):
        Distribution({}).quantile(0.5)


def test_zeros_are_a_bin_of_their_own() -> None:
    """A job that took no time is below all others."""
    assert Distribution({BIN_OF_ZERO: 90, 0: 10}).quantile(0.5) == 0.0
    assert Distribution({BIN_OF_ZERO: 900, 0: 100}).interval(0.5, 0.05) == (0.0, 0.0)


@given(st.lists(st.floats(0.001, 1000), min_size=5, max_size=200), quantiles)
def test_more_of_the_same_narrows_the_interval(values: list[float], q: float) -> None:
    """Asked about four times the data; and mixing in more like them changes no quantile."""
    now = Distribution(counted(values))
    low, high = now.interval(q, 0.05, times=4.0)
    assert now.interval(q, 0.05).low <= low
    assert high <= now.interval(q, 0.05).high
    more = now.with_more(now, 3 * now.values)
    assert more.interval(q, 0.05) == pytest.approx((low, high))
