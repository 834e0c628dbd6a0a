"""How many more jobs would change a verdict."""

from collections.abc import Callable
from typing import Final

TIMES_MOST: Final = 2.0**40
EXACT: Final = 0.005
"""Part of the data to come by which the answer may be too large."""


def least_times(changed: Callable[[float], bool]) -> float | None:
    """The smallest share of the data there are, to be added, at which ``changed`` says yes; None = no share does.

    Args:
        changed: says, of a number times, whether so many times the data there are would, on top of them, change the
            verdict.  It may only ever go from no to yes.
    """
    low, high = 0.0, 0.01
    while not changed(high):
        low, high = high, high * 2
        if high > TIMES_MOST:
            return None
    while high - low > EXACT * high:
        middle = (low + high) / 2
        low, high = (low, middle) if changed(middle) else (middle, high)
    return high
