"""``ArmPair``: a treatment arm beside the control, and what may be said of them at all."""

import math
from dataclasses import dataclass

from ab_testing.evidence import ArmEvidence
from ab_testing.metrics import Better, Metric


@dataclass(frozen=True, slots=True)
class MinimumData:
    """What there must be before anything is said that holds only for many values."""

    values: int = 300
    """Values of a mean, in each arm."""
    events: float = 20.0
    """Values of a mean that are not zero, to be expected in each arm if the arms are alike."""


MINIMUM = MinimumData()


@dataclass(frozen=True, slots=True)
class RateCounts:
    """Events of two arms, counted so that more of them is worse."""

    hits: int
    """Events of the treatment arm."""
    events: int
    """Events of both."""
    jobs: int
    """Jobs of both."""


@dataclass(frozen=True, slots=True)
class ArmPair:
    """What is known of a treatment arm and of the control."""

    names: tuple[str, str]
    """Control and treatment."""
    shares: tuple[float, float]
    """Of all covered units."""
    control: ArmEvidence
    treatment: ArmEvidence
    alpha: float
    """Chance of a false verdict on one metric, looked at as often as one likes."""
    withheld: bool = False
    """Whether there may be no verdict, and no interval, at all."""

    @property
    def share(self) -> float:
        """Part of the jobs of both arms that is dealt into the treatment arm."""
        return self.shares[1] / sum(self.shares) if sum(self.shares) > 0 else 0.0

    @property
    def comparable(self) -> bool:
        """Whether both arms get jobs and have some."""
        return 0 < self.share < 1 and self.control.jobs > 0 and self.treatment.jobs > 0

    def rate_counts(self, metric: Metric) -> RateCounts:
        """The counts of a rate; of one that should be high, jobs without are counted: those not answered."""
        hits, others = _bad(self.treatment, metric), _bad(self.control, metric)
        return RateCounts(hits, hits + others, self.treatment.jobs + self.control.jobs)


def share_of(difference: float | None, whole: float | None) -> float | None:
    """A difference as a share of a value; None where there is none, or too large for a float."""
    if difference is None or not whole:
        return None
    found = difference / whole
    return found if math.isfinite(found) else None


def _bad(arm: ArmEvidence, metric: Metric) -> int:
    counted = min(arm.counts[metric.source], arm.jobs)
    return arm.jobs - counted if metric.better is Better.HIGHER else counted
