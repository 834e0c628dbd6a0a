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

from enum import StrEnum
from pathlib import Path
from typing import Annotated, Final, Self

import yaml
from pydantic import Field, PositiveInt, StringConstraints, ValidationError, field_validator, model_validator

from ab_testing.metrics import METRICS, Kind
from earmark.domain import TenantName
from earmark.errors import ConfigurationError
from earmark.metadata import Frozen, Probability
from earmark.named_file import printable, read_bounded
from earmark.vocabulary import Tier

FILE_BYTES_MAX: Final = 256 * 1024
SHARES_OFF: Final = 1e-9
"""By how much the shares of the arms may miss 1."""
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

Name = Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9_-]{0,62}$")]


class Unit(StrEnum):
    """What is put into an arm."""

    UPLOAD = "upload"
    """Each upload by itself: most power."""
    TENANT = "tenant"
    """All uploads of a customer together."""


class Arm(Frozen):
    """One of the models compared."""

    name: Name
    share: Probability
    """Of the covered units."""
    model: str | None = None
    """A name from ``workers/models``; ``None`` = the primary model that is set."""
    settings: dict[str, str | int | float | bool] = Field(default_factory=dict)
    """Settings of the model, in place of those of the worker."""

    @field_validator("settings")
    @classmethod
    def _of_the_model(cls, settings: dict[str, object]) -> dict[str, object]:
        foreign = sorted(set(settings) - ARM_SETTINGS)
        if foreign:
            message = f"an arm cannot set {', '.join(foreign)}; it can set {', '.join(sorted(ARM_SETTINGS))}"
            raise ValueError(message)
        return settings


class RampStep(Frozen):
    """From when on how much is covered."""

    after_h: Annotated[float, Field(ge=0)]
    """Hours since the start."""
    coverage: Probability


class Guardrail(Frozen):
    """A metric that the experimental arm must not worsen by more than a margin; one that does is rolled back."""

    metric: str
    margin: Annotated[float, Field(ge=0, le=10)] = 0.0
    """How much worse is tolerated, as a share of the control's value: 0.5 = half as much again."""


class Excluded(Frozen):
    """Whose uploads take no part."""

    tenants: tuple[TenantName, ...] = ()
    tiers: tuple[Tier, ...] = ()


class Experiment(Frozen):
    """One version of an experiment.  A change of anything but coverage is a new version, with units dealt anew."""

    name: Name
    version: PositiveInt = 1
    description: str = ""
    unit: Unit = Unit.UPLOAD
    coverage: Probability = 1.0
    ramp: tuple[RampStep, ...] = ()
    arms: tuple[Arm, ...] = (Arm(name="primary", share=0.9), Arm(name="experimental", share=0.1))
    shadow: Probability = 0.0
    metrics: tuple[str, ...] = tuple(METRICS)
    guardrails: tuple[Guardrail, ...] = (Guardrail(metric="error_rate", margin=0.5),)
    alpha: Annotated[float, Field(gt=0, le=0.5)] = 0.05
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

    @model_validator(mode="after")
    def _whole(self) -> Self:
        names = [arm.name for arm in self.arms]
        if len(names) < 2 or len(set(names)) < len(names):  # noqa: PLR2004  # one arm compares nothing
            message = "arms: at least two, each with a name of its own"
            raise ValueError(message)
        if abs(sum(arm.share for arm in self.arms) - 1.0) > SHARES_OFF:
            message = f"arms: the shares add up to {sum(arm.share for arm in self.arms):g}, not to 1"
            raise ValueError(message)
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
    try:
        fields = yaml.safe_load(content)
    except (yaml.YAMLError, UnicodeError, RecursionError) as error:
        message = f"{printable(str(path))} is no YAML: {printable(' '.join(str(error).split()))}"
        raise ConfigurationError(message) from error
    if not isinstance(fields, dict):
        message = f"{printable(str(path))} is no experiment: it must hold name, version, arms and so on."
        raise ConfigurationError(message)
    try:
        return Experiment.model_validate(fields)
    except ValidationError as error:
        faults = "; ".join(
            ": ".join(filter(None, (".".join(map(str, fault["loc"])), fault["msg"].removeprefix("Value error, "))))
            for fault in error.errors()
        )
        message = f"{printable(str(path))} is no experiment: {printable(faults)}.  docs/experiments.md describes one."
        raise ConfigurationError(message) from error
