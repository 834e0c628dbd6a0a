"""What a look finds of a rate."""

import math
from dataclasses import replace

from ab_testing.arm_pair import ArmPair, share_of
from ab_testing.comparison_words import (
    difference_words,
    direction,
    evidence_words,
    fewer_differences,
    more_jobs,
    sentence,
)
from ab_testing.evidence import ArmEvidence
from ab_testing.finding import Finding, Verdict
from ab_testing.metrics import Better, Metric
from ab_testing.more_data import least_times
from ab_testing.statistics.e_process import e_value, log_e_two_sided
from ab_testing.statistics.rate_interval import difference_interval


def rate_finding(metric: Metric, pair: ArmPair) -> Finding:
    """Compare a rate.  The e-process is exact, and needs no minimum: it cannot act before some events have come."""
    values = _rate(metric, pair.control), _rate(metric, pair.treatment)
    counts = pair.rate_counts(metric)
    if values[0] is None or values[1] is None or not pair.comparable:
        because = "an arm has no jobs yet that ended done or failed"
        return Finding(
            metric.name, pair.names[1], *values, None, None, None, None, None, pair.control.jobs, pair.treatment.jobs,
            Verdict.TOO_FEW, sentence(metric, pair.names, values, Verdict.TOO_FEW, because),
            f"It takes jobs of both arms, {pair.names[0]} and {pair.names[1]}.",
        )  # fmt: skip
    difference = values[1] - values[0]
    if pair.withheld:
        return _finding(metric, pair, values, difference)
    log_e = log_e_two_sided(counts.hits, counts.events, pair.share)
    low, high = difference_interval(counts.hits, counts.events, counts.jobs, pair.share, pair.alpha)
    if metric.better is Better.HIGHER:
        low, high = -high, -low
    shown = log_e >= -math.log(pair.alpha)
    excess = counts.hits - pair.share * counts.events
    verdict = direction(metric, excess if metric.better is Better.LOWER else -excess) if shown else Verdict.OPEN
    because = f"the difference is {difference_words(metric, low, high)}"
    if counts.events == 0:
        because = "it is the same for every job so far, in both arms"
    elif shown:
        because += f", with {evidence_words(e_value(log_e))} of evidence where {1 / pair.alpha:,.0f} is enough"
    return replace(
        _finding(metric, pair, values, difference),
        low=low,
        high=high,
        e_value=e_value(log_e),
        verdict=verdict,
        sentence=sentence(metric, pair.names, values, verdict, because),
        would_change=_would_change(pair, counts.hits, counts.events),
    )


def _finding(metric: Metric, pair: ArmPair, values: tuple[float | None, float | None], difference: float) -> Finding:
    """What may be told even where nothing may be concluded."""
    return Finding(
        metric=metric.name,
        arm=pair.names[1],
        control=values[0],
        treatment=values[1],
        difference=difference,
        low=None,
        high=None,
        relative=share_of(difference, values[0]),
        e_value=None,
        control_jobs=pair.control.jobs,
        treatment_jobs=pair.treatment.jobs,
        verdict=Verdict.WITHHELD,
        sentence=sentence(metric, pair.names, values, Verdict.WITHHELD),
        would_change="",
        control_total=float(pair.control.counts[metric.source]),
        treatment_total=float(pair.treatment.counts[metric.source]),
    )


def _rate(metric: Metric, arm: ArmEvidence) -> float | None:
    return arm.counts[metric.source] / arm.jobs if arm.jobs else None


def _would_change(pair: ArmPair, hits: int, events: int) -> str:
    wanted = -math.log(pair.alpha)
    arm = pair.names[1]
    if events == 0:
        return f"It takes jobs of {arm} or of {pair.names[0]} in which it is otherwise."
    if log_e_two_sided(hits, events, pair.share) >= wanted:
        # events of which the treatment arm gets just its share
        times = least_times(
            lambda times: log_e_two_sided(hits + times * events * pair.share, events * (1 + times), pair.share) < wanted
        )
        return fewer_differences(arm, None if times is None else times * pair.treatment.jobs)
    if hits / events == pair.share:
        return more_jobs(arm, None)
    times = least_times(lambda times: log_e_two_sided(hits * (1 + times), events * (1 + times), pair.share) >= wanted)
    return more_jobs(arm, None if times is None else times * pair.treatment.jobs)
