"""``Plan``: how long until a difference of a size is seen, at the experiment's split, at 90/10 and at 50/50."""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from ab_testing.experiment import Experiment, Unit
from ab_testing.metrics import METRICS, Kind
from ab_testing.plan_change import HALF_HALF, NINETY_TEN, Change, Split, change_of, fixed_total, smallest_fixed_change
from ab_testing.plan_looks import jobs_at, smallest_change, stops
from ab_testing.plan_traffic import Traffic, traffic_of
from earmark.errors import ConfigurationError

ALPHA: Final = 0.05
POWER: Final = 0.8
POWERS: Final = (0.5, 0.99)
RUN_DAYS: Final = (1.0, 7.0, 14.0, 28.0)
"""Lengths of a run for which the smallest change is told."""


@dataclass(frozen=True, slots=True)
class Reach:
    """So many jobs, and how long they take to come."""

    jobs: float
    """Covered jobs, of all arms."""
    control_jobs: float
    treatment_jobs: float
    days: float | None
    """None = the traffic is not known, or never reaches so far."""


@dataclass(frozen=True, slots=True)
class Smallest:
    """The smallest change, as the value after it, that a run of some length shows."""

    days: float
    jobs: float
    """Covered in that time, of all arms."""
    one_look: float | None
    """None = no value is far enough from the baseline."""
    every_look: float | None


@dataclass(frozen=True, slots=True)
class SplitPlan:
    """The plan at one split."""

    split: Split
    own: bool
    """Whether it is the experiment's."""
    one_look: Reach
    """With the wanted power, looking once at the end, after so many jobs."""
    half: Reach | None
    """Half of all experiments have shown the change by then, looking all the time; None = beyond what is simulated."""
    most: Reach | None
    """As many as the wanted power have."""
    smallest: tuple[Smallest, ...]
    """Empty where the traffic is not known."""


@dataclass(frozen=True, slots=True)
class Plan:
    """What to expect of an experiment."""

    metric: str
    change: Change
    deviation_assumed: bool
    power: float
    alpha: float
    per_day: float | None
    splits: tuple[SplitPlan, ...]
    notes: tuple[str, ...]


def make_plan(
    metric: str,
    baseline: float,
    changed: float,
    *,
    experiment: Experiment | None = None,
    per_day: float | None = None,
    power: float = POWER,
    alpha: float | None = None,
    deviation: float | None = None,
) -> Plan:
    """Plan for a metric that moves from ``baseline`` to ``changed``.

    Args:
        metric: a name from ``METRICS``.
        baseline: the control's value.
        changed: the treatment's.
        experiment: whose split, coverage and alpha are meant; None = all jobs, and no split of its own.
        per_day: jobs a day that can take part, covered or not; None = not known, then no days are told.
        power: wanted chance that the change is seen.
        alpha: chance of a false alarm; None = the experiment's, or 0.05.
        deviation: standard deviation of single jobs' values, for means; None = one that is told as assumed.

    Raises:
        ConfigurationError: there is no such metric, or one of the numbers makes no plan.
    """
    if metric not in METRICS:
        message = f"There is no metric {metric!r}; there are: {', '.join(METRICS)}."
        raise ConfigurationError(message)
    alpha = alpha if alpha is not None else ALPHA if experiment is None else experiment.alpha
    _check(power, alpha, per_day)
    assumed = METRICS[metric].kind is Kind.MEAN and deviation is None
    change = change_of(METRICS[metric], baseline, changed, _assumed(metric, baseline) if assumed else deviation)
    traffic = None if per_day is None else traffic_of(experiment, per_day)
    own = own_split(experiment)
    splits = tuple(dict.fromkeys([*([] if own is None else [own]), NINETY_TEN, HALF_HALF]))
    return Plan(
        metric,
        change,
        assumed,
        power,
        alpha,
        per_day,
        tuple(_split_plan(change, split, traffic, power, alpha, own=split == own) for split in splits),
        tuple(_notes(experiment, metric, change, assumed=assumed)),
    )


