"""Intervals of one share that hold at every look: the beta-binomial mixture of ``e_process``, inverted."""

import math
from typing import Final, NamedTuple

from ab_testing.statistics.incomplete_beta import log_beta

HALVINGS: Final = 60
"""Bisections; each end is then exact to the last digits of a float."""


class Interval(NamedTuple):
    """From where to where."""

    low: float
    high: float


def binomial_interval(hits: float, events: float, alpha: float, a: float = 0.5, b: float = 0.5) -> Interval:
    """All chances p at which ``hits`` of ``events`` are no evidence of 1 / alpha against p.

    Whatever the true chance is, it lies in all these intervals, of any number of looks, but for a chance of ``alpha``
    (Robbins 1970; Howard, Ramdas, McAuliffe and Sekhon 2021).

    Args:
        hits: events that fell on this side.
        events: all of them.
        alpha: chance of ever missing the truth.
        a: of the Beta(a, b) mixture, which decides where the interval is narrowest, and not whether it holds.
        b: of the same.
    """
    if events <= 0:
        return Interval(0.0, 1.0)
    least = log_beta(a + hits, b + (events - hits)) - log_beta(a, b) + math.log(alpha)
    centre = hits / events
    low = 0.0 if hits <= 0 else _cross(hits, events, least, 0.0, centre)
    high = 1.0 if hits >= events else _cross(hits, events, least, 1.0, centre)
    return Interval(low, high)


def _cross(hits: float, events: float, least: float, outside: float, inside: float) -> float:
    """Where the log-likelihood falls below ``least``, told so that the interval is rather too wide."""
    for _ in range(HALVINGS):
        middle = (outside + inside) / 2
        if middle in {0.0, 1.0} or _log_likelihood(hits, events, middle) <= least:
            outside = middle
        else:
            inside = middle
    return outside


def _log_likelihood(hits: float, events: float, chance: float) -> float:
    missed = events - hits
    return (hits * math.log(chance) if hits else 0.0) + (missed * math.log1p(-chance) if missed else 0.0)
