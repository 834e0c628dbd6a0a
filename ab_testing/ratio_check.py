"""Whether the arms got the jobs they should have: once as the router dealt them, and again as they ended.

An arm that crashes and loses its jobs has lost them without a word; only the second check sees it.
"""

import math
from collections.abc import Mapping
from typing import Final

from ab_testing.comparison_words import chosen_percent, evidence_words, percent
from ab_testing.evidence import Evidence
from ab_testing.experiment import Experiment, Unit
from ab_testing.finding import RatioState, SampleRatio
from ab_testing.statistics.binomial_interval import binomial_interval
from ab_testing.statistics.e_process import e_value
from ab_testing.statistics.sample_ratio import E_BROKEN, log_e_sample_ratio

ON_THEIR_WAY: Final = 100
"""Jobs an arm may be behind in before that counts as lost: those of a slower arm are still being worked on."""
NEAR: Final = 0.2
"""Shares match when even the ends of their intervals are no further off than this part of the smaller side."""
ALPHA: Final = 0.05
"""Of those intervals."""


def ratio_checks(experiment: Experiment, evidence: Evidence) -> tuple[SampleRatio, SampleRatio]:
    """The sample ratio of assigned jobs, and of ended ones."""
    arms = [arm.name for arm in experiment.arms]
    assigned = {arm: evidence.arms[arm].assigned if arm in evidence.arms else 0 for arm in arms}
    ended = {arm: evidence.arms[arm].ended if arm in evidence.arms else 0 for arm in arms}
    return (
        _check("assigned", experiment, assigned, assigned),
        _check("ended", experiment, ended, _with_late(experiment, assigned, ended)),
    )


def _with_late(experiment: Experiment, assigned: dict[str, int], ended: dict[str, int]) -> dict[str, float]:
    """Ended jobs, where arms that have too few are given those on their way, up to what they should have.

    This can only bring the counts nearer to the expected ones, so that the test stays on the safe side.
    """
    total = sum(ended.values())
    late = {arm: min(max(0, assigned[arm] - ended[arm]), ON_THEIR_WAY) for arm in ended}
    return {
        arm.name: max(ended[arm.name], min(arm.share * total, ended[arm.name] + late[arm.name]))
        for arm in experiment.arms
    }


def _check(stage: str, experiment: Experiment, seen: dict[str, int], tested: Mapping[str, float]) -> SampleRatio:
    expected = {arm.name: arm.share for arm in experiment.arms}
    total = sum(seen.values())
    if experiment.unit is not Unit.UPLOAD or not total:
        why = (
            "jobs of a customer stay together, so that their numbers need not have the arms' shares"
            if experiment.unit is not Unit.UPLOAD
            else "no job is on record yet"
        )
        state = RatioState.OPEN if experiment.unit is Unit.UPLOAD else RatioState.NOT_CHECKED
        told = f"Not checked ({stage}): {why}."
        return SampleRatio(stage, expected, seen, 1.0, broken=False, sentence=told, state=state)
    log_e = log_e_sample_ratio(tested, expected)
    broken = log_e >= math.log(E_BROKEN)
    shares = ", ".join(
        f"{arm} has {seen[arm]:,} ({percent(seen[arm] / total)} % where {chosen_percent(share)} % is right)"
        for arm, share in expected.items()
    )
    doubtful = log_e >= -math.log(ALPHA)
    near = not doubtful and _near(tested, expected)
    state = RatioState.BROKEN if broken else RatioState.MATCHES if near else RatioState.OPEN
    if state is RatioState.MATCHES:
        sentence = f"The arms got about their shares of the jobs {stage}: {shares}."
    elif state is RatioState.OPEN and doubtful:
        sentence = (
            f"The arms' shares of the jobs {stage} may be wrong: {shares}; "
            f"{evidence_words(e_value(log_e))} of evidence, and {E_BROKEN:,.0f} is enough."
        )
    elif state is RatioState.OPEN:
        sentence = (
            f"Nothing speaks yet against the arms' shares of the jobs {stage}: {shares}.  There are too few jobs to "
            f"say that they are right."
        )
    else:
        where = (
            "units are dealt wrongly, or rows of an arm are missing: look at the router and at what it left out"
            if stage == "assigned"
            else "jobs of an arm are lost, late or counted twice: look for workers that crash and for a backlog"
        )
        sentence = (
            f"The arms did not get their shares of the jobs {stage}: {shares}; "
            f"{evidence_words(e_value(log_e))} of evidence where {E_BROKEN:,.0f} is enough. "
            f"What differs between arms may come from that: {where}."
        )
    return SampleRatio(stage, expected, seen, e_value(log_e), broken=broken, sentence=sentence, state=state)


def _near(tested: Mapping[str, float], expected: Mapping[str, float]) -> bool:
    """Whether there are enough jobs to say that each arm's share is about what it should be."""
    total = sum(tested.values())
    for arm, share in expected.items():
        low, high = binomial_interval(tested[arm], total, ALPHA)
        if max(high - share, share - low) > NEAR * min(share, 1 - share) and 0 < share < 1:
            return False
    return True
