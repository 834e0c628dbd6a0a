"""Whether the arms got the jobs they should have: once as the router dealt them, and again as they ended.

An arm that crashes and loses its jobs has lost them without a word; only the second check sees it.
"""

import math
from typing import Final

from ab_testing.comparison_words import chosen_percent, evidence_words, percent
from ab_testing.evidence import Evidence
from ab_testing.experiment import Experiment, Unit
from ab_testing.finding import SampleRatio
from ab_testing.statistics.e_process import e_value
from ab_testing.statistics.sample_ratio import E_BROKEN, log_e_sample_ratio

ON_THEIR_WAY: Final = 100
"""Jobs an arm may be behind in before that counts as lost: those of a slower arm are still being worked on."""


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


def _check(
    stage: str, experiment: Experiment, seen: dict[str, int], tested: dict[str, float] | dict[str, int]
) -> SampleRatio:
    expected = {arm.name: arm.share for arm in experiment.arms}
    total = sum(seen.values())
    if experiment.unit is not Unit.UPLOAD or not total:
        why = (
            "jobs of a customer stay together, so that their numbers need not have the arms' shares"
            if experiment.unit is not Unit.UPLOAD
            else "no job is on record yet"
        )
        return SampleRatio(stage, expected, seen, 1.0, broken=False, sentence=f"Not checked ({stage}): {why}.")
    log_e = log_e_sample_ratio(tested, expected)
    broken = log_e >= math.log(E_BROKEN)
    shares = ", ".join(
        f"{arm} has {seen[arm]:,} ({percent(seen[arm] / total)} % where {chosen_percent(share)} % is right)"
        for arm, share in expected.items()
    )
    if not broken:
        sentence = f"The arms got their shares of the jobs {stage}: {shares}."
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
    return SampleRatio(stage, expected, seen, e_value(log_e), broken=broken, sentence=sentence)
