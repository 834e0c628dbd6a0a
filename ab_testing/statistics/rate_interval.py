"""How far the rates of two arms are apart: intervals that hold at every look, from four counts.

Of the events (failures, say) a part theta falls to the treatment arm; of the jobs a part p0 does.  Then
rate_t / rate_c = odds(theta) / odds(p0), and with s, the rate of both arms together,
rate_t - rate_c = s (theta - p0) / (p0 (1 - p0)).
The interval of theta is ``binomial_interval`` with the mixture of ``e_process``, so that it leaves p0 out exactly when
the e-value reaches 1 / alpha; that of s is one with Jeffreys' mixture.
"""

from typing import Final

from ab_testing.statistics.binomial_interval import Interval, binomial_interval
from ab_testing.statistics.e_process import CONCENTRATION

ALPHA_OF_RATE: Final = 0.05
"""Part of alpha that the interval of the difference spends on s."""


def share_interval(hits: float, events: float, share: float, alpha: float) -> Interval:
    """Of the part of the events that falls to the treatment arm, where ``share`` of the jobs does."""
    return binomial_interval(hits, events, alpha, CONCENTRATION * share, CONCENTRATION * (1 - share))


def ratio_interval(hits: float, events: float, share: float, alpha: float) -> Interval:
    """Of rate_t / rate_c; the upper end is infinite as long as it may be anything."""
    odds = share / (1 - share)
    low, high = share_interval(hits, events, share, alpha)
    return Interval(low / (1 - low) / odds, float("inf") if high >= 1 else high / (1 - high) / odds)


def difference_interval(hits: float, events: float, jobs: float, share: float, alpha: float) -> Interval:
    """Of rate_t - rate_c.

    Args:
        hits: events in the treatment arm.
        events: in both arms.
        jobs: of both arms, with and without the event.
        share: part of the jobs that is dealt into the treatment arm.
        alpha: chance of ever missing the truth.

    Its parts are held to ``alpha`` in sum.  When theta is told from p0 at alpha itself, but not at that part of it,
    the end is moved to zero, to agree with the e-value; at worst this misses in 1.05 alpha.
    """
    rates = binomial_interval(events, jobs, alpha * ALPHA_OF_RATE)
    shares = share_interval(hits, events, share, alpha * (1 - ALPHA_OF_RATE))
    strict = share_interval(hits, events, share, alpha)
    scale = 1 / (share * (1 - share))
    ends = [(rate * (theta - share)) * scale for rate in rates for theta in shares]
    low, high = max(-1.0, min(ends)), min(1.0, max(ends))
    if strict.low > share:
        low = max(low, 0.0)
    if strict.high < share:
        high = min(high, 0.0)
    return Interval(low, high)
