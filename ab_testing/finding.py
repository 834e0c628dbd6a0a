"""What a look at an experiment finds: one ``Finding`` for each metric and treatment arm, and the checks around them."""

from dataclasses import dataclass, field
from enum import StrEnum


class Verdict(StrEnum):
    """What may be said of a metric now, or at any other moment."""

    BETTER = "better"
    WORSE = "worse"
    OPEN = "open"
    """Nothing is shown yet."""
    TOO_FEW = "too_few"
    """Too few jobs for anything to be shown."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One metric of a treatment arm against the control."""

    metric: str
    arm: str
    control: float | None
    """The control's value; None = no data."""
    treatment: float | None
    difference: float | None
    """Treatment minus control, winsorised and adjusted as the metric says."""
    low: float | None
    """Lower end of the interval of the difference, which holds at every look."""
    high: float | None
    relative: float | None
    """Difference over the control's value."""
    e_value: float | None
    """Evidence against "no difference"; 1 / alpha is needed.  None for metrics that are judged by their interval."""
    control_jobs: int
    treatment_jobs: int
    verdict: Verdict
    sentence: str
    """The verdict, for a person."""
    would_change: str
    """What would change it."""
    control_total: float | None = None
    """Plain sum, as of money; None where a sum means nothing."""
    treatment_total: float | None = None


@dataclass(frozen=True, slots=True)
class Alarm:
    """A guardrail that fired: the evidence for a rollback."""

    metric: str
    arm: str
    sentence: str
    e_value: float | None
    alpha: float
    """Its share of the experiment's alpha."""


@dataclass(frozen=True, slots=True)
class SampleRatio:
    """Whether the arms got the shares they should have."""

    stage: str
    """``assigned`` by the router, or ``ended``."""
    expected: dict[str, float]
    """Share by arm."""
    seen: dict[str, int]
    e_value: float
    broken: bool
    sentence: str


@dataclass(frozen=True, slots=True)
class Comparison:
    """Everything found at one look."""

    experiment: str
    version: int
    findings: tuple[Finding, ...]
    ratios: tuple[SampleRatio, ...]
    alarms: tuple[Alarm, ...]
    notes: tuple[str, ...] = field(default=())
    """What a reader must know besides, as that arms share hardware."""
