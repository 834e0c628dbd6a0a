"""Widths of confidence sequences of a mean: intervals that, in the long run, hold at every look.

Waudby-Smith, Arbour, Sinha, Kennedy and Ramdas 2023, "Time-uniform central limit theory and asymptotic confidence
sequences", equation 9.  They are asymptotic: exact for normal values, close for others once there are enough.
"""

import math
from typing import Final

TUNED_FOR: Final = 5000
"""Values of both arms at which the interval is narrowest.  Fixed: an interval tuned to the data seen would not hold."""


def tuning(alpha: float, tuned_for: int = TUNED_FOR) -> float:
    """Rho of equation 9 that makes the interval nearly narrowest at ``tuned_for`` values."""
    surprise = -2 * math.log(alpha)
    return math.sqrt((surprise + math.log(surprise + 1)) / tuned_for)


def half_width(variance: float, values: float, alpha: float, tuned_for: int = TUNED_FOR) -> float:
    """Half of the interval's width.

    Args:
        variance: of the estimate (its standard error, squared), not of single values.
        values: how many values it is made of, of both arms; need not be whole.
        alpha: chance of ever missing the truth.
        tuned_for: where the interval is narrowest.
    """
    time = values * tuning(alpha, tuned_for) ** 2
    return math.sqrt(variance * 2 * (time + 1) / time * math.log(math.sqrt(time + 1) / alpha))


def one_sided_width(variance: float, values: float, alpha: float, tuned_for: int = TUNED_FOR) -> float:
    """How far below the estimate the lower end of a one-sided interval lies.

    The mixture is over positive shifts only.  With x = estimate / standard error * sqrt(time / (time + 1)) it is
    2 Phi(x) exp(x**2 / 2) / sqrt(time + 1), which is at least (2 exp(x**2 / 2) - 1) / sqrt(time + 1) because
    2 (1 - Phi(x)) <= exp(-x**2 / 2); it is tuned at twice alpha, as that is what one side of two would have.
    """
    time = values * tuning(min(2 * alpha, 0.5), tuned_for) ** 2
    return math.sqrt(variance * 2 * (time + 1) / time * math.log((1 + math.sqrt(time + 1) / alpha) / 2))
