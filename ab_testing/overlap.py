"""What is left for an experiment beside those that were started before it, and whether its file makes sense at all."""

import math
from collections.abc import Sequence

from ab_testing.assignment import buckets_of
from ab_testing.experiment import BUCKETS, Experiment
from ab_testing.state import Trial
from earmark.errors import ConfigurationError


def check_dealing(experiment: Experiment) -> None:
    """Whether its shares put anybody anywhere.

    Raises:
        ConfigurationError: nobody would be covered, an arm would be smaller than one bucket, or nothing compared.
    """
    fault = _fault(experiment)
    if fault:
        message = f"{experiment.name} cannot be started: {fault}."
        raise ConfigurationError(message)


def _fault(experiment: Experiment) -> str:
    if not buckets_of(experiment.final_coverage):
        least = f"a coverage of {experiment.final_coverage:g} is less than one in {BUCKETS}"
        return f"it would cover nobody, for {least}; raise coverage or the ramp"
    for arm in experiment.arms:
        if arm.share and not buckets_of(arm.share):
            return f"arm {arm.name} has a share of {arm.share:g}, less than one in {BUCKETS}; raise it"
    if not experiment.control.share:
        return f"its control, {experiment.control.name}, has no share, so there is nothing to compare with; give it one"
    if not any(arm.share for arm in experiment.treatments) and not buckets_of(experiment.shadow):
        return "no arm but the control has a share, and shadow is 0, so nothing would be tried; raise one of them"
    return ""


def check_overlap(experiment: Experiment, own: Trial | None, others: Sequence[Trial]) -> None:
    """Whether there is room for an experiment beside the others.

    Args:
        experiment: to be started, or to be covered anew.
        own: the same version as it is now, if it is live.
        others: all other experiments that run or pause.

    Raises:
        ConfigurationError: nothing is left, or growing now would take units from an experiment started later.
    """
    before = [each for each in others if own is None or each.order < own.order]
    later = [each for each in others if own is not None and each.order > own.order]
    for trial in before:
        if buckets_of(trial.reserved) >= BUCKETS and _leaves_out_no_more(trial.definition, experiment):
            now = trial.definition.final_coverage
            takes = "takes every unit" if now == trial.reserved else f"keeps every unit, though it covers {now:g}"
            message = (
                f"{experiment.name} would get nothing: {trial.definition.name}, started before it, {takes}.  "
                f"Complete that one first, or start it as a new version with less coverage."
            )
            raise ConfigurationError(message)
    if own is not None and later and experiment.final_coverage > own.reserved:
        names = ", ".join(trial.definition.name for trial in later)
        message = (
            f"{experiment.name} has declared a coverage of at most {own.reserved:g} since it was started; with "
            f"{experiment.final_coverage:g} it would take units from {names}, started after it.  "
            f"Complete {names} first, or stay within {own.reserved:g}."
        )
        raise ConfigurationError(message)


def units_left(trial: Trial, others: Sequence[Trial]) -> float:
    """About the share of all units that live experiments started before leave to one."""
    before = [each for each in others if each.order < trial.order]
    return math.prod(1 - buckets_of(each.reserved) / BUCKETS for each in before)


def _leaves_out_no_more(earlier: Experiment, later: Experiment) -> bool:
    """Whether all that the earlier one leaves out is left out by the later one too."""
    return set(earlier.exclude.tenants) <= set(later.exclude.tenants) and (
        set(earlier.exclude.tiers) <= set(later.exclude.tiers)
    )
