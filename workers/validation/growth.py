"""Growth of memory over many calls, by a slope that single jumps do not move."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Final, NamedTuple

import numpy as np

WARM_SHARE: Final = 0.1
"""Share of the calls at the beginning that is not looked at: allocators and caches fill up once."""
WARM_LEAST: Final = 5
POINTS_LEAST: Final = 5
_Z: Final = 1.959964


class Slope(NamedTuple):
    """Growth per call, with a 95 % interval."""

    value: float
    low: float
    high: float


def growth(calls: Sequence[int], amounts: Sequence[float]) -> Slope | None:
    """How much an amount grows per call once it is warm; None = too few points.

    The median of the slopes between all pairs of points (Theil 1950, Sen 1968), which nearly a third of the points may
    be wrong in, with Sen's interval.  It takes the points as independent: where memory grows in few large steps the
    interval is too narrow, and the median says what most of the calls do.

    Args:
        calls: number of the call after which each amount was read, from 1, rising, (n,).
        amounts: what was read, (n,).
    """
    warm = max(WARM_LEAST, WARM_SHARE * (calls[-1] if calls else 0))
    points = [(call, amount) for call, amount in zip(calls, amounts, strict=True) if call > warm]
    count = len(points)
    if count < POINTS_LEAST:
        return None
    at, amount = np.array(points, float).T
    first, second = np.triu_indices(count, 1)
    slopes = np.sort((amount[second] - amount[first]) / (at[second] - at[first]))
    spread = _Z * math.sqrt(count * (count - 1) * (2 * count + 5) / 18)
    low = max(0, math.floor((len(slopes) - spread) / 2) - 1)
    high = min(len(slopes) - 1, math.ceil((len(slopes) + spread) / 2))
    return Slope(float(np.median(slopes)), float(slopes[low]), float(slopes[high]))
