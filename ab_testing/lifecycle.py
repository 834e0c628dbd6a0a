"""What may be decided about an experiment: pure rules from one ``Course`` to the next.

Each gives the very same course where nothing is to change, so that saying a thing twice is no error, and raises
``ConfigurationError`` where the state forbids it.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from ab_testing.experiment import Experiment
from ab_testing.state import Action, Course, Covered, Decision, State, Trial, dumped
from earmark.errors import ConfigurationError

TRANSITIONS: Final[dict[tuple[State, Action], State]] = {
    (State.DRAFT, Action.START): State.RUNNING,
    (State.RUNNING, Action.COVER): State.RUNNING,
    (State.PAUSED, Action.COVER): State.PAUSED,
    (State.PAUSED, Action.RESUME): State.RUNNING,
    (State.RUNNING, Action.PAUSE): State.PAUSED,
    (State.RUNNING, Action.ROLL_BACK): State.ROLLED_BACK,
    (State.PAUSED, Action.ROLL_BACK): State.ROLLED_BACK,
    (State.RUNNING, Action.COMPLETE): State.COMPLETED,
    (State.PAUSED, Action.COMPLETE): State.COMPLETED,
}
"""Every change there is; what has ended stays ended."""
ENDED: Final = frozenset({State.ROLLED_BACK, State.COMPLETED})
ASKED_FOR: Final = {
    Action.RESUME: State.RUNNING,
    Action.PAUSE: State.PAUSED,
    Action.ROLL_BACK: State.ROLLED_BACK,
    Action.COMPLETE: State.COMPLETED,
}
"""The state that an action is about; whoever is in it already needs no change."""
_FREE: Final = ("coverage", "ramp", "description")
"""What may change within a version, for it deals no unit anew."""


@dataclass(frozen=True, slots=True)
class Say:
    """Who decides, when and why."""

    actor: str
    at: datetime
    reason: str = ""
    evidence: str = ""


def start(course: Course | None, definition: Experiment, say: Say) -> Course:
    """Begin a version, resume it where it pauses, or cover more or less of it.

    Raises:
        ConfigurationError: it has ended, it differs in what deals units, or another version of it runs.
    """
    latest = None if course is None else course.latest
    if course is None or latest is None or _is_new(latest, definition):
        return _begun(course, definition, say)
    if latest.state in ENDED:
        message = (
            f"Version {definition.version} of {definition.name} has ended ({_word(latest.state)}), and what has ended "
            f"is not started again.  Give the file version {latest.definition.version + 1}: its units are dealt anew."
        )
        raise ConfigurationError(message)
    changed = _changed(latest.definition, definition)
    if changed - set(_FREE):
        message = (
            f"Version {definition.version} of {definition.name} {_is(latest.state)} with another definition "
            f"({', '.join(sorted(changed - set(_FREE)))}).  Only coverage and ramp may change within a version: "
            f"complete it, then start this as version {definition.version + 1}."
        )
        raise ConfigurationError(message)
    if changed:
        covered = Covered(at=say.at, coverage=definition.final_coverage, actor=say.actor)
        trial = latest.model_copy(update={"definition": definition, "coverages": (*latest.coverages, covered)})
        course = _decided(course, trial, Action.COVER, latest.state, say)
    return change(course, Action.RESUME, say) if course.latest.state is State.PAUSED else course


def change(course: Course, action: Action, say: Say) -> Course:
    """Resume, pause, roll back or complete the latest version.

    Raises:
        ConfigurationError: its state forbids that.
    """
    trial = course.latest
    if trial.state is ASKED_FOR[action]:
        return course
    state = TRANSITIONS.get((trial.state, action))
    if state is None:
        message = (
            f"Cannot {_word(action)} {course.name}: its version {trial.definition.version} {_is(trial.state)}.  "
            "What has ended stays so; start a new version."
        )
        raise ConfigurationError(message)
    ended_at = say.at if state in ENDED else None
    return _decided(course, trial.model_copy(update={"state": state, "ended_at": ended_at}), action, trial.state, say)


def _is_new(latest: Trial, definition: Experiment) -> bool:
    """Whether this is a later version; raises where it is too early for one, or too late for this one."""
    running, wanted = latest.definition.version, definition.version
    if wanted < running:
        message = (
            f"Version {wanted} of {definition.name} is older than version {running}, which {_is(latest.state)}.  "
            f"Give the file version {running + 1}."
        )
        raise ConfigurationError(message)
    if wanted > running and latest.live:
        message = (
            f"Version {running} of {definition.name} {_is(latest.state)}; two versions at once would mix their units.  "
            f"Complete or roll it back first: `earmark ab complete {definition.name} --reason …`."
        )
        raise ConfigurationError(message)
    return wanted > running


def _begun(course: Course | None, definition: Experiment, say: Say) -> Course:
    covered = Covered(at=say.at, coverage=definition.final_coverage, actor=say.actor)
    trial = Trial(definition=definition, state=State.RUNNING, started_at=say.at, coverages=(covered,))
    if course is None:
        course = Course(name=definition.name, trials=(trial,), decisions=())
    else:
        course = course.model_copy(update={"trials": (*course.trials, trial)})
    return _decided(course, trial, Action.START, State.DRAFT, say)


def _decided(course: Course, trial: Trial, action: Action, before: State, say: Say) -> Course:
    """One decision more; no clock that is behind puts it before the last one."""
    last = course.decisions[-1] if course.decisions else None
    decision = Decision(
        number=1 if last is None else last.number + 1,
        at=say.at if last is None else max(say.at, last.at + timedelta.resolution),
        actor=say.actor,
        action=action,
        version=trial.definition.version,
        before=before,
        state=trial.state,
        coverage=trial.coverage_at(say.at),
        reason=say.reason,
        evidence=say.evidence,
    )
    return course.model_copy(
        update={"trials": (*course.trials[:-1], trial), "decisions": (*course.decisions, decision)}
    )


def _changed(old: Experiment, new: Experiment) -> set[str]:
    """Fields in which two definitions differ; coverage and ramp together say one thing."""
    before, after = dumped(old), dumped(new)
    return {name for name in {*before, *after} if before.get(name) != after.get(name)}


def _word(text: str) -> str:
    return text.replace("_", " ")


def _is(state: State) -> str:
    """What a version in that state does, for a sentence."""
    verbs = {State.RUNNING: "runs", State.PAUSED: "pauses", State.COMPLETED: "is completed"}
    return verbs.get(state, f"was {_word(state)}" if state is State.ROLLED_BACK else f"is a {_word(state)}")
