"""What a look at an experiment may not conclude while the arms have not got the jobs they should have."""

import math

import pytest

from ab_testing.comparison import compare
from ab_testing.evidence import Evidence
from ab_testing.experiment import Experiment, Unit
from ab_testing.finding import Comparison, GuardrailState, RatioState, Verdict
from ab_testing.statistics.e_process import log_e_one_sided, null_share
from tests.ab_arms import EXPERIMENT, arm, of, two


def test_a_broken_sample_ratio_withholds_verdicts_and_alarms_of_means() -> None:
    """Whatever the figures say; the note says why."""
    lost = two(arm(9000, 270), arm(700, 21, seed=1, slower=3.0, assigned=1000))
    found = compare(EXPERIMENT, lost)
    assert [ratio.broken for ratio in found.ratios] == [False, True]
    assert {each.verdict for each in found.findings} == {Verdict.WITHHELD}
    assert found.alarms == ()
    assert of(found, "predict_s").sentence.endswith("; withheld.")
    assert of(found, "predict_s").would_change == ""
    assert found.notes[0] == found.withheld
    assert any("sample ratio is broken" in note for note in found.notes)
    assert "workers that crash" in found.ratios[1].sentence


def test_a_broken_sample_ratio_leaves_guardrails_on_rates() -> None:
    """An arm that loses jobs and fails the others is still taken out."""
    found = compare(EXPERIMENT, two(arm(9000, 270, values=0), arm(600, 150, values=0, assigned=1000)))
    assert found.ratios[1].broken
    assert [alarm.metric for alarm in found.alarms] == ["error_rate"]


def test_an_arm_that_got_too_many_jobs_is_not_blamed_for_their_failures() -> None:
    """It fails as often as the control; its failures are many because its jobs are."""
    doubled = two(arm(8000, 800, values=0), arm(2000, 200, values=0))
    assert log_e_one_sided(200, 1000, null_share(0.1, 1.5)) > math.log(2 / 0.05)
    found = compare(EXPERIMENT, doubled)
    assert all(ratio.broken for ratio in found.ratios)
    assert found.alarms == ()


def test_jobs_on_their_way_are_not_lost() -> None:
    """A slower arm is behind by some dozen jobs; that is no broken ratio, and hundreds are."""
    behind = two(arm(900, values=0), arm(20, values=0, assigned=100))
    assert not compare(EXPERIMENT, behind).ratios[1].broken
    assert compare(EXPERIMENT, two(arm(900, values=0), arm(20, values=0, assigned=0))).ratios[1].broken
    assert compare(EXPERIMENT, two(arm(9000, values=0), arm(600, values=0, assigned=1000))).ratios[1].broken


def test_ended_jobs_count_however_they_ended() -> None:
    """Rejected and diverted ones were dealt as well."""
    treatment = arm(100, values=0, assigned=1000, rejected=100, diverted=800)
    found = compare(EXPERIMENT, two(arm(9000, values=0), treatment))
    assert found.ratios[1].seen == {"primary": 9000, "experimental": 1000}
    assert not found.ratios[1].broken
    assert any(note.startswith("800 jobs (800 in experimental) were answered by another model") for note in found.notes)


def test_customers_dealt_whole_give_no_verdict() -> None:
    """Their jobs are alike, and one large customer is no sample ratio."""
    tenants = EXPERIMENT.model_copy(update={"unit": Unit.TENANT})
    found = compare(tenants, two(arm(9000, 270), arm(4000, 800, seed=1, slower=2.0)))
    assert not any(ratio.broken for ratio in found.ratios)
    assert {each.verdict for each in found.findings} == {Verdict.WITHHELD}
    assert found.alarms == ()
    assert "customers, not uploads" in found.withheld
    assert {ratio.state for ratio in found.ratios} == {RatioState.NOT_CHECKED}


BROKEN = two(arm(9000, 891, fallback=891), arm(10_000, 995, seed=1, fallback=995))
TENANTS = EXPERIMENT.model_copy(update={"unit": Unit.TENANT})
SOUND = two(arm(9000, 270), arm(1000, 60, seed=1))


@pytest.mark.parametrize(("experiment", "evidence"), [(EXPERIMENT, BROKEN), (TENANTS, SOUND)])
def test_what_is_withheld_has_no_interval_and_no_evidence(experiment: Experiment, evidence: Evidence) -> None:
    """Both would rest on what does not hold; values and differences are plain, and shown."""
    for finding in compare(experiment, evidence).findings:
        assert (finding.low, finding.high, finding.e_value) == (None, None, None)
        assert finding.difference is not None


def test_a_part_of_the_jobs_is_withheld_with_all_of_them() -> None:
    """Though nothing is wrong with it by itself."""
    assert of(compare(EXPERIMENT, SOUND), "error_rate").low is not None
    assert of(compare(EXPERIMENT, SOUND, withheld="The whole is broken."), "error_rate").low is None


def states(comparison: Comparison) -> dict[str, tuple[GuardrailState, bool]]:
    """Of each guardrail, and whether there is a reason."""
    return {each.metric: (each.state, bool(each.because)) for each in comparison.guardrails}


def test_guardrails_say_whether_they_are_judged() -> None:
    """Held, fired, or why nobody judges them."""
    holds, idle = (GuardrailState.HOLDS, False), (GuardrailState.NOT_JUDGED, True)
    fired = (GuardrailState.FIRED, False)
    assert states(compare(EXPERIMENT, SOUND)) == {"error_rate": holds, "predict_s": holds}
    assert states(compare(EXPERIMENT, BROKEN)) == {"error_rate": holds, "predict_s": idle}
    assert states(compare(TENANTS, SOUND)) == {"error_rate": idle, "predict_s": idle}
    assert states(compare(EXPERIMENT, two(arm(900), arm(100)))) == {"error_rate": holds, "predict_s": idle}
    assert states(compare(EXPERIMENT, Evidence())) == {"error_rate": idle, "predict_s": idle}
    slow = compare(EXPERIMENT, two(arm(9000, 90), arm(1000, 300, seed=1, slower=3.0)))
    assert states(slow) == {"error_rate": fired, "predict_s": fired}


@pytest.mark.parametrize(
    ("control", "treatment", "state", "words"),
    [
        (2, 8, RatioState.OPEN, "too few jobs to say that they are right"),
        (0, 3, RatioState.OPEN, "Nothing speaks yet against the arms' shares of the jobs assigned: primary has 0"),
        (5000, 5100, RatioState.MATCHES, "The arms got about their shares"),
        (5000, 5400, RatioState.OPEN, "may be wrong"),
        (5000, 6000, RatioState.BROKEN, "The arms did not get their shares"),
    ],
)
def test_shares_are_called_right_only_with_enough_jobs(
    control: int, treatment: int, state: RatioState, words: str
) -> None:
    """Before that, nothing speaks against them; the counts are told either way."""
    half = EXPERIMENT.model_copy(
        update={"arms": tuple(each.model_copy(update={"share": 0.5}) for each in EXPERIMENT.arms)}
    )
    ratio = compare(half, two(arm(control, values=0), arm(treatment, values=0))).ratios[0]
    assert ratio.state is state
    assert ratio.broken is (state is RatioState.BROKEN)
    assert words in ratio.sentence
    assert f"{treatment:,} (" in ratio.sentence
