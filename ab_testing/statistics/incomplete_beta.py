"""The beta function and the regularised incomplete beta function, in logarithms, for counts up to tens of millions."""

import math
from typing import Final

STIRLING_FROM: Final = 10.0
"""From here on five terms of Stirling's series leave less than 1e-12."""
STIRLING: Final = (1 / 12, -1 / 360, 1 / 1260, -1 / 1680, 1 / 1188)
"""Coefficients of 1/x, 1/x**3, and so on: DLMF 5.11.1."""
STEPS_MOST: Final = 200_000
"""Of the continued fraction; about the square root of the larger parameter are taken."""
TINY: Final = 1e-300
"""In place of a zero that would be divided by (Lentz's method)."""


def log_beta(a: float, b: float) -> float:
    """Logarithm of B(a, b).

    The difference of three large ``lgamma`` would lose seven digits at counts of 1e7, so the large parts are taken
    apart by hand: lgamma(x) = (x - 1/2) ln x - x + ln(2 pi) / 2 + a small remainder (DLMF 5.11.1).
    """
    a, b = min(a, b), max(a, b)
    if a <= 0:
        message = f"the beta function is for positive numbers, not for {a:g} and {b:g}"
        raise ValueError(message)
    if b < STIRLING_FROM:
        return math.lgamma(a) + math.lgamma(b) - math.lgamma(a + b)
    tail = _remainder(b) - _remainder(a + b) - (b - 0.5) * math.log1p(a / b)
    if a < STIRLING_FROM:
        return math.lgamma(a) + a - a * math.log(a + b) + tail
    return tail + _remainder(a) + 0.5 * math.log(2 * math.pi) - a * math.log1p(b / a) - 0.5 * math.log(a)


def log_incomplete_beta(a: float, b: float, x: float) -> tuple[float, float]:
    """Logarithms of I_x(a, b) and of 1 - I_x(a, b): chances that a Beta(a, b) variable is below x, and above it.

    The smaller of the two comes from the continued fraction DLMF 8.17.22, so that neither loses its digits.
    """
    if x <= 0:
        return -math.inf, 0.0
    if x >= 1:
        return 0.0, -math.inf
    front = a * math.log(x) + b * math.log1p(-x) - log_beta(a, b)
    if x < (a + 1) / (a + b + 2):
        lower = min(0.0, front - math.log(a) - math.log(_fraction(a, b, x)))
        return lower, _log_complement(lower)
    upper = min(0.0, front - math.log(b) - math.log(_fraction(b, a, 1 - x)))
    return _log_complement(upper), upper


def incomplete_beta(a: float, b: float, x: float) -> float:
    """I_x(a, b), the chance that a Beta(a, b) variable is below x."""
    return math.exp(log_incomplete_beta(a, b, x)[0])


def _remainder(x: float) -> float:
    inverse = 1 / (x * x)
    total = 0.0
    for coefficient in reversed(STIRLING):
        total = total * inverse + coefficient
    return total / x


def _log_complement(log_chance: float) -> float:
    chance = math.exp(log_chance)
    return -math.inf if chance >= 1 else math.log1p(-chance)


def _fraction(a: float, b: float, x: float) -> float:
    """1 + d1 / (1 + d2 / (1 + ...)) of DLMF 8.17.22, by the modified method of Lentz (Thompson and Barnett 1986)."""
    value, top, bottom = 1.0, 1.0, 0.0
    for step in range(1, STEPS_MOST):
        m, odd = divmod(step, 2)
        if odd:
            d = -(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1))
        else:
            d = m * (b - m) * x / ((a + 2 * m - 1) * (a + 2 * m))
        bottom = 1 / ((1 + d * bottom) or TINY)
        top = (1 + d / top) or TINY
        value *= top * bottom
        if abs(top * bottom - 1) < 1e-15:  # noqa: PLR2004  # as far as floats go
            return value
    message = f"the incomplete beta function of {a:g} and {b:g} at {x:g} did not converge"
    raise ArithmeticError(message)
