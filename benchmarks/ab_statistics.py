"""How often the statistics of experiments cry wolf, and how soon they see a difference: simulated.

``python -m benchmarks.ab_statistics`` prints the tables as Markdown; ``--write`` puts them into
``docs/experiment-statistics.md``.  Everything is seeded, and what decides is the code that runs in production.
"""

import argparse
import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from ab_testing.arm_pair import MINIMUM
from ab_testing.mean_finding import lacking_words
from ab_testing.statistics.confidence_sequence import half_width
from ab_testing.statistics.e_process import log_e_one_sided, log_e_two_sided
from ab_testing.statistics.mean_difference import Bins, mean_difference, winsor_cap, winsorise
from ab_testing.statistics.quantile_interval import Distribution
from ab_testing.statistics.sample_ratio import E_BROKEN, log_e_sample_ratio
from benchmarks.ab_streams import ALPHA, EACH, JOBS, SHARE, Draw, confidence, cost, latency, looks_at, slower
from benchmarks.page import write_between

PAGE: Final = Path("docs/experiment-statistics.md")
FIRST: Final = 500
"""Jobs at the first look of the z-test."""
Z: Final = 1.959963984540054
"""The normal quantile of 0.975."""

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Stops:
    """When each simulated experiment first said that the arms differ; infinite = it never did."""

    jobs: Floats

    @property
    def share(self) -> float:
        """Of experiments that said so."""
        return float(np.isfinite(self.jobs).mean())

    @property
    def median(self) -> float:
        """Jobs at half of all experiments; infinite where fewer than half said so."""
        return float(np.quantile(self.jobs, 0.5, method="inverted_cdf"))

    @property
    def median_of_found(self) -> float:
        """Jobs at half of those that said so."""
        found = self.jobs[np.isfinite(self.jobs)]
        return float(np.median(found)) if found.size else math.inf


@cache
def bounds(share: float, alpha: float, events: int, *, one_sided: bool) -> tuple[Integers, Integers]:
    """For each count of events the most hits that show too few, and the fewest that show too many."""
    log_e, wanted = (log_e_one_sided if one_sided else log_e_two_sided), -math.log(alpha)
    low, high = np.full(events + 1, -1), np.full(events + 1, events + 2)
    below, above = -1, 1
    for n in range(1, events + 1):
        while not one_sided and below + 1 < share * n and log_e(below + 1, n, share) >= wanted:
            below += 1
        while above <= n and (above <= share * n or log_e(above, n, share) < wanted):
            above += 1
        low[n], high[n] = below, above
    return low, high


def rate_stops(
    control: float | Floats,
    treatment: float | Floats,
    random: np.random.Generator,
    *,
    repetitions: int,
    jobs: int = JOBS,
    share: float = SHARE,
    alpha: float = ALPHA,
    one_sided: bool = False,
) -> Stops:
    """The e-process, looked at after every single event.

    Args:
        control: chance of an event, the same for each job or one of each.
        treatment: the same.
        random: where chance comes from.
        repetitions: experiments.
        jobs: of both arms, in each.
        share: of the treatment arm.
        alpha: tolerated.
        one_sided: whether only a worse treatment is looked for.
    """
    treated = random.random((repetitions, jobs)) < share
    failed = random.random((repetitions, jobs)) < np.where(treated, treatment, control)
    low, high = bounds(share, alpha, int(failed.sum(axis=1).max()), one_sided=one_sided)
    stopped = np.full(repetitions, np.inf)
    for i in range(repetitions):
        at = np.flatnonzero(failed[i])
        hits, events = np.cumsum(treated[i, at]), np.arange(1, at.size + 1)
        shown = np.flatnonzero((hits >= high[events]) | (hits <= low[events]))
        if shown.size:
            stopped[i] = at[shown[0]] + 1
    return Stops(stopped)


