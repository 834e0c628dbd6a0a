"""What usually comes at this hour of the week, as a floor under what is seen now."""

import math
from collections.abc import Sequence
from typing import Final

WEEKS: Final = 4
"""So many weeks are looked back on."""
LEAST_WEEKS: Final = 2
"""Of which so many must have had something at that hour: one is no habit."""
QUANTILE: Final = 0.8


def usual(hours: Sequence[float | None]) -> float | None:
    """What is to be reckoned with in an hour.

    Args:
        hours: what came in the same hour of earlier weeks; ``None`` = nobody knows.

    Returns:
        The 80th percentile (nearest rank) of the weeks that are known; ``None`` = too few had anything.
    """
    known = sorted(each for each in hours if each is not None)
    if sum(each > 0 for each in known) < LEAST_WEEKS:
        return None
    return known[math.ceil(QUANTILE * len(known)) - 1]
