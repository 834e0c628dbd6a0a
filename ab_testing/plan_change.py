"""``Change``: a difference to plan for, and how many jobs it takes until a test with one look at the end sees it."""

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from statistics import NormalDist
from typing import Final

from ab_testing.metrics import Better, Kind, Metric
from earmark.errors import ConfigurationError

HALVINGS: Final = 60
"""Steps of a bisection; more than a float has digits for."""
NORMAL_FROM: Final = 30
"""Jobs of an arm from which on normal theory says anything."""
BAD_TIMES_MOST: Final = 5.0
POINTS_MOST: Final = 0.25
PER_SIDE: Final = 2.0
"""A test in both directions gives each half of its alpha."""


@dataclass(frozen=True, slots=True)
class Split:
    """The shares, among covered jobs, of the two arms that are compared."""

    control: float
    treatment: float

    @property
    def words(self) -> str:
        """As people write it: ``90/10``."""
        return f"{100 * self.control:g}/{100 * self.treatment:g}"


NINETY_TEN: Final = Split(0.9, 0.1)
HALF_HALF: Final = Split(0.5, 0.5)


@dataclass(frozen=True, slots=True)
class Change:
    """What should be seen: a metric that moves from one value to another."""

    kind: Kind
    baseline: float
    """Of the control."""
    changed: float
    """Of the treatment."""
    deviation: float = 0.0
    """Standard deviation of one job's value, in both arms; for means only."""
    inside_out: bool = False
    """Whether the jobs that are not so are counted, as of a rate that should be high."""

    @property
    def difference(self) -> float:
        """Treatment minus control."""
        return self.changed - self.baseline

    @property
    def variances(self) -> tuple[float, float]:
        """Of one job's value, in the control and in the treatment."""
        if self.kind is Kind.RATE:
            return self.baseline * (1 - self.baseline), self.changed * (1 - self.changed)
        return self.deviation**2, self.deviation**2

    @property
    def counted(self) -> tuple[float, float]:
        """The chances of a job to be counted as an event, in the control and in the treatment."""
        return (1 - self.baseline, 1 - self.changed) if self.inside_out else (self.baseline, self.changed)

    @property
    def largest_told(self) -> float:
        """The largest difference that anybody would plan for; what takes a larger one to be seen is not seen.

        Of a rate five times the bad jobs there are, at most a quarter of all; of a mean as much as it is.
        """
        if self.kind is Kind.RATE:
            return max(min(BAD_TIMES_MOST * self.counted[0], POINTS_MOST), abs(self.difference))
        return max(abs(self.baseline) or self.deviation, abs(self.difference))

    def variance_per_job(self, split: Split) -> float:
        """Variance of the difference of both means, times the jobs of all arms."""
        control, treatment = self.variances
        return control / split.control + treatment / split.treatment


def change_of(metric: Metric, baseline: float, changed: float, deviation: float | None) -> Change:
    """A change that can be planned for.

    Raises:
        ConfigurationError: there is nothing to see, or no such values.
    """
    numbers = [baseline, changed, *([] if deviation is None else [deviation])]
    if not all(map(math.isfinite, numbers)):
        message = f"{metric.name}: baseline, change and deviation must be plain numbers."
        raise ConfigurationError(message)
    if metric.kind is Kind.QUANTILE:
        message = f"{metric.name} is a quantile, which is shown and never acts.  Plan with a mean, as predict_s."
        raise ConfigurationError(message)
    if baseline == changed:
        message = f"{metric.name} stays at {baseline:g}: that is no change to see.  Say by how much it should move."
        raise ConfigurationError(message)
    if metric.kind is Kind.MEAN:
        if deviation is None or deviation <= 0:
            message = f"{metric.name} is a mean: say how much single jobs scatter, a standard deviation above 0."
            raise ConfigurationError(message)
        return Change(metric.kind, baseline, changed, deviation)
    if not (0 < baseline < 1 and 0 <= changed <= 1):
        message = f"{metric.name} is a rate: from {baseline:g} to {changed:g} are no shares between 0 and 1, as 0.03."
        raise ConfigurationError(message)
    return Change(metric.kind, baseline, changed, inside_out=metric.better is Better.HIGHER)


def fixed_total(change: Change, split: Split, *, power: float, alpha: float) -> float:
    """Covered jobs until a two-sided z-test, made once at the end, sees a change with this power.

    The usual normal theory with the variances of both arms apart: n = (z(1 - alpha / 2) + z(power))^2 * (v_c / s_c +
    v_t / s_t) / difference^2.  Peeking at such a test breaks it.
    """
    normal = NormalDist()
    reach = normal.inv_cdf(1 - alpha / PER_SIDE) + normal.inv_cdf(power)
    return reach**2 * change.variance_per_job(split) / change.difference**2


def smallest_fixed_change(change: Change, split: Split, jobs: float, *, power: float, alpha: float) -> float | None:
    """The value nearest to the baseline, on the side of the change, that so many jobs show; None = none does."""
    if jobs * min(split.control, split.treatment) < NORMAL_FROM:
        return None

    def shown(changed: float) -> bool:
        nearer = replace(change, changed=changed)
        return fixed_total(nearer, split, power=power, alpha=alpha) <= jobs

    return nearest(change, shown)


def nearest(change: Change, shown: Callable[[float], bool], *, halvings: int = HALVINGS) -> float | None:
    """The value nearest to the baseline, on the side of the change, for which ``shown`` says yes; None = none."""
    rising = change.difference > 0
    far = 100 * change.deviation
    if change.kind is Kind.RATE:
        far = 1.0 - change.baseline if rising else change.baseline
    sign = 1 if rising else -1
    if not shown(change.baseline + sign * far):
        return None
    near = 0.0
    for _ in range(halvings):
        middle = (near + far) / 2
        near, far = (near, middle) if shown(change.baseline + sign * middle) else (middle, far)
    return change.baseline + sign * far