def z_stops(control: float, treatment: float, random: np.random.Generator, *, repetitions: int) -> Stops:
    """The z-test of two shares at the usual 5 %, looked at each hundred jobs: how it is not done."""
    looks = JOBS // EACH
    treated = random.binomial(EACH, SHARE, (repetitions, looks))
    hits = np.cumsum(random.binomial(treated, treatment), axis=1)
    others = np.cumsum(random.binomial(EACH - treated, control), axis=1)
    n_treated = np.cumsum(treated, axis=1)
    n_control = np.arange(1, looks + 1) * EACH - n_treated
    pooled = (hits + others) / (n_treated + n_control)
    error = np.sqrt(pooled * (1 - pooled) * (1 / np.maximum(n_treated, 1) + 1 / n_control))
    difference = hits / np.maximum(n_treated, 1) - others / n_control
    shown = (np.abs(difference) > Z * error) & (error > 0)
    shown[:, : FIRST // EACH - 1] = False
    return Stops(np.where(shown.any(axis=1), (shown.argmax(axis=1) + 1.0) * EACH, np.inf))


Told = Callable[[Bins, Bins], bool]
"""Whether two arms are told apart."""


def mean_told(*, winsorised: bool, adjusted: bool, alpha: float = ALPHA) -> Told:
    """By the confidence sequence of the difference of the means."""

    def told(control: Bins, treatment: Bins) -> bool:
        if lacking_words((control, treatment), MINIMUM):
            return False
        found = mean_difference(control, treatment, winsorised=winsorised, adjusted=adjusted)
        return abs(found.difference) > half_width(found.variance, found.values, alpha)

    return told


def mean_z_told(control: Bins, treatment: Bins) -> bool:
    """By the usual interval of 95 % of the difference of the means: how it is not done."""
    if lacking_words((control, treatment), MINIMUM):
        return False
    found = mean_difference(control, treatment)
    return abs(found.difference) > Z * math.sqrt(found.variance)


def mean_own_told(control: Bins, treatment: Bins) -> bool:
    """By a confidence sequence in which each arm has its own variance: how it is not done."""
    if lacking_words((control, treatment), MINIMUM):
        return False
    cap = winsor_cap(control, treatment)
    arms = [winsorise(bins, cap) for bins in (control, treatment)]
    variance = sum((arm.yy - arm.y * arm.y / arm.n) / (arm.n - 1) / arm.n for arm in arms)
    difference = arms[1].y / arms[1].n - arms[0].y / arms[0].n
    return abs(difference) > half_width(variance, sum(arm.n for arm in arms), ALPHA)


def quantile_told(q: float, alpha: float = ALPHA) -> Told:
    """By the intervals of a quantile in each arm."""

    def told(control: Bins, treatment: Bins) -> bool:
        below, above = (Distribution.of(bins).interval(q, alpha / 2) for bins in (control, treatment))
        return above.low > below.high or above.high < below.low

    return told


def value_stops(
    told: Told, control: Draw, treatment: Draw, random: np.random.Generator, *, repetitions: int, jobs: int = JOBS
) -> Stops:
    """A comparison of values, looked at each hundred jobs."""
    stopped = [
        next((float(at) for at, *arms in looks_at(control, treatment, random, jobs=jobs) if told(*arms)), math.inf)
        for _ in range(repetitions)
    ]
    return Stops(np.array(stopped))


def ratio_stops(
    share: float, random: np.random.Generator, *, repetitions: int, jobs: int = JOBS, wanted: float = E_BROKEN
) -> Stops:
    """The check of the sample ratio, looked at each hundred jobs."""
    looks = jobs // EACH
    treated = np.cumsum(random.binomial(EACH, share, (repetitions, looks)), axis=1)
    expected = {"control": 1 - SHARE, "treatment": SHARE}

    @cache
    def broken(look: int, hits: int) -> bool:
        seen = {"control": (look + 1) * EACH - hits, "treatment": hits}
        return log_e_sample_ratio(seen, expected) >= math.log(wanted)

    stopped = [
        next((float(look + 1) * EACH for look, hits in enumerate(row) if broken(look, hits)), math.inf)
        for row in treated.tolist()
    ]
    return Stops(np.array(stopped))


def false_alarms(repetitions: int) -> str:
    """How often each method says that arms differ that do not."""
    random = np.random.default_rng(5)
    few = max(1, repetitions // 5)
    rows = ["| nothing differs | method | looks | cried wolf |", "|---|---|---|---:|"]

    def row(what: str, method: str, looks: str, stops: Stops) -> None:
        slack = 1.96 * math.sqrt(max(stops.share, 1 / stops.jobs.size) / stops.jobs.size)
        rows.append(f"| {what} | {method} | {looks} | {100 * stops.share:.1f} % ± {100 * slack:.1f} |")

    each = f"each {EACH} jobs"
    for rate in (0.03, 0.01):
        what = f"errors, {100 * rate:g} %"
        row(what, "z-test at each look", each, z_stops(rate, rate, random, repetitions=repetitions))
        for one_sided in (False, True):
            name = f"e-process, {'one' if one_sided else 'two'}-sided"
            stops = rate_stops(rate, rate, random, repetitions=repetitions, one_sided=one_sided)
            row(what, name, "each event", stops)
    waves = 0.03 + 0.03 * np.sin(np.arange(JOBS) / 1000)
    row("errors, 0 to 6 % in waves", "e-process, two-sided", "each event",
        rate_stops(waves, waves, random, repetitions=repetitions))  # fmt: skip
    row("inference time", "95 % interval at each look", each,
        value_stops(mean_z_told, latency, latency, random, repetitions=few))  # fmt: skip
    capped = mean_told(winsorised=True, adjusted=True)
    for name, draw, told in (
        ("inference time", latency, capped),
        ("cost, zero in 90 %", cost, capped),
        ("confidence", confidence, mean_told(winsorised=False, adjusted=False)),
    ):
        row(name, "confidence sequence", each, value_stops(told, draw, draw, random, repetitions=few))
    row("cost, zero in 90 %", "the same, each arm's own variance", each,
        value_stops(mean_own_told, cost, cost, random, repetitions=few))  # fmt: skip
    for q in (0.5, 0.95):
        row(f"inference time, p{100 * q:.0f}", "quantile intervals", each,
            value_stops(quantile_told(q), latency, latency, random, repetitions=few))  # fmt: skip
    row("sample ratio 90/10", f"e >= {E_BROKEN:,.0f}", each, ratio_stops(SHARE, random, repetitions=repetitions))
    row("sample ratio 90/10", "e >= 20, to see how exact it is", each,
        ratio_stops(SHARE, random, repetitions=repetitions, wanted=1 / ALPHA))  # fmt: skip
    return "\n".join(rows)


def detection(repetitions: int) -> str:
    """How many jobs of both arms it takes until a difference is seen."""
    random = np.random.default_rng(6)
    few = max(1, repetitions // 10)
    rows = ["| what differs, 90/10 | method | seen in 20,000 jobs | median jobs, where seen |", "|---|---|---:|---:|"]

    def row(what: str, method: str, stops: Stops) -> None:
        rows.append(f"| {what} | {method} | {100 * stops.share:.0f} % | {stops.median_of_found:,.0f} |")

    for treatment in (0.05, 0.06, 0.08, 0.15):
        for one_sided in (False, True):
            name = f"e-process, {'one' if one_sided else 'two'}-sided"
            stops = rate_stops(0.03, treatment, random, repetitions=repetitions, one_sided=one_sided)
            row(f"errors, 3 % to {100 * treatment:.0f} %", name, stops)
    for treatment in (0.05, 0.06):
        stops = rate_stops(0.03, treatment, random, repetitions=repetitions, share=0.5)
        row(f"errors, 3 % to {100 * treatment:.0f} %, dealt 50/50", "e-process, two-sided", stops)
    for times in (1.05, 1.1, 1.2):
        for adjusted in (False, True):
            name = "confidence sequence" + (", adjusted for audio length" if adjusted else ", unadjusted")
            told = mean_told(winsorised=True, adjusted=adjusted)
            stops = value_stops(told, latency, slower(latency, times), random, repetitions=few)
            row(f"inference time x {times:g}", name, stops)
    for q in (0.5, 0.95):
        stops = value_stops(quantile_told(q), latency, slower(latency, 1.5), random, repetitions=few)
        row("inference time x 1.5", f"p{100 * q:.0f}", stops)
    for share in (0.11, 0.12, 0.15):
        stops = ratio_stops(share, random, repetitions=few, jobs=JOBS)
        row(f"sample ratio, {100 * share:.0f} % for 10 %", "sample ratio", stops)
    return "\n".join(rows)


def main() -> None:
    """Print the tables, or write them into the page."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repetitions", type=int, default=2000, help="simulated experiments a row; values take fewer")
    parser.add_argument("--write", action="store_true", help=f"put the tables into {PAGE}")
    asked = parser.parse_args()
    for name, text in (
        ("false alarms", false_alarms(asked.repetitions)),
        ("detection", detection(asked.repetitions)),
    ):
        print(text, end="\n\n")
        if asked.write:
            write_between(PAGE, name, text)


if __name__ == "__main__":
    main()
