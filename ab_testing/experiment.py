"""``Experiment``: what is compared with what, as versioned data in a YAML file.

::

    name: qwen-or-listener
    version: 1
    unit: upload              # or tenant, where one customer must see one model
    coverage: 1.0             # share of the units that take part
    ramp:                     # optional: coverage by hours since the start
      - {after_h: 0, coverage: 0.01}
      - {after_h: 24, coverage: 0.10}
    arms:                     # the first is the control: what customers have today
      - {name: primary, share: 0.9}
      - {name: experimental, share: 0.1, model: qwen2_audio, settings: {model_path: /models/qwen2-audio}}
    shadow: 0.0               # share of the control's uploads that the other arms' models hear too, unseen
    metrics: [error_rate, fallback_rate, predict_s, confidence, cost_usd]
    guardrails:
      - {metric: error_rate, margin: 0.5}     # may be half as high again
    alpha: 0.05
    exclude: {tenants: [acme], tiers: [enterprise]}
"""

import math
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Final, Self

import yaml
from pydantic import (
    AfterValidator,
    ConfigDict,
    Field,
    StringConstraints,
    ValidationError,
    field_validator,
    model_validator,
)

from ab_testing import faults, plain_yaml
from ab_testing.metrics import METRICS, Kind
from earmark.domain import TenantName
from earmark.errors import ConfigurationError
from earmark.metadata import Frozen
from earmark.named_file import printable, read_bounded
from earmark.vocabulary import Tier

FILE_BYTES_MAX: Final = 256 * 1024
SHARES_OFF: Final = 1e-9
"""By how much the shares of the arms may miss 1."""
BUCKETS: Final = 10_000
"""Shares and coverage are exact to one of these."""
HALF_OFF: Final = 1e-6
"""How near to the middle between two buckets a share is refused: Python and SQL might round it to different ones."""
VERSION_MAX: Final = 1_000_000
ARMS_MAX: Final = 10
"""As many as the view ``ab_arms`` has; each costs every worker a model process."""
AFTER_H_MAX: Final = 87_600
"""Ten years."""
WHOLE_MAX: Final = 2**53
"""Up to here every whole number is one in JSON too, whoever reads it."""
TEXT_MAX: Final = 2000
ARM_SETTINGS: Final = frozenset(
    {
        "calibration",
        "model_attention",
        "model_dtype",
        "model_path",
        "model_provider",
        "model_revision",
        "model_speech_windows",
        "model_threads",
        "model_version",
        "model_windows",
    }
)
"""Settings that an arm may have of its own: those that say which model answers, and how."""


def _in_the_middle(share: float) -> bool:
    return abs(share * BUCKETS % 1 - 0.5) < HALF_OFF


def _rounds_alike(share: float) -> float:
    if _in_the_middle(share):
        lower, upper = (whole / BUCKETS for whole in (math.floor(share * BUCKETS), math.ceil(share * BUCKETS)))
        message = f"{share:.10g} lies in the middle between {lower:g} and {upper:g}; shares are exact to 0.0001"
        raise ValueError(message)
    return share


Name = Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9_-]{0,62}$")]
Version = Annotated[int, Field(strict=True, ge=1, le=VERSION_MAX)]
Share = Annotated[float, Field(strict=True, ge=0, le=1), AfterValidator(_rounds_alike)]
Text = Annotated[str, StringConstraints(max_length=TEXT_MAX)]


class _Written(Frozen):
    """A part of the file; numbers are finite, for JSON has no others."""

    model_config = ConfigDict(allow_inf_nan=False)


class Unit(StrEnum):
    """What is put into an arm."""

    UPLOAD = "upload"
    """Each upload by itself: most power."""
    TENANT = "tenant"
    """All uploads of a customer together."""


class Arm(_Written):
    """One of the models compared."""

    name: Name
    share: Share
    """Of the covered units."""
    model: Text | None = None
    """A name from ``workers/models``; ``None`` = the primary model that is set."""
    settings: dict[str, Text | int | float | bool] = Field(default_factory=dict)
    """Settings of the model, in place of those of the worker."""

    @field_validator("settings", mode="before")
    @classmethod
    def _of_the_model(cls, settings: object) -> object:
        if not isinstance(settings, dict):
            return settings
        foreign = sorted(map(str, set(settings) - ARM_SETTINGS))
        if foreign:
            message = f"an arm cannot set {', '.join(foreign)}; it can set {', '.join(sorted(ARM_SETTINGS))}"
            raise ValueError(message)
        for name, value in settings.items():
            if not isinstance(value, str | int | float):
                message = f"{name} is no text, number or truth value"
                raise ValueError(message)  # noqa: TRY004  # pydantic tells of ValueError alone
            if not isinstance(value, str) and not abs(value) <= WHOLE_MAX:
                message = f"{name} is too large, or no number"
                raise ValueError(message)
        return settings


class RampStep(_Written):
    """From when on how much is covered."""

    after_h: Annotated[float, Field(strict=True, ge=0, le=AFTER_H_MAX)]
    """Hours since the start."""
    coverage: Share


class Guardrail(_Written):
    """A metric that the experimental arm must not worsen by more than a margin; one that does is rolled back."""

    metric: str
    margin: Annotated[float, Field(strict=True, ge=0, le=10)] = 0.0
    """How much worse is tolerated, as a share of the control's value: 0.5 = half as much again."""


