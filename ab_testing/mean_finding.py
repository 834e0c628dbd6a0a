"""What a look finds of a mean."""

import math

from ab_testing.arm_pair import ArmPair, MinimumData, share_of
from ab_testing.comparison_words import about, difference_words, direction, fewer_differences, more_jobs, sentence
from ab_testing.evidence import BIN_OF_ZERO, ArmEvidence, Moments
from ab_testing.finding import Finding, Verdict
from ab_testing.metrics import Metric
from ab_testing.more_data import least_times
from ab_testing.statistics.confidence_sequence import half_width
from ab_testing.statistics.mean_difference import Bins, mean_difference, total

SUMMED = frozenset({"USD"})
"""Units of which a sum over all jobs says something to a person."""


def mean_finding(metric: Metric, pair: ArmPair, minimum: MinimumData) -> Finding:
    """Compare a mean.  Its interval holds for many values only, so that nothing is said before ``minimum``."""
    bins = bins_of(metric, pair.control), bins_of(metric, pair.treatment)
    sums = total(bins[0]), total(bins[1])
    values = _mean(sums[0]), _mean(sums[1])
    jobs = sums[0].n, sums[1].n
    totals = (_finite(sums[0].y), _finite(sums[1].y)) if metric.unit in SUMMED else (None, None)
    if min(jobs) < 2:  # noqa: PLR2004  # a variance needs two
        because = "an arm has fewer than two values"
        return Finding(
            metric.name, pair.names[1], *values, None, None, None, None, None, *jobs,
            Verdict.TOO_FEW, sentence(metric, pair.names, values, Verdict.TOO_FEW, because),
            f"It takes {minimum.values} values of each arm.", *totals,
        )  # fmt: skip
    found = mean_difference(*bins, winsorised=metric.winsorised, adjusted=metric.adjusted)
    half = half_width(found.variance, found.values, pair.alpha)
    low, high = _finite(found.difference - half), _finite(found.difference + half)
    lacking = lacking_words(bins, minimum)
    so = ", once the largest thousandth is capped" * (found.cap is not None)
    so += ", with the length of the audio allowed for" * metric.adjusted
    because = f"the difference is {difference_words(metric, low, high)}{so}"
    if pair.withheld:
        verdict, low, high, because, change = Verdict.WITHHELD, None, None, "", ""
    elif lacking:
        verdict, because, change = Verdict.TOO_FEW, lacking, _more_values(pair, bins, minimum)
    elif low is None or high is None:
        verdict, because = Verdict.TOO_FEW, "some values are too large to be reckoned with"
        change = "It takes values that are finite: look for rows of this experiment that cannot be true."
    elif low > 0 or high < 0:
        verdict = direction(metric, found.difference)
        times = least_times(
            lambda times: (
                abs(found.difference) / (1 + times)
                <= half_width(found.variance / (1 + times), found.values * (1 + times), pair.alpha)
            )
        )
        change = fewer_differences(pair.names[1], None if times is None else times * jobs[1])
    else:
        verdict = Verdict.OPEN
        times = least_times(
            lambda times: (
                abs(found.difference) > half_width(found.variance / (1 + times), found.values * (1 + times), pair.alpha)
            )
        )
        change = more_jobs(pair.names[1], None if times is None else times * jobs[1])
    return Finding(
        metric=metric.name,
        arm=pair.names[1],
        control=values[0],
        treatment=values[1],
        difference=_finite(found.difference),
        low=low,
        high=high,
        relative=share_of(found.difference, values[0]),
        e_value=None,
        control_jobs=jobs[0],
        treatment_jobs=jobs[1],
        verdict=verdict,
        sentence=sentence(metric, pair.names, values, verdict, because),
        would_change=change,
        control_total=totals[0],
        treatment_total=totals[1],
    )


def bins_of(metric: Metric, arm: ArmEvidence) -> Bins:
    """The sums of a metric by bin, without making any where there are none."""
    return arm.bins.get(metric.source, {})


def lacking_words(bins: tuple[Bins, Bins], minimum: MinimumData) -> str:
    """What there is too little of for an interval of a mean to hold; empty = there is enough."""
    jobs = [sum(moments.n for moments in each.values()) for each in bins]
    if min(jobs) < minimum.values:
        return f"it takes {minimum.values} values of each arm, and there are {jobs[0]:,} and {jobs[1]:,}"
    expected = min(jobs) * _nonzero(bins)
    if 0 < expected < minimum.events:
        return (
            f"nearly all are zero; {minimum.events:.0f} of each arm must be expected to be otherwise, "
            f"and {math.floor(expected)} are"
        )
    return ""


def _nonzero(bins: tuple[Bins, Bins]) -> float:
    """Part of the values of both arms that is not zero."""
    counts = [(number, moments.n) for each in bins for number, moments in each.items()]
    return sum(n for number, n in counts if number != BIN_OF_ZERO) / sum(n for _, n in counts)


def _more_values(pair: ArmPair, bins: tuple[Bins, Bins], minimum: MinimumData) -> str:
    jobs = [sum(moments.n for moments in each.values()) for each in bins]
    rarer = pair.names[0] if jobs[0] < jobs[1] else pair.names[1]
    wanted = max(float(minimum.values), minimum.events / (_nonzero(bins) or 1.0))
    many = about(max(1.0, wanted - min(jobs)))
    return f"More values: with {many} more of {rarer} there is enough to compare."


def _mean(sums: Moments) -> float | None:
    return _finite(sums.y / sums.n) if sums.n else None


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None
