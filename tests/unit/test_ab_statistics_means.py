"""Confidence sequences of means from sums in bins, held against numpy, statsmodels and their own formula."""

import math

import numpy as np
import pytest
import statsmodels.api as sm
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy import stats

from ab_testing.evidence import Moments, bin_edges, bin_of
from ab_testing.statistics.confidence_sequence import TUNED_FOR, half_width, one_sided_width, tuning
from ab_testing.statistics.mean_difference import Bins, mean_difference, total, winsor_cap, winsorise

Values = list[tuple[float, float]]
pairs = st.lists(st.tuples(st.floats(0, 1000), st.floats(0.1, 1000)), min_size=3, max_size=60)


def binned(values: Values) -> dict[int, Moments]:
    """Sums by bin of values and seconds of audio."""
    bins: dict[int, Moments] = {}
    for value, audio_s in values:
        bins[bin_of(value)] = bins.get(bin_of(value), Moments()).plus(Moments.of(value, audio_s))
    return bins


def drawn(seed: int, count: int, slower: float = 1.0) -> Values:
    """Inference times that follow the length of the audio."""
    random = np.random.default_rng(seed)
    audio_s = random.lognormal(4, 1, count)
    times: NDArray[np.float64] = slower * 0.05 * audio_s * random.lognormal(0, 0.4, count)
    return list(zip(times.tolist(), audio_s.tolist(), strict=True))


def test_half_width_equals_equation_9() -> None:
    """Written out as in the paper, with sigma the deviation of a value and t values."""
    sigma, t, alpha = 2.0, 1234.0, 0.05
    rho = math.sqrt((-2 * math.log(alpha) + math.log(-2 * math.log(alpha) + 1)) / 5000)
    expected = sigma * math.sqrt(2 * (t * rho**2 + 1) / (t**2 * rho**2) * math.log(math.sqrt(t * rho**2 + 1) / alpha))
    assert TUNED_FOR == 5000
    assert tuning(alpha) == pytest.approx(rho)
    assert half_width(sigma**2 / t, t, alpha) == pytest.approx(expected)


@given(st.floats(1e-6, 1e3), st.floats(100, 1e7), st.floats(0.001, 0.1))
def test_wider_than_one_look_and_one_side_is_nearer(variance: float, values: float, alpha: float) -> None:
    """Looking often has a price; looking to one side gives some of it back."""
    assert half_width(variance, values, alpha) > math.sqrt(2 * variance * math.log(1 / alpha))
    assert one_sided_width(variance, values, alpha) < half_width(variance, values, alpha) * 1.02
    assert half_width(variance, values, alpha) < half_width(variance, values, alpha / 2)


@given(st.floats(100, 1e6), st.floats(0.001, 0.1))
def test_one_sided_end_is_where_the_half_normal_mixture_reaches_one_over_alpha(values: float, alpha: float) -> None:
    """2 Phi(x) exp(x**2 / 2) / sqrt(time + 1), by scipy, is enough there and not much more."""
    time = values * tuning(2 * alpha) ** 2
    x = one_sided_width(1.0, values, alpha) * math.sqrt(time / (time + 1))
    evidence = 2 * stats.norm.cdf(x) * math.exp(x * x / 2) / math.sqrt(time + 1)
    assert 1 / alpha <= evidence <= 1.2 / alpha


def test_narrowest_near_what_it_is_tuned_for() -> None:
    """In units of the standard error."""
    widths = {n: half_width(1.0, n, 0.05) for n in (50, 500, 5000, 50_000, 500_000)}
    assert min(widths, key=lambda n: widths[n]) == 5000


@given(pairs, pairs)
def test_plain_difference_equals_numpy(control: Values, treatment: Values) -> None:
    """Means, and a variance that is at least the pooled one."""
    found = mean_difference(binned(control), binned(treatment))
    below, above = (np.array([value for value, _ in arm]) for arm in (control, treatment))
    pooled = (below.var() * below.size + above.var() * above.size) / (below.size + above.size - 2)
    expected = sum(max(arm.var(ddof=1), pooled) / arm.size for arm in (below, above))
    scale = max(1.0, float(np.max(np.concatenate([below, above]))))
    assert found.difference == pytest.approx(above.mean() - below.mean(), abs=1e-9 * scale)
    assert found.variance == pytest.approx(expected, abs=1e-9 * scale**2)
    assert found.values == below.size + above.size


def test_adjusted_difference_equals_a_regression() -> None:
    """The coefficient of the arm beside the length of the audio, by statsmodels."""
    control, treatment = drawn(1, 900), drawn(2, 100, slower=1.2)
    found = mean_difference(binned(control), binned(treatment), adjusted=True)
    rows = np.array([(y, 0.0, x) for y, x in control] + [(y, 1.0, x) for y, x in treatment])
    fit = sm.OLS(rows[:, 0], sm.add_constant(rows[:, 1:])).fit()
    assert found.difference == pytest.approx(fit.params[1], rel=1e-9)
    assert found.slope == pytest.approx(fit.params[2], rel=1e-9)


