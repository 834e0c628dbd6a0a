"""``Traffic``: how many jobs an experiment covers in how many days, its ramp included."""

import math
from dataclasses import dataclass
from typing import Final

from ab_testing.experiment import Experiment

HOURS_A_DAY: Final = 24.0


@dataclass(frozen=True, slots=True)
class Traffic:
    """How many jobs come, and which share of them an experiment covers over time."""

    per_day: float
    """Jobs of all customers that can take part."""
    coverage: tuple[tuple[float, float], ...] = ((0.0, 1.0),)
    """Pairs of hours since the start and the share covered from then on, in rising order."""

    def days(self, jobs: float) -> float | None:
        """Days until so many jobs were covered; None = never."""
        left = jobs
        for (begin_h, share), end_h in zip(self.coverage, self._ends(), strict=True):
            per_hour = self.per_day * share / HOURS_A_DAY
            if per_hour > 0 and left <= per_hour * (end_h - begin_h):
                return (begin_h + left / per_hour) / HOURS_A_DAY
            left -= per_hour * (end_h - begin_h) if per_hour > 0 else 0.0
        return None

    def jobs(self, days: float) -> float:
        """Jobs covered within so many days."""
        hours = days * HOURS_A_DAY
        return sum(
            max(0.0, min(end_h, hours) - begin_h) * share * self.per_day / HOURS_A_DAY
            for (begin_h, share), end_h in zip(self.coverage, self._ends(), strict=True)
        )

    def _ends(self) -> list[float]:
        return [*(begin_h for begin_h, _ in self.coverage[1:]), math.inf]


def traffic_of(experiment: Experiment | None, per_day: float) -> Traffic:
    """The traffic of an experiment, with its ramp; without one, all jobs are covered."""
    if experiment is None:
        return Traffic(per_day)
    if experiment.ramp:
        return Traffic(per_day, tuple((step.after_h, step.coverage) for step in experiment.ramp))
    return Traffic(per_day, ((0.0, experiment.coverage),))
