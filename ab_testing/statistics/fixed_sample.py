"""Tests for one look at a sample whose size was set before: to show beside the others, and for planning.

They must not decide anything that is looked at more than once: looked at 200 times, they cry wolf in a third of all
experiments in which nothing differs (``docs/experiment-statistics.md``).
"""

import math
from typing import NamedTuple

from ab_testing.evidence import Moments
from ab_testing.statistics.incomplete_beta import log_incomplete_beta

HALVINGS = 80


class FixedTest(NamedTuple):
    """What one look says."""

    difference: float
    """Treatment minus control."""
    low: float
    """Lower end of the interval."""
    high: float
    statistic: float
    p_value: float
    """Two-sided."""


def two_proportions(
    control_hits: int, control_n: int, treatment_hits: int, treatment_n: int, alpha: float = 0.05
) -> FixedTest:
    """The z-test of two shares, with the pooled variance; the interval is Wald's, with each arm's own.

    Raises:
        ValueError: an arm is empty.
    """
    if min(control_n, treatment_n) < 1:
        message = "a share needs at least one unit in each arm"
        raise ValueError(message)
    control, treatment = control_hits / control_n, treatment_hits / treatment_n
    pooled = (control_hits + treatment_hits) / (control_n + treatment_n)
    error = math.sqrt(pooled * (1 - pooled) * (1 / control_n + 1 / treatment_n))
    difference = treatment - control
    statistic = difference / error if error > 0 else 0.0
    own = math.sqrt(control * (1 - control) / control_n + treatment * (1 - treatment) / treatment_n)
    half = _normal_quantile(1 - alpha / 2) * own
    return FixedTest(
        difference, difference - half, difference + half, statistic, math.erfc(abs(statistic) / math.sqrt(2))
    )


def welch(control: Moments, treatment: Moments, alpha: float = 0.05) -> FixedTest:
    """Welch's t-test of two means with variances of their own (Welch 1947).

    Raises:
        ValueError: an arm has fewer than two values, or no value differs from another.
    """
    if min(control.n, treatment.n) < 2:  # noqa: PLR2004  # a variance needs two
        message = "a t-test needs two values of each arm"
        raise ValueError(message)
    errors = [max(0.0, arm.yy - arm.y * arm.y / arm.n) / (arm.n - 1) / arm.n for arm in (control, treatment)]
    if sum(errors) <= 0:
        message = "a t-test needs values that differ"
        raise ValueError(message)
    freedom = sum(errors) ** 2 / sum(e * e / (arm.n - 1) for e, arm in zip(errors, (control, treatment), strict=True))
    difference = treatment.y / treatment.n - control.y / control.n
    error = math.sqrt(sum(errors))
    statistic = difference / error
    half = _t_quantile(alpha, freedom) * error
    return FixedTest(difference, difference - half, difference + half, statistic, _t_tails(statistic, freedom))


def _t_tails(statistic: float, freedom: float) -> float:
    """Chance that Student's t is further from 0: DLMF 8.17.2 with x = v / (v + t**2)."""
    return math.exp(log_incomplete_beta(freedom / 2, 0.5, freedom / (freedom + statistic * statistic))[0])


def _t_quantile(tails: float, freedom: float) -> float:
    low, high = 0.0, 1.0
    while _t_tails(high, freedom) > tails:
        high *= 2
    for _ in range(HALVINGS):
        middle = (low + high) / 2
        low, high = (middle, high) if _t_tails(middle, freedom) > tails else (low, middle)
    return high


def _normal_quantile(chance: float) -> float:
    low, high = -40.0, 40.0
    for _ in range(HALVINGS):
        middle = (low + high) / 2
        low, high = (middle, high) if math.erfc(-middle / math.sqrt(2)) / 2 < chance else (low, middle)
    return high
