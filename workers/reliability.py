"""How well confidences hold: calibration error, Brier score, ranking, reliability, with intervals over recordings.

Answers about one recording err together, so intervals come from drawing recordings anew, not answers.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from earmark.metadata import Frozen
from workers.curves import Flags, Floats

BINS: Final = 10
DRAWS, DRAWS_LEAST = 1000, 200
"""Bootstrap samples, and how many there are at least where answers are many."""
ANSWERS_DRAWN: Final = 20_000_000
SEED: Final = 0
LOW, HIGH = 2.5, 97.5
"""Percentiles of a 95 % interval."""
DIGITS: Final = 6
"""Figures are kept to so many decimals."""
_Z: Final = 1.959964

Figures = Callable[[Floats], Sequence[float] | Floats]


class Estimate(Frozen):
    """A figure and its 95 % interval."""

    value: float
    low: float
    high: float

    def __str__(self) -> str:
        """As ``0.031 (0.022 to 0.045)``."""
        return f"{self.value:.3f} ({self.low:.3f} to {self.high:.3f})"


class ReliabilityBin(Frozen):
    """The answers of one tenth of the scale of confidence."""

    low: float
    high: float
    answers: int
    confidence: float
    """Mean."""
    right: Estimate
    """Share of right answers; its interval is Wilson's."""


class Measures(Frozen):
    """How well the confidences of some answers hold."""

    ece: Estimate
    """Expected calibration error, ten bins of equal width."""
    ece_by_chance: float
    """The calibration error that as many answers would show on average if the confidences were exactly true."""
    brier: Estimate
    """Mean squared distance between confidence and truth."""
    auroc: Estimate | None
    """How often a right answer has more confidence than a wrong one; None = there are none of one kind."""
    aurc: Estimate
    """Area under the risk-coverage curve: the mean error rate over all shares of answers that one may keep."""


def calibration_error(confidences: Floats, right: Flags | Floats, weights: Floats | None = None) -> float:
    """Expected calibration error with ten bins of equal width (Guo et al. 2017, https://arxiv.org/abs/1706.04599).

    Args:
        confidences: 0 to 1, (n,).
        right: whether each answer is, (n,).
        weights: how often each answer counts, (n,); None = once.
    """
    counted = np.ones(len(confidences)) if weights is None else weights
    gaps = np.bincount(_bins(confidences), counted * (confidences - right), BINS)
    return float(np.abs(gaps).sum() / max(counted.sum(), 1e-12))


def brier_score(confidences: Floats, right: Flags | Floats, weights: Floats | None = None) -> float:
    """Mean squared distance between confidence and truth (Brier 1950); arguments as ``calibration_error``."""
    return float(np.average((confidences - right) ** 2, weights=weights))


def ranking(confidences: Floats, right: Flags | Floats) -> float | None:
    """Area under the ROC curve: how often a right answer has more confidence than a wrong one, ties counting half."""
    area = _ranking(*_by_level(_levels(confidences), np.asarray(right, float), np.ones(len(confidences))))
    return None if math.isnan(area) else area


def risk_area(confidences: Floats, right: Flags | Floats) -> float:
    """Area under the risk-coverage curve (Geifman and El-Yaniv 2017, https://arxiv.org/abs/1705.08500).

    The mean over all answers of the error rate of those that are at least as confident; ties are kept together.
    """
    return _risk_area(*_by_level(_levels(confidences), np.asarray(right, float), np.ones(len(confidences))))


def reliability_bins(confidences: Floats, right: Flags) -> tuple[ReliabilityBin, ...]:
    """The bins that have answers."""
    bins = _bins(confidences)
    return tuple(
        ReliabilityBin(
            low=number / BINS,
            high=(number + 1) / BINS,
            answers=int(chosen.sum()),
            confidence=float(confidences[chosen].mean()),
            right=share_estimate(int(right[chosen].sum()), int(chosen.sum())),
        )
        for number in np.unique(bins).tolist()
        for chosen in [bins == number]
    )