class Excluded(_Written):
    """Whose uploads take no part."""

    tenants: tuple[TenantName, ...] = ()
    tiers: tuple[Tier, ...] = ()


class Experiment(_Written):
    """One version of an experiment.  A change of anything but coverage is a new version, with units dealt anew."""

    name: Name
    version: Version = 1
    description: Text = ""
    unit: Unit = Unit.UPLOAD
    coverage: Share = 1.0
    ramp: tuple[RampStep, ...] = ()
    arms: tuple[Arm, ...] = (Arm(name="primary", share=0.9), Arm(name="experimental", share=0.1))
    shadow: Share = 0.0
    metrics: tuple[str, ...] = tuple(METRICS)
    guardrails: tuple[Guardrail, ...] = (Guardrail(metric="error_rate", margin=0.5),)
    alpha: Annotated[float, Field(strict=True, gt=0, le=0.5)] = 0.05
    """Chance of a false alarm over the whole run, looked at as often as one likes."""
    exclude: Excluded = Excluded()

    @property
    def control(self) -> Arm:
        """What the others are compared with."""
        return self.arms[0]

    @property
    def treatments(self) -> tuple[Arm, ...]:
        """The arms that are tried."""
        return self.arms[1:]

    @property
    def final_coverage(self) -> float:
        """The most it will ever cover."""
        return max([step.coverage for step in self.ramp], default=self.coverage)

    def coverage_after(self, hours: float) -> float:
        """Share of the units covered so many hours after the start."""
        reached = [step.coverage for step in self.ramp if step.after_h <= hours]
        return reached[-1] if reached else (0.0 if self.ramp else self.coverage)

    def arm(self, name: str) -> Arm | None:
        """An arm by name."""
        return next((arm for arm in self.arms if arm.name == name), None)

    @field_validator("arms")
    @classmethod
    def _arms_that_can_be_dealt(cls, arms: tuple[Arm, ...]) -> tuple[Arm, ...]:
        few = len(arms) < 2  # noqa: PLR2004  # one arm compares nothing
        if few or len(arms) > ARMS_MAX or len({arm.name for arm in arms}) < len(arms):
            message = f"at least two, at most {ARMS_MAX}, each with a name of its own"
            raise ValueError(message)
        sums = [math.fsum(arm.share for arm in arms[: place + 1]) for place in range(len(arms))]
        if abs(sums[-1] - 1.0) > SHARES_OFF:
            message = f"the shares add up to {sums[-1]:g}, not to 1"
            raise ValueError(message)
        for place, together in enumerate(sums):
            if _in_the_middle(together):
                message = f"the first {place + 1} together have {together:.10g}; shares are exact to 0.0001"
                raise ValueError(message)
        return arms

    @field_validator("metrics")
    @classmethod
    def _each_once(cls, metrics: tuple[str, ...]) -> tuple[str, ...]:
        twice = sorted({metric for metric in metrics if metrics.count(metric) > 1})
        if twice:
            message = f"{', '.join(twice)} more than once; each metric once"
            raise ValueError(message)
        return metrics

    @model_validator(mode="after")
    def _whole(self) -> Self:
        for earlier, later in zip(self.ramp, self.ramp[1:], strict=False):
            if later.after_h <= earlier.after_h or later.coverage < earlier.coverage:
                message = "ramp: hours must rise, and coverage must not fall"
                raise ValueError(message)
        if self.ramp and "coverage" in self.model_fields_set:
            message = "coverage: with a ramp it follows from the ramp; leave it out"
            raise ValueError(message)
        unknown = sorted({*self.metrics, *(guardrail.metric for guardrail in self.guardrails)} - set(METRICS))
        if unknown:
            message = f"there is no metric {', '.join(unknown)}; there are: {', '.join(METRICS)}"
            raise ValueError(message)
        guarded = [guardrail.metric for guardrail in self.guardrails]
        if len(set(guarded)) < len(guarded):
            message = "guardrails: each metric once"
            raise ValueError(message)
        if any(METRICS[metric].kind is Kind.QUANTILE for metric in guarded):
            message = "guardrails: rates and means only; a quantile is shown and never acts"
            raise ValueError(message)
        return self


def load_experiment(path: Path) -> Experiment:
    """Read an experiment.

    Raises:
        ConfigurationError: there is no such file, it is no YAML, or what it says makes no experiment.
    """
    content = read_bounded(path, "experiment", most_bytes=FILE_BYTES_MAX)
    name = printable(str(path))
    try:
        fields = plain_yaml.load(content)
    except plain_yaml.NotPlain as error:
        message = f"{name} is no experiment: {printable(str(error))}.  docs/experiments.md describes one."
        raise ConfigurationError(message) from error
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        message = f"{name} is no YAML: {printable(' '.join(str(error).split()))}"
        raise ConfigurationError(message) from error
    if not isinstance(fields, dict):
        message = f"{name} is no experiment: it must hold name, version, arms and so on."
        raise ConfigurationError(message)
    try:
        return Experiment.model_validate(fields)
    except ValidationError as error:
        message = f"{name} is no experiment: {printable(faults.told(error))}.  docs/experiments.md describes one."
        raise ConfigurationError(message) from error