def own_split(experiment: Experiment | None) -> Split | None:
    """The control against the treatment that gets the fewest jobs.

    Raises:
        ConfigurationError: one of both gets none.
    """
    if experiment is None:
        return None
    share = min(arm.share for arm in experiment.treatments)
    if min(experiment.control.share, share) <= 0:
        message = f"{experiment.name}: an arm with a share of 0 gets no jobs, and shows nothing.  Give it a share."
        raise ConfigurationError(message)
    return Split(experiment.control.share, share)


def _check(power: float, alpha: float, per_day: float | None) -> None:
    if not POWERS[0] <= power <= POWERS[1]:
        message = f"A power of {power:g} is no chance to plan with.  Choose one from {POWERS[0]:g} to {POWERS[1]:g}."
        raise ConfigurationError(message)
    if not 0 < alpha <= 0.5:  # noqa: PLR2004  # as an experiment's
        message = f"An alpha of {alpha:g} is no chance of a false alarm.  Choose one above 0, up to 0.5."
        raise ConfigurationError(message)
    if per_day is not None and not (per_day > 0 and math.isfinite(per_day)):
        message = f"{per_day:g} jobs a day never end an experiment.  Say how many can take part."
        raise ConfigurationError(message)


def _assumed(metric: str, baseline: float) -> float:
    """Confidences scatter half as much as shares of that mean can; times and costs as exponential values do."""
    if METRICS[metric].unit:
        return abs(baseline)
    return math.sqrt(max(0.0, baseline * (1 - baseline))) / 2


def _split_plan(
    change: Change, split: Split, traffic: Traffic | None, power: float, alpha: float, *, own: bool
) -> SplitPlan:
    def reach(jobs: float) -> Reach:
        whole = math.ceil(jobs)
        days = None if traffic is None else traffic.days(whole)
        return Reach(whole, whole * split.control, whole * split.treatment, days)

    stopped = stops(change, split, alpha=alpha, power=power)
    half, most = jobs_at(stopped, 0.5), jobs_at(stopped, power)
    return SplitPlan(
        split,
        own,
        reach(fixed_total(change, split, power=power, alpha=alpha)),
        None if half is None else reach(half),
        None if most is None else reach(most),
        () if traffic is None else tuple(_smallest(change, split, traffic, power, alpha)),
    )


def _smallest(change: Change, split: Split, traffic: Traffic, power: float, alpha: float) -> Iterator[Smallest]:
    for days in RUN_DAYS:
        jobs = traffic.jobs(days)
        yield Smallest(
            days,
            jobs,
            smallest_fixed_change(change, split, jobs, power=power, alpha=alpha),
            smallest_change(change, split, jobs, power=power, alpha=alpha),
        )


def _notes(plan_for: Experiment | None, metric: str, change: Change, *, assumed: bool) -> Iterator[str]:
    if assumed:
        yield (
            f"How much single jobs scatter was not said; a standard deviation of {change.deviation:.3g} is assumed.  "
            "The jobs it takes grow with its square, so give the true one with --deviation."
        )
    if METRICS[metric].adjusted:
        yield (
            "What follows from the length of the audio is taken out before arms are compared, so give the deviation "
            "that is left without it where you know it; then fewer jobs are needed."
        )
    if plan_for is None:
        return
    if plan_for.unit is Unit.TENANT:
        yield (
            "Jobs of one customer are alike, and here all of them fall into one arm, so no verdict is given.  This is "
            "the plan of uploads dealt one by one; customers take longer, most of all where there are few."
        )
    if len(plan_for.treatments) > 1:
        yield "Of several treatment arms the smallest is planned for; jobs count those of all arms."
    if plan_for.exclude.tenants or plan_for.exclude.tiers:
        yield "Customers and tiers that are left out must not be counted in the jobs a day."
