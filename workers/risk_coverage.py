"""The risk-coverage curve: of the answers that are kept at each threshold, how many are wrong.

What is not kept goes to the fallback, so the curve is also what a threshold costs and what it buys.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from earmark.metadata import Frozen
from workers.curves import Flags, Floats
from workers.reliability import Estimate, bootstrap, share_estimate

STEPS: Final = 100
"""Thresholds are hundredths."""
KEPT_LEAST: Final = 30
"""Kept answers below which an error rate says too little to choose by."""


class RiskPoint(Frozen):
    """What happens at one threshold."""

    threshold: float
    """Answers of this confidence and more are kept."""
    kept: int
    wrong: int
    """Of those kept."""
    risk: Estimate
    """Share of wrong answers among those kept; the interval is the wider of the bootstrap's and Wilson's."""
    coverage: Estimate
    """Share of answers that are kept."""
    recordings_sent: float
    """Share of recordings with an answer that is not kept."""


def risk_curve(confidences: Floats, right: Flags, recordings: NDArray[np.intp]) -> tuple[RiskPoint, ...]:
    """The curve at every hundredth from 0, up to the first threshold that keeps nothing.

    Args:
        confidences: 0 to 1, (n,).
        right: whether each answer is, (n,).
        recordings: which recording each answer is about, numbered from 0, (n,).
    """
    places = np.floor(confidences * STEPS + 1e-9).astype(np.intp)
    wrong = (~right).astype(float)

    def from_top(counted: Floats) -> Floats:
        sums: Floats = np.cumsum(np.bincount(places, counted, STEPS + 1)[::-1].astype(float))[::-1]
        return sums

    def figures(weights: Floats) -> Floats:
        kept, faults = from_top(weights), from_top(weights * wrong)
        risks = np.divide(faults, kept, out=np.full(STEPS + 1, np.nan), where=kept > 0)
        return np.concatenate([risks, kept / weights.sum()])

    estimates = bootstrap(figures, recordings)
    ones = np.ones(len(places))
    kept, faults = from_top(ones).astype(int).tolist(), from_top(wrong).astype(int).tolist()
    least = np.full(int(recordings.max()) + 1, STEPS)
    np.minimum.at(least, recordings, places)
    last = int(places.max())
    return tuple(
        RiskPoint(
            threshold=step / STEPS,
            kept=kept[step],
            wrong=faults[step],
            risk=_wider(estimates[step], share_estimate(faults[step], kept[step])),
            coverage=estimates[STEPS + 1 + step],
            recordings_sent=float((least < step).mean()),
        )
        for step in range(last + 1)
    )


def lowest_for_error(curve: Sequence[RiskPoint], rate: float, *, surely: bool = False) -> RiskPoint | None:
    """The point that keeps most while at most this share of the kept is wrong; None = there is none.

    Points that keep fewer than ``KEPT_LEAST`` answers are not looked at.

    Args:
        curve: in rising order.
        rate: 0 to 1.
        surely: ask it of the upper end of the interval, not of the estimate.
    """
    enough = (point for point in curve if point.kept >= KEPT_LEAST)
    return next((point for point in enough if (point.risk.high if surely else point.risk.value) <= rate), None)


def highest_for_share(curve: Sequence[RiskPoint], share: float) -> RiskPoint | None:
    """The point with the highest threshold that sends at most this share of answers on; None = all send more."""
    return next((point for point in reversed(curve) if 1.0 - point.coverage.value <= share + 1e-9), None)


def safest(curve: Sequence[RiskPoint]) -> RiskPoint | None:
    """The point with the least error rate among those that keep enough to say."""
    return min((point for point in curve if point.kept >= KEPT_LEAST), key=lambda point: point.risk.value, default=None)


def at_coverage(curve: Sequence[RiskPoint], share: float) -> RiskPoint:
    """The point with the highest threshold that keeps at least this share of answers."""
    return next((point for point in reversed(curve) if point.coverage.value >= share - 1e-9), curve[0])


def _wider(one: Estimate, other: Estimate) -> Estimate:
    return Estimate(value=other.value, low=min(one.low, other.low), high=max(one.high, other.high))
