"""Guardrails: whether a treatment arm is worse than the control by more than a margin.

Each has its own part of alpha, so that the chance that any of them ever fires without cause is at most alpha.
"""

import math
from typing import Final

from ab_testing.arm_pair import ArmPair, MinimumData
from ab_testing.comparison_words import chosen_percent, evidence_words, value_words
from ab_testing.experiment import Guardrail
from ab_testing.finding import Alarm
from ab_testing.mean_finding import bins_of, lacking_words
from ab_testing.metrics import METRICS, Better, Kind, Metric
from ab_testing.statistics.binomial_interval import binomial_interval
from ab_testing.statistics.confidence_sequence import one_sided_width
from ab_testing.statistics.e_process import e_value, log_e_one_sided, null_share
from ab_testing.statistics.mean_difference import Bins, MeanDifference, mean_difference, total

OF_RATIO: Final = 0.5
"""Part of a guardrail's alpha that goes into how many jobs the arm really got, once the sample ratio is broken."""


def guardrail_alarm(guardrail: Guardrail, pair: ArmPair, minimum: MinimumData, *, broken: bool) -> Alarm | None:
    """The alarm, if the guardrail fires.

    Args:
        guardrail: which metric, and how much worse is tolerated.
        pair: the arms; ``pair.alpha`` is this guardrail's own.
        minimum: what a mean needs.
        broken: whether the sample ratio is.  Then a mean says nothing, for which jobs are missing may be what makes it
            differ.  A rate still does, when its events are too many even for an arm that got as many jobs as it may
            have got.
    """
    metric = METRICS[guardrail.metric]
    if not 0 < pair.share < 1:
        return None
    if metric.kind is Kind.RATE:
        return _rate_alarm(metric, guardrail.margin, pair, broken=broken)
    return None if broken else _mean_alarm(metric, guardrail.margin, pair, minimum)


def not_judged(guardrail: Guardrail, pair: ArmPair, minimum: MinimumData, *, broken: bool) -> str:
    """Why the guardrail cannot fire now, whatever the figures are, to follow "because"; empty = it is judged.

    Takes the same as ``guardrail_alarm``.
    """
    metric = METRICS[guardrail.metric]
    if not 0 < pair.share < 1:
        return "one of both arms is dealt no jobs"
    if metric.kind is Kind.RATE:
        if not pair.treatment.jobs + pair.control.jobs:
            return "no job has ended yet"
        if broken and _share_got(pair, pair.alpha * OF_RATIO) >= 1:
            return "the sample ratio is broken, and nearly all jobs may be this arm's"
        return ""
    return _mean_not_judged(metric, guardrail.margin, pair, minimum, broken=broken)


def _mean_not_judged(metric: Metric, margin: float, pair: ArmPair, minimum: MinimumData, *, broken: bool) -> str:
    if broken:
        return "the sample ratio is broken, and the jobs that are missing may be just those that differ"
    bins = bins_of(metric, pair.control), bins_of(metric, pair.treatment)
    if lacking := lacking_words(bins, minimum):
        return lacking
    return "" if math.isfinite(_difference(metric, margin, bins).variance) else "some values are too large"


def _share_got(pair: ArmPair, alpha: float) -> float:
    """The largest part of the jobs that may be dealt into the treatment arm, once the sample ratio is broken."""
    got = binomial_interval(pair.treatment.jobs, pair.treatment.jobs + pair.control.jobs, alpha)
    return max(pair.share, got.high)


def _difference(metric: Metric, margin: float, bins: tuple[Bins, Bins]) -> MeanDifference:
    worse = 1.0 if metric.better is Better.LOWER else -1.0
    return mean_difference(*bins, winsorised=metric.winsorised, adjusted=metric.adjusted, ratio=1 + worse * margin)


def _rate_alarm(metric: Metric, margin: float, pair: ArmPair, *, broken: bool) -> Alarm | None:
    counts = pair.rate_counts(metric)
    share, alpha = pair.share, pair.alpha
    if not counts.events or counts.hits <= share * counts.events:
        return None
    if broken:
        share, alpha = _share_got(pair, alpha * OF_RATIO), alpha * (1 - OF_RATIO)
        if share >= 1:
            return None
    log_e = log_e_one_sided(counts.hits, counts.events, null_share(share, 1 + margin))
    if log_e < -math.log(alpha):
        return None
    values = [arm.counts[metric.source] / arm.jobs if arm.jobs else None for arm in (pair.control, pair.treatment)]
    what = "those without" if metric.better is Better.HIGHER else "of them"
    counted = (
        f"{counts.hits:,} {what} in {pair.names[1]} and {counts.events - counts.hits:,} in {pair.names[0]}, "
        f"{evidence_words(e_value(log_e))} of evidence where {1 / alpha:,.0f} is enough"
    )
    return Alarm(metric.name, pair.names[1], _words(metric, margin, pair, values, counted), e_value(log_e), pair.alpha)


def _mean_alarm(metric: Metric, margin: float, pair: ArmPair, minimum: MinimumData) -> Alarm | None:
    bins = bins_of(metric, pair.control), bins_of(metric, pair.treatment)
    sums = total(bins[0]), total(bins[1])
    if min(each.n for each in sums) < max(2, minimum.values) or lacking_words(bins, minimum):
        return None
    worse = 1.0 if metric.better is Better.LOWER else -1.0
    found = _difference(metric, margin, bins)
    least = worse * found.difference - one_sided_width(found.variance, found.values, pair.alpha)
    if not least > 0:  # nor where it is no number
        return None
    beyond = f"beyond that by at least {value_words(metric, least)}"
    return Alarm(
        metric.name,
        pair.names[1],
        _words(metric, margin, pair, [each.y / each.n for each in sums], beyond),
        None,
        pair.alpha,
    )


def _words(metric: Metric, margin: float, pair: ArmPair, values: list[float | None], evidence: str) -> str:
    title = metric.title[0].upper() + metric.title[1:]
    tolerated = f"more than {chosen_percent(margin)} % worse" if margin else "worse"
    return (
        f"{title}: {value_words(metric, values[1])} ({pair.names[1]}) against {value_words(metric, values[0])} "
        f"({pair.names[0]}); {tolerated}, which the guardrail does not allow: {evidence}."
    )
