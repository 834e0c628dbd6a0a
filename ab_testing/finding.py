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
    WITHHELD = "withheld"
    """Nothing may be said, for what every verdict rests on does not hold; then there is no interval either."""


class RatioState(StrEnum):
    """What is known of the arms' shares."""

    NOT_CHECKED = "not_checked"
    OPEN = "open"
    """Neither shown to be wrong nor near enough to be called right: too few jobs."""
    MATCHES = "matches"
    """Near what they should be, whatever else the jobs to come will show."""
    BROKEN = "broken"


class GuardrailState(StrEnum):
    """Where a guardrail stands for one arm."""

    HOLDS = "holds_so_far"
    """It is judged at every look, and has not fired."""
    FIRED = "fired"
    NOT_JUDGED = "not_judged"
    """It cannot fire now, whatever the figures are."""


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
    """Lower end of the interval of the difference, which holds at every look; None = not known, or withheld."""
    high: float | None
    relative: float | None
    """``difference`` over ``control``, as both are here."""
    e_value: float | None
    """Evidence against "no difference"; 1 / alpha is needed.  None for metrics that are judged by their interval."""
    control_jobs: int
    treatment_jobs: int
    verdict: Verdict
    sentence: str
    """The verdict, for a person."""
    would_change: str
    """What would change it, in a sentence; empty where the verdict is withheld: ``Comparison.withheld`` says it."""
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
    state: RatioState = RatioState.OPEN


@dataclass(frozen=True, slots=True)
class GuardrailStanding:
    """Where one guardrail stands for one treatment arm."""

    metric: str
    arm: str
    state: GuardrailState
    because: str = ""
    """Why it is not judged, to follow the word "because"; else empty."""


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
    guardrails: tuple[GuardrailStanding, ...] = field(default=())
    withheld: str = ""
    """Why all verdicts are withheld, and what would change that; empty = they are not.  It is the first note, too."""
