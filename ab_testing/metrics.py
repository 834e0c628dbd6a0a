"""The metrics that arms are compared by.

Rates count jobs that ended ``done`` or ``failed``; ``rejected`` ones are at fault themselves, whatever the arm.
Failed jobs stay in every rate.  Means and quantiles of inference leave out cold jobs, in both arms.  Confidence is
compared before the fallback, cost and success after it.
"""

from dataclasses import dataclass
from enum import StrEnum
from typing import Final


class Kind(StrEnum):
    """How a metric is made of rows."""

    RATE = "rate"
    MEAN = "mean"
    QUANTILE = "quantile"


class Better(StrEnum):
    """Which way a metric should go."""

    LOWER = "lower"
    HIGHER = "higher"


@dataclass(frozen=True, slots=True)
class Metric:
    """One figure by which arms are compared."""

    name: str
    kind: Kind
    source: str
    """What is counted for a rate (a column of ``ab_hours``), or binned for the rest (a metric of ``ab_bins``)."""
    better: Better
    title: str
    unit: str = ""
    winsorised: bool = False
    """Whether the largest thousandth counts as its smallest, so that a few huge values decide nothing."""
    adjusted: bool = False
    """Whether the part that follows from the length of the audio is taken out first."""
    quantile: float | None = None


_ALL: Final = (
    Metric("error_rate", Kind.RATE, "failed", Better.LOWER, "jobs whose tries all failed"),
    Metric("success_rate", Kind.RATE, "done", Better.HIGHER, "jobs that were answered"),
    Metric("fallback_rate", Kind.RATE, "fallback", Better.LOWER, "jobs the fallback was asked about"),
    Metric("low_confidence_rate", Kind.RATE, "low_confidence", Better.LOWER, "answers below the threshold"),
    Metric("over_sla_rate", Kind.RATE, "over_sla", Better.LOWER, "jobs that took longer than promised"),
    Metric(
        "predict_s", Kind.MEAN, "predict_s", Better.LOWER, "mean inference time", "s", winsorised=True, adjusted=True
    ),
    Metric("confidence", Kind.MEAN, "confidence", Better.HIGHER, "mean confidence before the fallback"),
    Metric(
        "cost_usd", Kind.MEAN, "cost_usd", Better.LOWER, "mean cost of a job", "USD", winsorised=True, adjusted=True
    ),
    Metric("predict_s_p50", Kind.QUANTILE, "predict_s", Better.LOWER, "median inference time", "s", quantile=0.50),
    Metric(
        "predict_s_p95",
        Kind.QUANTILE,
        "predict_s",
        Better.LOWER,
        "inference time that 95 % stay below",
        "s",
        quantile=0.95,
    ),
)
METRICS: Final = {metric.name: metric for metric in _ALL}
