"""``Course``: one experiment as the state store keeps it: its versions, their states, and who decided what and why."""

from datetime import datetime
from enum import StrEnum
from typing import Any, Final, Literal

from pydantic import AwareDatetime, PositiveInt, field_serializer

from ab_testing.experiment import Experiment, Name
from earmark.metadata import Frozen, Probability

HOUR_S: Final = 3600.0


class State(StrEnum):
    """How far a version of an experiment has come."""

    DRAFT = "draft"
    """A file that nobody has started yet."""
    RUNNING = "running"
    PAUSED = "paused"
    """No new units; jobs that have an arm keep it."""
    ROLLED_BACK = "rolled_back"
    """Ended for harm: the control answers everything, waiting jobs of other arms too."""
    COMPLETED = "completed"
    """Ended by a person; the control answers everything."""


LIVE: Final = frozenset({State.RUNNING, State.PAUSED})
"""States in which each arm's model answers the jobs of its arm."""


class Action(StrEnum):
    """What can be decided."""

    START = "start"
    RESUME = "resume"
    COVER = "cover"
    """More or less coverage for what runs already."""
    PAUSE = "pause"
    ROLL_BACK = "roll_back"
    COMPLETE = "complete"


class Decision(Frozen):
    """One change of state; never altered afterwards."""

    number: PositiveInt
    """Counts the decisions about this experiment, over all its versions."""
    at: AwareDatetime
    actor: str
    action: Action
    version: PositiveInt
    before: State
    state: State
    """Afterwards."""
    coverage: Probability
    """Of new units from then on; 0 where there are none."""
    reason: str = ""
    evidence: str = ""
    """What spoke for it, as JSON; empty where a person decided."""


class Covered(Frozen):
    """From when on which coverage was meant, by hand or by ramp."""

    at: AwareDatetime
    coverage: Probability
    """The most it would ever be."""
    actor: str


class Trial(Frozen):
    """One version of an experiment that was started."""

    definition: Experiment
    state: State
    started_at: AwareDatetime
    ended_at: AwareDatetime | None = None
    coverages: tuple[Covered, ...] = ()

    @field_serializer("definition")
    def _dumped(self, definition: Experiment) -> dict[str, Any]:
        return dumped(definition)

    @property
    def live(self) -> bool:
        """Whether the models of its arms answer its jobs; else the control's does."""
        return self.state in LIVE

    @property
    def reserved(self) -> float:
        """Share of the units that stay its own while it lives: the most that it ever declared since it was started.

        Covering less frees nothing, so that covering as much again takes nothing from whoever started meanwhile.
        """
        return max(self.definition.final_coverage, *(each.coverage for each in self.coverages), 0.0)

    @property
    def order(self) -> tuple[datetime, str]:
        """What experiments are sorted by: the one started first goes first."""
        return self.started_at, self.definition.name

    def hours(self, now: datetime) -> float:
        """Hours since the start, pauses included."""
        return max(0.0, (now - self.started_at).total_seconds() / HOUR_S)

    def coverage_at(self, now: datetime) -> float:
        """Share of the units that is covered now; 0 unless it runs."""
        return self.definition.coverage_after(self.hours(now)) if self.state is State.RUNNING else 0.0


class Course(Frozen):
    """An experiment with all its versions."""

    format: Literal[1] = 1
    name: Name
    trials: tuple[Trial, ...]
    """By version, the latest last."""
    decisions: tuple[Decision, ...]
    told: int = 0
    """Number of the last decision that the warehouse has as well."""

    @property
    def latest(self) -> Trial:
        """The version that was started last."""
        return self.trials[-1]

    def trial(self, version: int) -> Trial | None:
        """One version."""
        return next((trial for trial in self.trials if trial.definition.version == version), None)


def dumped(experiment: Experiment) -> dict[str, Any]:
    """An experiment as JSON that can be read again; with a ramp, coverage follows from it and is left out."""
    return experiment.model_dump(mode="json", exclude={"coverage"} if experiment.ramp else set())
