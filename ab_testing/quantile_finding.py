"""What a look finds of a quantile."""

import math

from ab_testing.arm_pair import ArmPair, share_of
from ab_testing.comparison_words import difference_words, direction, fewer_differences, more_jobs, sentence
from ab_testing.finding import Finding, Verdict
from ab_testing.mean_finding import bins_of
from ab_testing.metrics import Metric
from ab_testing.more_data import least_times
from ab_testing.statistics.binomial_interval import Interval
from ab_testing.statistics.quantile_interval import Distribution


def quantile_finding(metric: Metric, pair: ArmPair) -> Finding:
    """Compare a quantile.  Each arm's interval is exact at half of alpha; the difference lies between their ends."""
    if metric.quantile is None:
        message = f"{metric.name} does not say which quantile it is"
        raise ValueError(message)
    control = Distribution.of(bins_of(metric, pair.control))
    treatment = Distribution.of(bins_of(metric, pair.treatment))
    values = (
        control.quantile(metric.quantile) if control.values else None,
        treatment.quantile(metric.quantile) if treatment.values else None,
    )
    interval = _difference(metric.quantile, control, treatment, pair.alpha)
    low, high = (None if pair.withheld or not math.isfinite(end) else end for end in interval)
    difference = values[1] - values[0] if values[0] is not None and values[1] is not None else None
    because = f"the difference is {difference_words(metric, low, high)}"
    withheld = pair.withheld and difference is not None
    if withheld:
        verdict, because = Verdict.WITHHELD, ""
    elif interval.low > 0 or interval.high < 0:
        verdict = direction(metric, interval.low if interval.low > 0 else interval.high)
    elif low is None or high is None:  # as where an arm has no values, withheld or not
        verdict = Verdict.TOO_FEW
        because = "too few values to bound it from both sides"
    else:
        verdict = Verdict.OPEN
    return Finding(
        metric=metric.name,
        arm=pair.names[1],
        control=values[0],
        treatment=values[1],
        difference=difference,
        low=low,
        high=high,
        relative=share_of(difference, values[0]),
        e_value=None,
        control_jobs=round(control.values),
        treatment_jobs=round(treatment.values),
        verdict=verdict,
        sentence=sentence(metric, pair.names, values, verdict, because),
        would_change="" if withheld else _would_change(metric.quantile, control, treatment, pair, verdict),
    )


def _difference(q: float, control: Distribution, treatment: Distribution, alpha: float, times: float = 1.0) -> Interval:
    below, above = (each.interval(q, alpha / 2, times) for each in (control, treatment))
    return Interval(above.low - below.high, above.high - below.low)


def _would_change(q: float, control: Distribution, treatment: Distribution, pair: ArmPair, verdict: Verdict) -> str:
    arm = pair.names[1]
    if not control.values or not treatment.values:
        return f"It takes values of both arms, {pair.names[0]} and {arm}."
    if verdict in {Verdict.BETTER, Verdict.WORSE}:
        both = control.with_more(treatment, treatment.values)

        def untold(times: float) -> bool:
            diluted = [each.with_more(both, times * each.values) for each in (control, treatment)]
            low, high = _difference(q, diluted[0], diluted[1], pair.alpha)
            return low <= 0 <= high

        times = least_times(untold)
        return fewer_differences(arm, None if times is None else times * treatment.values)

    def told(times: float) -> bool:
        low, high = _difference(q, control, treatment, pair.alpha, 1 + times)
        return low > 0 or high < 0

    times = least_times(told)
    return more_jobs(arm, None if times is None else times * treatment.values)
