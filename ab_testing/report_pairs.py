"""``ShadowPairs``: what two models say of the same uploads, one of them unheard by the customer."""

import math
from dataclasses import dataclass
from typing import Final

from ab_testing.evidence import Moments
from ab_testing.evidence_rows import ShadowEvidence
from ab_testing.statistics.binomial_interval import Interval, binomial_interval
from ab_testing.statistics.confidence_sequence import half_width

PAIRS_LEAST: Final = 30
"""Pairs before a difference has an interval: it holds for many values only."""


@dataclass(frozen=True, slots=True)
class PairedDifference:
    """How a figure of the shadow differs from that of the answer the customer got, over the same uploads."""

    metric: str
    """``predict_s`` or ``confidence``."""
    pairs: int
    """With both values."""
    difference: float | None
    """Mean of shadow minus primary; None = no pairs."""
    low: float | None
    """Lower end of an interval that holds at every look; None = too few pairs."""
    high: float | None


@dataclass(frozen=True, slots=True)
class Agreement:
    """How often both models gave a field the same value."""

    field: str
    agree: int
    pairs: int
    """With an answer of both."""
    low: float | None
    """Lower end of the share's interval, which holds at every look; None = pairs are alike."""
    high: float | None

    @property
    def share(self) -> float | None:
        """Of the pairs; None = there are none."""
        return self.agree / self.pairs if self.pairs else None


@dataclass(frozen=True, slots=True)
class ShadowPairs:
    """What an arm's model said in the shadow."""

    arm: str
    pairs: int
    """Uploads that both heard."""
    failed: int
    """For which the shadow has no answer."""
    differences: tuple[PairedDifference, ...]
    agreements: tuple[Agreement, ...]


def shadow_pairs(arm: str, evidence: ShadowEvidence, alpha: float, *, alike: bool = False) -> ShadowPairs:
    """What is known of an arm's pairs.

    Args:
        arm: whose model listened in the shadow.
        evidence: of its pairs.
        alpha: chance that an interval ever misses the truth.
        alike: whether whole customers were dealt, whose pairs are alike; then there are no intervals.
    """
    return ShadowPairs(
        arm,
        evidence.pairs,
        evidence.errors,
        (
            _difference("predict_s", evidence.predict_s, None if alike else alpha),
            _difference("confidence", evidence.confidence, None if alike else alpha),
        ),
        tuple(
            _agreement(name, same, both, None if alike else alpha)
            for name, (both, same) in sorted(evidence.fields.items())
        ),
    )


def _difference(metric: str, sums: Moments, alpha: float | None) -> PairedDifference:
    n = sums.n
    if n == 0:
        return PairedDifference(metric, 0, None, None, None)
    mean = sums.y / n
    if not math.isfinite(mean):
        return PairedDifference(metric, n, None, None, None)
    if n < PAIRS_LEAST or alpha is None:
        return PairedDifference(metric, n, mean, None, None)
    variance = max(0.0, sums.yy - n * mean * mean) / (n - 1) / n
    half = half_width(variance, n, alpha) if variance > 0 else math.inf
    low, high = (mean - half, mean + half) if math.isfinite(half) else (None, None)
    return PairedDifference(metric, n, mean, low, high)


def _agreement(name: str, same: int, both: int, alpha: float | None) -> Agreement:
    if alpha is None:
        return Agreement(name, same, both, None, None)
    interval = binomial_interval(same, both, alpha) if both else Interval(0.0, 1.0)
    return Agreement(name, same, both, *interval)
