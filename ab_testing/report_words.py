"""Figures of experiments as people read them: three digits, exponents from 1e15 on only, a dash for what is unknown."""

import math
from typing import Final

from ab_testing.finding import GuardrailState, Verdict
from ab_testing.metrics import Kind, Metric

DASH: Final = "\N{EN DASH}"
DIGITS: Final = 3
DECIMALS_MOST: Final = 12
HUGE: Final = 1e15
"""From here on digits are not written out."""
MILLION: Final = 1e6
HOURS_A_DAY: Final = 24.0
MINUTES: Final = 60.0
FEW_DAYS: Final = 2.0
VERDICTS: Final = {
    Verdict.BETTER: "better",
    Verdict.WORSE: "worse",
    Verdict.OPEN: "open",
    Verdict.TOO_FEW: "too few",
    Verdict.WITHHELD: "withheld",
}
GUARDRAILS: Final = {
    GuardrailState.HOLDS: "holds so far",
    GuardrailState.FIRED: "fired",
    GuardrailState.NOT_JUDGED: "not judged",
}


def known(value: float | None) -> float | None:
    """A value that is finite; None for all else."""
    return value if value is not None and math.isfinite(value) else None


def figure(value: float | None, digits: int = DIGITS) -> str:
    """A number with so many digits: ``12,300``, ``0.0000123``."""
    if value is None or not math.isfinite(value):
        return DASH
    if value == 0:
        return "0"
    if abs(value) >= HUGE:
        return f"{value:.{digits - 1}e}"
    size = math.floor(math.log10(abs(float(f"{value:.{digits}g}"))))
    decimals = min(max(0, digits - 1 - size), DECIMALS_MOST)
    text = f"{value:,.{decimals}f}"
    text = text.rstrip("0").rstrip(".") if "." in text else text
    return "0" if text in {"-0", ""} else text


def signed(value: float | None, digits: int = DIGITS) -> str:
    """A number with its sign: ``+0.5``."""
    text = figure(value, digits)
    return f"+{text}" if value is not None and math.isfinite(value) and value > 0 and text != "0" else text


def count(value: float | None) -> str:
    """A whole number: ``12,345``."""
    if value is None or not math.isfinite(value):
        return DASH
    return f"{value:,.0f}" if abs(value) < HUGE else figure(value)


def shown(metric: Metric, value: float | None) -> str:
    """A value with its unit: ``3.25 %``, ``1.83 s``."""
    if known(value) is None or value is None:
        return DASH
    return f"{figure(_scaled(metric, value))} {_unit(metric)}".rstrip()


def difference(metric: Metric, value: float | None) -> str:
    """A difference with sign and unit: ``+0.41 points``; those of rates are percentage points."""
    if known(value) is None or value is None:
        return DASH
    return f"{signed(_scaled(metric, value))} {difference_unit(metric)}".rstrip()


def interval(metric: Metric, low: float | None, high: float | None) -> str:
    """From where to where: ``+0.1 to +0.8``, in the unit of the difference."""
    low, high = known(low), known(high)
    if low is None and high is None:
        return DASH
    if low is None or high is None:
        return f"up to {signed(_scaled(metric, high))}" if high is not None else f"from {signed(_scaled(metric, low))}"
    return f"{signed(_scaled(metric, low))} to {signed(_scaled(metric, high))}"


def relative(share: float | None) -> str:
    """A change as a share of the control's value: ``+13.6 %``."""
    return DASH if known(share) is None or share is None else f"{signed(100 * share)} %"


def percent(share: float | None) -> str:
    """A share: ``12.5 %``."""
    return DASH if known(share) is None or share is None else f"{figure(100 * share)} %"


def evidence(e_value: float | None) -> str:
    """An e-value: ``23.1``, ``> 1 million``."""
    if e_value is None or math.isnan(e_value):
        return DASH
    if e_value > MILLION:
        return "> 1 million"
    return "< 0.001" if 0 < e_value < 0.001 else figure(e_value)  # noqa: PLR2004  # more zeros say no more


def days(value: float | None) -> str:
    """A time: ``12 min``, ``7 h``, ``3.5 days``."""
    if value is None:
        return DASH
    if value >= FEW_DAYS:
        return f"{figure(value, 2)} days"
    hours = value * HOURS_A_DAY
    if hours >= 1:
        return f"{figure(hours, 2)} h"
    return f"{figure(hours * MINUTES, 2)} min" if hours * MINUTES >= 1 else "less than a minute"


def difference_unit(metric: Metric) -> str:
    """What differences of a metric are told in."""
    return "points" if metric.kind is Kind.RATE else metric.unit


def _unit(metric: Metric) -> str:
    return "%" if metric.kind is Kind.RATE else metric.unit


def _scaled(metric: Metric, value: float | None) -> float | None:
    return None if value is None else value * (100.0 if metric.kind is Kind.RATE else 1.0)
