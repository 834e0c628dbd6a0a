"""What ``earmark ab start``, ``pause``, ``resume``, ``rollback``, ``complete`` and ``list`` do."""

import json
import sys
from datetime import datetime
from pathlib import Path

from ab_testing.experiment import Experiment, load_experiment
from ab_testing.overlap import units_left
from ab_testing.registry import Change, Registry
from ab_testing.state import Action, Course, Decision, State
from earmark.actor import actor_name
from earmark.clock import utc_now
from earmark.errors import ConfigurationError
from earmark.log import masked
from earmark.ports import Clock
from earmark.settings import Settings
from runtime.dlq.desk import say
from runtime.experiments import arm_spec, make_registry
from runtime.wiring import connect, connect_existing

REASON_MAX = 2000


def start_file(settings: Settings, path: Path, reason: str, *, as_json: bool, clock: Clock = utc_now) -> None:
    """Start, resume or cover anew what a file describes.

    Raises:
        ConfigurationError: it is no experiment, or cannot be started; nothing was changed.
    """
    experiment = load_experiment(path)
    check_arms(settings, experiment)
    why = _reason(reason, needed=False)
    registry = make_registry(connect(settings), clock)
    change = registry.start(experiment, actor=actor_name(settings.actor), reason=why)
    others = [each.latest for each in registry.all() if each.name != experiment.name and each.latest.live]
    left = units_left(change.course.latest, others)
    _print_change(change, clock(), as_json=as_json)
    tell_malformed(registry)
    if left < 1:
        say(f"Experiments started before it take units first; about {percent(round(left, 4))} are left to it.")


def decide(
    settings: Settings, name: str, action: Action, reason: str, *, as_json: bool, clock: Clock = utc_now
) -> None:
    """Resume, pause, roll back or complete an experiment.

    Raises:
        ConfigurationError: there is none, its state forbids it, or no reason is given; nothing was changed.
    """
    why = _reason(reason, needed=action is not Action.RESUME)
    registry = make_registry(connect_existing(settings), clock)
    change = registry.decide(name, action, actor=actor_name(settings.actor), reason=why)
    _print_change(change, clock(), as_json=as_json)


def list_all(settings: Settings, *, as_json: bool, clock: Clock = utc_now) -> None:
    """Print every experiment there is or was, the latest version of each."""
    registry = open_registry(settings, clock)
    courses = registry.all()
    tell_malformed(registry)
    now = clock()
    if as_json:
        sys.stdout.write(json.dumps([course_fields(course, now) for course in courses], indent=1) + "\n")
        return
    for course in courses:
        sys.stdout.write(f"{headline(course, now)}\n")
    if not courses:
        sys.stdout.write("No experiments.  `earmark ab start FILE` starts one.\n")


def tell_malformed(registry: Registry) -> None:
    """Say which objects are no experiments, and what to do about each."""
    for fault in registry.malformed():
        say(f"earmark: {fault}")


def open_registry(settings: Settings, clock: Clock = utc_now) -> Registry:
    """The experiments."""
    return make_registry(connect_existing(settings), clock)


def check_arms(settings: Settings, experiment: Experiment) -> None:
    """Whether every arm's model exists and its settings fit, as far as can be told without loading it.

    Raises:
        ConfigurationError: names the arm and what is wrong.
    """
    for arm in experiment.arms:
        try:
            arm_spec(settings, arm)
        except ConfigurationError as error:
            message = f"Arm {arm.name} of {experiment.name} has no model to run: {error}"
            raise ConfigurationError(message) from error


def course_fields(course: Course, now: datetime) -> dict[str, object]:
    """The latest version of an experiment in short, for programs."""
    trial = course.latest
    return {
        "experiment": course.name,
        "version": trial.definition.version,
        "state": trial.state.value,
        "started_at": trial.started_at.isoformat(),
        "ended_at": None if trial.ended_at is None else trial.ended_at.isoformat(),
        "coverage": trial.coverage_at(now),
        "final_coverage": trial.definition.final_coverage,
        "reserved_coverage": trial.reserved if trial.live else 0.0,
        "last_decision": course.decisions[-1].model_dump(mode="json", exclude={"evidence"}),
    }


def headline(course: Course, now: datetime) -> str:
    """The latest version of an experiment in a line, for a person."""
    trial = course.latest
    since = f"started {_time(trial.started_at)}"
    if trial.state is State.RUNNING:
        hours, final = trial.hours(now), trial.definition.final_coverage
        covered = trial.coverage_at(now)
        up_to = f", {percent(final)} at the end of its ramp" if final > covered else ""
        kept = f", keeps {percent(trial.reserved)} for itself" if trial.reserved > final else ""
        state = f"running for {hours:.1f} h, covers {percent(covered)} of all {trial.definition.unit}s{up_to}{kept}"
    else:
        last = course.decisions[-1]
        why = f": {masked(last.reason)}" if last.reason else ""
        state = f"{_words(trial.state)} {_time(last.at)} by {masked(last.actor)}{why}"
    return f"{course.name}  version {trial.definition.version}  {state}  ({since})"


def decision_line(decision: Decision) -> str:
    """A decision in a line, for a person."""
    why = f": {masked(decision.reason)}" if decision.reason else ""
    what = f"{_words(decision.action)} version {decision.version}, coverage {percent(decision.coverage)}"
    return f"{_time(decision.at)}  {what}, by {masked(decision.actor)}{why}"


def percent(share: float) -> str:
    """A share for a person."""
    return f"{100 * share:g} %"


def _print_change(change: Change, now: datetime, *, as_json: bool) -> None:
    if as_json:
        fields = {**course_fields(change.course, now), "changed": change.changed}
        sys.stdout.write(json.dumps(fields, indent=1) + "\n")
        return
    sys.stdout.write(f"{headline(change.course, now)}\n")
    if not change.changed:
        sys.stdout.write("It was so already; nothing was changed.\n")


def _reason(reason: str, *, needed: bool) -> str:
    text = reason.strip()
    try:
        text.encode()
    except UnicodeEncodeError as error:
        message = "--reason is no UTF-8.  Write it in a terminal that is set to UTF-8."
        raise ConfigurationError(message) from error
    if needed and not text:
        message = "Say why with --reason; an empty one tells nobody anything."
        raise ConfigurationError(message)
    if len(text) > REASON_MAX:
        message = f"--reason has {len(text)} characters; {REASON_MAX} are enough.  Link to the rest."
        raise ConfigurationError(message)
    return text


def _words(text: str) -> str:
    return text.replace("_", " ")


def _time(at: datetime) -> str:
    return at.strftime("%Y-%m-%d %H:%M:%SZ")
