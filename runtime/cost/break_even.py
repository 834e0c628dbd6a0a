"""From how many jobs a day on a fleet of one's own costs less than a provider: arithmetic alone.

A fleet costs its hours, a provider each job.  The hours are what the jobs take, divided by the share of its time that a
machine is at work; a fleet that follows its queue has as many, and never fewer than those of the machines that are
always there.  Whole machines run day and night, as reserved ones do: their cost goes up in steps, and the choice may
turn back a few times before it stays.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

DAY_H: Final = 24.0
HOUR_S: Final = 3600.0
MONTH_DAYS: Final = 30.0


@dataclass(frozen=True, slots=True)
class Fleet:
    """Machines of one kind with the primary on them."""

    usd_per_hour: float
    """Of one machine."""
    predict_s_per_job: float
    """Seconds that the primary takes over a job; more than 0."""
    utilisation: float
    """Share of a machine's hours in which it is at work, above 0 and at most 1."""
    least: int = 1
    """Machines that are always there."""
    whole: bool = False
    """Whether machines run day and night; else their number follows the queue."""

    def hours(self, jobs_per_day: float) -> float:
        """Hours of machines that are paid for, a day."""
        needed_h = jobs_per_day * self.predict_s_per_job / HOUR_S / self.utilisation
        if self.whole:
            return DAY_H * max(self.least, math.ceil(needed_h / DAY_H))
        return max(DAY_H * self.least, needed_h)

    def usd(self, jobs_per_day: float) -> float:
        """Dollars a day."""
        return self.hours(jobs_per_day) * self.usd_per_hour

    @property
    def usd_per_job(self) -> float:
        """Dollars that one more job costs a fleet that is large."""
        return self.predict_s_per_job / HOUR_S / self.utilisation * self.usd_per_hour


@dataclass(frozen=True, slots=True)
class Turn:
    """Where the choice turns, in jobs a day; at exactly so many both cost the same."""

    first: float
    """From here on the fleet costs less, for a while at least."""
    for_good: float
    """From here on it always does."""


@dataclass(frozen=True, slots=True)
class Point:
    """What a volume costs, in dollars a month of 30 days."""

    jobs_per_day: float
    machines: float
    """Mean number of machines that are paid for."""
    machine_usd: float
    fallback_usd: float
    api_usd: float

    @property
    def own_usd(self) -> float:
        """The fleet and the fallback behind it."""
        return self.machine_usd + self.fallback_usd

    @property
    def cheaper(self) -> str:
        """``own``, ``api``, or ``same``."""
        if self.own_usd == self.api_usd:
            return "same"
        return "own" if self.own_usd < self.api_usd else "api"


@dataclass(frozen=True, slots=True)
class Comparison:
    """A fleet with a fallback behind it beside a provider that is asked about every job."""

    fleet: Fleet
    fallback_usd_per_job: float
    """Mean over all jobs, also those that the fallback is not asked about."""
    api_usd_per_job: float

    def at(self, jobs_per_day: float) -> Point:
        """What a volume costs."""
        return Point(
            jobs_per_day,
            machines=self.fleet.hours(jobs_per_day) / DAY_H,
            machine_usd=MONTH_DAYS * self.fleet.usd(jobs_per_day),
            fallback_usd=MONTH_DAYS * jobs_per_day * self.fallback_usd_per_job,
            api_usd=MONTH_DAYS * jobs_per_day * self.api_usd_per_job,
        )

    def turn(self) -> Turn | None:
        """Where the choice turns; ``None`` = never: one more job costs the fleet as much as the provider, or more."""
        fleet, saved = self.fleet, self.api_usd_per_job - self.fallback_usd_per_job
        if saved <= fleet.usd_per_job:
            return None
        machine_usd = DAY_H * fleet.usd_per_hour
        if not machine_usd:
            return Turn(0.0, 0.0)
        if not fleet.whole:
            always = fleet.least * machine_usd / saved
            return Turn(always, always)
        # With m machines the fleet costs less from m * machine_usd / saved jobs on.  Just beyond what m - 1 of them can
        # do that is not reached yet as long as m < m0; the last step of which that is so is where it turns for good.
        least, full = max(1, fleet.least), machine_usd / fleet.usd_per_job
        m0 = saved * full / (saved * full - machine_usd)
        last = math.ceil(m0) - 1
        first = least * machine_usd / saved
        return Turn(first, max(last, least) * machine_usd / saved)


def table(comparison: Comparison, volumes: Sequence[float]) -> list[Point]:
    """What volumes cost, the smallest first, each once."""
    return [comparison.at(volume) for volume in sorted(set(volumes))]
