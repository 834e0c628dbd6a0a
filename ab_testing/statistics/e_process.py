"""The beta-binomial e-process: exact evidence that a share is not what it should be, valid at every look.

If the arms fail alike, each job that fails was dealt into the treatment arm with the chance p0 that any job was.
Against that stands a mixture of other chances, Beta(a, b) of mean p0.  The ratio of the two likelihoods is a
martingale that starts at 1, so the chance that it ever reaches 1 / alpha is at most alpha (Ville 1939).
Source of the mixture: Robbins 1970, "Statistical methods related to the law of the iterated logarithm"; of its use on
counts of two arms: Lindon and Malek 2022, "Anytime-valid inference for multinomial count data".
"""

import math
from functools import lru_cache
from typing import Final

from ab_testing.statistics.incomplete_beta import log_beta, log_incomplete_beta

CONCENTRATION: Final = 20.0
"""a + b of the mixture: Beta(2, 18) at p0 = 0.1.  Larger sees small differences sooner and large ones later."""
LOG_MOST: Final = 690.0
"""Larger logarithms are told as this, for a number that fits a float and JSON."""


def null_share(share: float, ratio: float) -> float:
    """Share of the events that falls to the treatment arm if its rate is ``ratio`` times the control's.

    Args:
        share: part of the jobs of both arms that is dealt into the treatment arm, between 0 and 1.
        ratio: rate of the treatment arm over the control's, such as 1.5 for a margin of half as much again.
    """
    return share * ratio / (share * ratio + 1 - share)


def log_mixture(hits: float, events: float, share: float, a: float, b: float) -> float:
    """Logarithm of the likelihood of ``hits`` of ``events`` under a Beta(a, b) mixture over that under ``share``.

    Counts need not be whole, so that one can ask about data that are yet to come.
    """
    likelihood = _times_log(hits, share) + _times_log(events - hits, 1 - share)
    return log_beta(a + hits, b + (events - hits)) - log_beta(a, b) - likelihood


def log_e_two_sided(hits: float, events: float, share: float, concentration: float = CONCENTRATION) -> float:
    """Logarithm of the evidence against "each event falls to the treatment arm with chance ``share``"."""
    return log_mixture(hits, events, share, concentration * share, concentration * (1 - share))


def log_e_one_sided(hits: float, events: float, share: float, concentration: float = CONCENTRATION) -> float:
    """Logarithm of the evidence against "... with chance ``share`` or less": the mixture is of larger chances only.

    For a true chance below ``share`` each factor has a mean of at most 1, so that it stays an e-process.
    """
    a, b = concentration * share, concentration * (1 - share)
    after = log_incomplete_beta(a + hits, b + (events - hits), share)[1]
    return log_mixture(hits, events, share, a, b) + after - _log_above(a, b, share)


def e_value(log_e: float) -> float:
    """The evidence itself, at most about 1e299."""
    return math.exp(min(log_e, LOG_MOST))


@lru_cache(maxsize=256)
def _log_above(a: float, b: float, share: float) -> float:
    return log_incomplete_beta(a, b, share)[1]


def _times_log(count: float, chance: float) -> float:
    return 0.0 if count == 0 else count * math.log(chance) if chance > 0 else -math.inf