def test_adjusting_takes_out_what_longer_audio_brings() -> None:
    """An arm that was dealt longer audio is not slower, and what is left scatters less."""
    control = drawn(3, 2000)
    treatment = [(2 * value, 2 * audio_s) for value, audio_s in drawn(4, 2000)]
    plain = mean_difference(binned(control), binned(treatment))
    adjusted = mean_difference(binned(control), binned(treatment), adjusted=True)
    assert abs(adjusted.difference) < 0.2 * plain.difference
    assert adjusted.variance < 0.5 * plain.variance


@given(st.floats(0.5, 2.0))
def test_margin_compares_with_a_multiple_of_the_control(ratio: float) -> None:
    """Treatment minus so many times the control, whose scatter counts so many times squared."""
    control, treatment = binned(drawn(5, 600)), binned(drawn(6, 300))
    plain, shifted = mean_difference(control, treatment), mean_difference(control, treatment, ratio=ratio)
    assert shifted.difference == pytest.approx(plain.treatment - ratio * plain.control)
    alike = mean_difference(control, treatment, ratio=0.0).variance
    assert shifted.variance == pytest.approx(alike + ratio**2 * (plain.variance - alike), rel=1e-6)


def test_a_margin_on_adjusted_means_knows_the_scatter_of_the_audio() -> None:
    """Three times the control is compared: what the mean length of audio adds does not cancel."""
    random = np.random.default_rng(12)
    found = []
    for seed in range(300):
        arms = [drawn(1000 + 2 * seed + i, int(random.integers(100, 120))) for i in range(2)]
        found.append(mean_difference(binned(arms[0]), binned(arms[1]), adjusted=True, ratio=3.0))
    scatter = float(np.var([each.difference for each in found]))
    assert float(np.mean([each.variance for each in found])) == pytest.approx(scatter, rel=0.25)


@given(pairs, pairs)
def test_swapping_arms_turns_the_difference_round(control: Values, treatment: Values) -> None:
    """Winsorised and adjusted as well."""
    one = mean_difference(binned(control), binned(treatment), winsorised=True, adjusted=True)
    other = mean_difference(binned(treatment), binned(control), winsorised=True, adjusted=True)
    assert one.difference == pytest.approx(-other.difference, rel=1e-6, abs=1e-6)
    assert one.variance == pytest.approx(other.variance, rel=1e-6, abs=1e-9)


def test_a_few_huge_values_decide_nothing() -> None:
    """One job in two thousand that takes a day moves the mean, and not the winsorised one."""
    control, treatment = drawn(7, 1800), drawn(8, 198)
    struck = [*treatment, (86_400.0, 60.0)]
    before = mean_difference(binned(control), binned(treatment), winsorised=True)
    after = mean_difference(binned(control), binned(struck), winsorised=True)
    assert mean_difference(binned(control), binned(struck)).difference > 100
    assert abs(after.difference - before.difference) < 0.5


def test_the_cap_is_an_edge_and_the_same_for_both_arms() -> None:
    """At most a thousandth lies above; each of that counts as the cap."""
    control, treatment = binned(drawn(9, 4000)), binned(drawn(10, 1000))
    cap = winsor_cap(control, treatment)
    assert cap is not None
    assert any(cap == bin_edges(number)[1] for number in {*control, *treatment})
    above = sum(
        moments.n for arm in (control, treatment) for number, moments in arm.items() if bin_edges(number)[0] >= cap
    )
    assert 0 < above <= 5
    values = np.array([value for value, _ in drawn(9, 4000)])
    assert winsorise(control, cap).y == pytest.approx(np.minimum(values, cap).sum())
    assert winsorise(control, cap).yy == pytest.approx((np.minimum(values, cap) ** 2).sum())


def test_nothing_is_capped_where_a_thousandth_is_no_value() -> None:
    """Nor where all values are zero; where nearly all are, the rest counts as the smallest of it."""
    assert winsor_cap(binned(drawn(1, 400)), binned(drawn(2, 400))) is None
    zeros: Bins = binned([(0.0, 1.0)] * 2000)
    assert winsor_cap(zeros, zeros) is None
    cap = winsor_cap(zeros, binned([(0.0, 1.0)] * 1998 + [(0.5, 1.0), (90.0, 1.0)]))
    assert cap == pytest.approx(0.5, rel=0.05)


@given(pairs, st.integers(0, 60))
def test_parts_add_up(values: Values, cut: int) -> None:
    """Sums over parts are the sums over all, in whatever order they came."""
    parts = [binned(values[:cut]), binned(values[cut:])]
    whole = total(binned(values))
    assert tuple(total(parts[0]).plus(total(parts[1]))) == pytest.approx(tuple(whole), rel=1e-9, abs=1e-9)


def test_one_value_has_no_variance() -> None:
    """Two are needed of each arm."""
    with pytest.raises(ValueError, match="two values"):
        mean_difference(binned([(1.0, 1.0)]), binned([(1.0, 1.0), (2.0, 1.0)]))
