"""How many jobs it takes until the statistics that are valid at every look see a change: simulated, with a fixed seed.

The simulation looks after every event at first and then each time there are 1 % more, so that it tells a stop at most
that much too late.
"""

import math
from dataclasses import replace
from functools import lru_cache
from typing import Final

import numpy as np
from numpy.typing import NDArray

from ab_testing.arm_pair import MINIMUM
from ab_testing.metrics import Kind
from ab_testing.plan_change import Change, Split, fixed_total, nearest
from ab_testing.statistics.confidence_sequence import half_width
from ab_testing.statistics.e_process import log_e_two_sided

REPETITIONS: Final = 1000
"""Simulated experiments; the share of them that has stopped is then right to about 1.5 points."""
SEED: Final = 20260101
GROWTH: Final = 1.01
"""Events at a look over those at the look before."""
HORIZON: Final = 40.0
"""The simulation ends after so many times the jobs that a test with one look takes."""
SMALLEST_HORIZON: Final = 2000
"""Jobs in the smaller arm that are simulated at least."""
EVENTS_MOST: Final = 10_000_000

ROUGH_REPETITIONS, ROUGH_GROWTH, ROUGH_HALVINGS = 400, 1.05, 18
"""Of the search for the smallest change."""
COSTS_MOST: Final = 1.5
"""Not even with luck are looks worth this many times fewer jobs than one look at the end; such need no simulation."""

Floats = NDArray[np.float64]


def stops(
    change: Change,
    split: Split,
    *,
    alpha: float,
    power: float,
    repetitions: int = REPETITIONS,
    growth: float = GROWTH,
) -> Floats:
    """Covered jobs at which each simulated experiment shows the change, in rising order; infinite = it never did.

    Args:
        change: what there is to see.
        split: the shares of the two arms among all covered jobs.
        alpha: chance of a false alarm over the whole run.
        power: wanted share of stops; it says how long is simulated.
        repetitions: simulated experiments.
        growth: from look to look.
    """
    smaller = min(split.control, split.treatment)
    horizon = HORIZON * fixed_total(change, split, power=power, alpha=alpha)
    horizon += SMALLEST_HORIZON / smaller
    random = np.random.default_rng(SEED)
    simulate = _rate_stops if change.kind is Kind.RATE else _mean_stops
    return np.sort(simulate(change, split, alpha, horizon, random, repetitions, growth))


def jobs_at(stopped: Floats, share: float) -> float | None:
    """Jobs by which this share of the experiments has stopped; None = fewer ever did."""
    place = min(math.ceil(share * len(stopped)), len(stopped)) - 1
    jobs = float(stopped[max(place, 0)])
    return jobs if math.isfinite(jobs) else None


@lru_cache(maxsize=8)
def looks(growth: float) -> NDArray[np.int64]:
    """Counts of events at which it is looked: each one at first, then each time there are ``growth`` as many."""
    counts, count = [], 1
    while count < EVENTS_MOST:
        counts.append(count)
        count = max(count + 1, round(count * growth))
    return np.array(counts)


@lru_cache(maxsize=64)
def fewest_hits(share: float, alpha: float, growth: float) -> NDArray[np.int64]:
    """For each look the fewest events in the treatment arm that show it has more than its share of them.

    Evidence rises with the hits above the share, for the mixture's logarithm is convex in them.  More hits than events
    mean that nothing can be shown yet.
    """
    wanted = -math.log(alpha)
    bounds = []
    below = 0
    for events in looks(growth).tolist():
        low, high = max(below, math.floor(share * events)), events + 1
        while low + 1 < high:
            middle = (low + high) // 2
            enough = log_e_two_sided(middle, events, share) >= wanted
            low, high = (low, middle) if enough else (middle, high)
        bounds.append(high)
        below = high - 1
    return np.array(bounds)


def _rate_stops(
    change: Change,
    split: Split,
    alpha: float,
    horizon: float,
    random: np.random.Generator,
    repetitions: int,
    growth: float,
) -> Floats:
    """Events fall into arms by their rates; how many jobs lie between events is drawn as well."""
    control, treatment = change.counted
    both = split.control + split.treatment
    share = split.treatment / both
    rate = (split.control * control + split.treatment * treatment) / both
    part = split.treatment * treatment / (both * rate)
    more = treatment > control
    bounds = fewest_hits(share if more else 1 - share, alpha, growth)
    stopped = np.full(repetitions, np.inf)
    alive = np.arange(repetitions)
    hits, jobs, before = np.zeros(repetitions, np.int64), np.zeros(repetitions, np.int64), 0
    for events, bound in zip(looks(growth).tolist(), bounds.tolist(), strict=True):
        fresh, before = events - before, events
        hits[alive] += random.binomial(fresh, part if more else 1 - part, alive.size)
        jobs[alive] += fresh + random.negative_binomial(fresh, rate, alive.size)
        shown = hits[alive] >= bound
        stopped[alive[shown]] = jobs[alive[shown]] / both
        alive = alive[~shown & (jobs[alive] < horizon * both)]
        if not alive.size:
            break
    return stopped


def _mean_stops(
    change: Change,
    split: Split,
    alpha: float,
    horizon: float,
    random: np.random.Generator,
    repetitions: int,
    growth: float,
) -> Floats:
    """Jobs times the difference so far walk like a sum of normal steps, as both means are sums of many values."""
    both = split.control + split.treatment
    difference, variance = abs(change.difference), change.variance_per_job(split)
    stopped = np.full(repetitions, np.inf)
    alive = np.arange(repetitions)
    walk = np.zeros(repetitions)
    before = 0.0
    jobs = MINIMUM.values / min(split.control, split.treatment)
    while jobs < horizon * growth and alive.size:
        fresh, before = jobs - before, jobs
        walk[alive] += random.normal(fresh * difference, math.sqrt(fresh * variance), alive.size)
        shown = walk[alive] / jobs > half_width(variance / jobs, jobs * both, alpha)
        stopped[alive[shown]] = jobs
        alive = alive[~shown]
        jobs *= growth
    return stopped


def smallest_change(change: Change, split: Split, jobs: float, *, power: float, alpha: float) -> float | None:
    """The value nearest to the baseline, on the side of the change, that so many jobs show; None = none does.

    Fewer repetitions and coarser looks than ``stops``, for it is simulated some twenty times.
    """
    if change.kind is Kind.MEAN and jobs * min(split.control, split.treatment) < MINIMUM.values:
        return None

    def shown(changed: float) -> bool:
        nearer = replace(change, changed=changed)
        if fixed_total(nearer, split, power=power, alpha=alpha) > COSTS_MOST * jobs:
            return False
        reached = jobs_at(
            stops(
                nearer,
                split,
                alpha=alpha,
                power=power,
                repetitions=ROUGH_REPETITIONS,
                growth=ROUGH_GROWTH,
            ),
            power,
        )
        return reached is not None and reached <= jobs

    return nearest(change, shown, halvings=ROUGH_HALVINGS)