def measure(confidences: Floats, right: Flags, recordings: NDArray[np.intp]) -> Measures:
    """All measures of some answers.

    Args:
        confidences: 0 to 1, (n,).
        right: whether each answer is, (n,).
        recordings: which recording each answer is about, numbered from 0, (n,).
    """
    levels, truth = _levels(confidences), right.astype(float)

    def figures(weights: Floats) -> list[float]:
        good, bad = _by_level(levels, truth, weights)
        return [
            calibration_error(confidences, truth, weights),
            brier_score(confidences, truth, weights),
            _ranking(good, bad),
            _risk_area(good, bad),
        ]

    ece, brier, auroc, aurc = bootstrap(figures, recordings)
    return Measures(
        ece=ece,
        ece_by_chance=error_by_chance(confidences),
        brier=brier,
        auroc=None if math.isnan(auroc.value) else auroc,
        aurc=aurc,
    )


def bootstrap(figures: Figures, recordings: NDArray[np.intp]) -> list[Estimate]:
    """Figures with 95 % intervals: percentiles over recordings drawn anew, always with the same seed.

    Args:
        figures: gives figures for a weight per answer, (n,); nan where a figure cannot be computed.
        recordings: which recording each answer is about, numbered from 0, (n,).
    """
    count = int(recordings.max()) + 1
    chance = np.random.default_rng(SEED)
    draws = min(DRAWS, max(DRAWS_LEAST, ANSWERS_DRAWN // len(recordings)))
    values = np.array(figures(np.ones(len(recordings))))
    drawn = np.array(
        [
            figures(np.bincount(chance.integers(count, size=count), minlength=count).astype(float)[recordings])
            for _ in range(draws)
        ]
    )
    return [_estimate(float(value), column) for value, column in zip(values, drawn.T, strict=True)]


def share_estimate(part: int, whole: int) -> Estimate:
    """A share with Wilson's 95 % interval (Wilson 1927), which stays honest for few cases and for none or all."""
    if not whole:
        return Estimate(value=0.0, low=0.0, high=1.0)
    share, square = part / whole, _Z * _Z
    middle = (share + square / (2 * whole)) / (1 + square / whole)
    spread = _Z / (1 + square / whole) * math.sqrt(share * (1 - share) / whole + square / (4 * whole * whole))
    return Estimate(value=share, low=max(0.0, min(share, middle - spread)), high=min(1.0, max(share, middle + spread)))


def error_by_chance(confidences: Floats, draws: int = 100) -> float:
    """The mean calibration error of answers that are right exactly as often as their confidences say."""
    chance = np.random.default_rng(SEED)
    return float(
        np.mean([calibration_error(confidences, chance.random(len(confidences)) < confidences) for _ in range(draws)])
    )


def _estimate(value: float, drawn: Floats) -> Estimate:
    known = drawn[~np.isnan(drawn)]
    low, high = np.percentile(known, [LOW, HIGH]) if len(known) else (value, value)
    return Estimate(value=_rounded(value), low=_rounded(min(low, value)), high=_rounded(max(high, value)))


def _rounded(value: float) -> float:
    return round(float(value), DIGITS)


def _bins(confidences: Floats) -> NDArray[np.intp]:
    return np.minimum((confidences * BINS).astype(np.intp), BINS - 1)


def _levels(confidences: Floats) -> NDArray[np.intp]:
    """The rank of each confidence, ties alike."""
    levels: NDArray[np.intp] = np.unique(confidences, return_inverse=True)[1]
    return levels


def _by_level(levels: NDArray[np.intp], right: Floats, weights: Floats) -> tuple[Floats, Floats]:
    """How many right and wrong answers each confidence has, in rising order."""
    good, bad = (np.bincount(levels, weights * part).astype(float) for part in (right, 1.0 - right))
    return good, bad


def _ranking(good: Floats, bad: Floats) -> float:
    pairs = float(good.sum() * bad.sum())
    return float((good * (np.cumsum(bad) - bad / 2.0)).sum() / pairs) if pairs else math.nan


def _risk_area(good: Floats, bad: Floats) -> float:
    answers = (good + bad)[::-1]
    risks = np.cumsum(bad[::-1]) / np.maximum(np.cumsum(answers), 1e-12)
    return float((answers * risks).sum() / max(answers.sum(), 1e-12))
