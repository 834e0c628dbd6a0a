"""The difference of two means from sums in bins: winsorised, and adjusted for the length of the audio."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from ab_testing.evidence import BIN_OF_ZERO, Moments, bin_edges

Bins = Mapping[int, Moments]

WINSORISED: Final = 0.001
"""Part of the values of both arms that counts as the smallest of them."""
ROUNDING: Final = 1e-9
"""Standard errors below this part of the mean are rounding, as of sums over values that are all alike."""
SPREAD_LEAST: Final = 1e-12
"""Seconds squared: no more is left of lengths that differ by rounding, and a slope over less could be anything."""


@dataclass(frozen=True, slots=True)
class MeanDifference:
    """What two arms' values say of the difference of their means."""

    control: float
    """Mean of the control, winsorised, and at the mean length of all audio where that is adjusted for."""
    treatment: float
    difference: float
    """Treatment minus ``ratio`` times control."""
    variance: float
    """Of the difference: its standard error squared; infinite where sums are too large for a float."""
    values: int
    """Of both arms."""
    cap: float | None
    """Larger values count as this; None = none does."""
    slope: float
    """Units a second of audio that were taken out."""


def total(bins: Bins) -> Moments:
    """Sums over all bins."""
    if not bins:
        return Moments()
    n, *sums = zip(*bins.values(), strict=True)
    return Moments(sum(n), *map(_sum, sums))


def winsor_cap(control: Bins, treatment: Bins, part: float = WINSORISED) -> float | None:
    """The edge of a bin above which at most ``part`` of the values of both arms lie; None = where none may.

    It is the upper edge of the largest bin that is kept, so that it does not depend on how huge the rest is.
    """
    counts = {number: _count(control, number) + _count(treatment, number) for number in {*control, *treatment}}
    allowed = math.floor(sum(counts.values()) * part)
    above = None
    for number in sorted(counts, reverse=True):
        allowed -= counts[number]
        if allowed < 0:
            # where nearly all are zero, the rest counts as the smallest of them
            kept = number if number != BIN_OF_ZERO or above is None else above - 1
            return None if above is None else bin_edges(kept)[1]
        above = number
    return None


def winsorise(bins: Bins, cap: float | None) -> Moments:
    """Sums over all bins, in which each value above ``cap`` counts as ``cap``."""
    if cap is None:
        return total(bins)
    return total(
        {
            number: moments
            if bin_edges(number)[0] < cap
            else Moments(moments.n, cap * moments.n, cap * cap * moments.n, moments.x, moments.xx, cap * moments.x)
            for number, moments in bins.items()
        }
    )


def mean_difference(
    control: Bins, treatment: Bins, *, winsorised: bool = False, adjusted: bool = False, ratio: float = 1.0
) -> MeanDifference:
    """Compare two arms.

    Adjusting takes slope * (seconds of audio - mean of both arms) from each value, with one slope for both arms, from
    what differs within each (analysis of covariance).  As chance dealt the audio, that moves no true difference; it
    only takes away what the luck of the deal adds to it (Yang and Tsiatis 2001; Deng and others 2013 as CUPED).

    An arm's variance counts as no less than that of both together: while a few hundred skewed values have not yet held
    a large one, their own is too small just when their mean is, and the arm would look cheaper than it is
    (``docs/experiment-statistics.md`` says how often that cried wolf).

    Args:
        control: sums by bin.
        treatment: the same.
        winsorised: whether the largest thousandth counts as its smallest.
        adjusted: whether the part that follows from the length of the audio is taken out.
        ratio: the treatment is compared with so many times the control, for margins.

    Raises:
        ValueError: an arm has fewer than two values.
    """
    cap = winsor_cap(control, treatment) if winsorised else None
    arms = winsorise(control, cap), winsorise(treatment, cap)
    if min(arm.n for arm in arms) < 2:  # noqa: PLR2004  # a variance needs two
        message = "the difference of two means needs two values of each arm"
        raise ValueError(message)
    within = [_squares(arm) for arm in arms]
    spread = sum(xx for _, xx, _ in within)
    # where the audio is all of one length, what is left of its spread is rounding
    differs = spread > max(ROUNDING * sum(arm.xx for arm in arms), SPREAD_LEAST)
    slope = sum(xy for _, _, xy in within) / spread if adjusted and differs else 0.0
    values = sum(arm.n for arm in arms)
    audio_s = sum(arm.x for arm in arms) / values
    means = [arm.y / arm.n - slope * (arm.x / arm.n - audio_s) for arm in arms]
    left = [max(0.0, yy - 2 * slope * xy + slope * slope * xx) for yy, xx, xy in within]
    pooled = sum(left) / (values - len(left))
    errors = [max(rest / (arm.n - 1), pooled) / arm.n for arm, rest in zip(arms, left, strict=True)]
    moved = (1 - ratio) * slope
    of_audio = moved * moved * spread / values / values  # a product overflows to infinity, a power raises
    variance = errors[1] + ratio * ratio * errors[0] + of_audio
    least = ROUNDING * max(abs(mean) for mean in means)
    variance = max(variance, least * least)
    variance = variance if math.isfinite(variance) else math.inf
    return MeanDifference(means[0], means[1], means[1] - ratio * means[0], variance, values, cap, slope)


def _squares(sums: Moments) -> tuple[float, float, float]:
    """Squared deviations from the arm's means, of y, of x and of both."""
    return (
        max(0.0, sums.yy - sums.y * sums.y / sums.n),
        max(0.0, sums.xx - sums.x * sums.x / sums.n),
        sums.xy - sums.x * sums.y / sums.n,
    )


def _sum(parts: Sequence[float]) -> float:
    try:
        return math.fsum(parts)
    except (OverflowError, ValueError):  # beyond what a float holds, or infinite ones of both signs
        return sum(parts)


def _count(bins: Bins, number: int) -> int:
    return bins[number].n if number in bins else 0
