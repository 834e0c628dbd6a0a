"""What a look at an experiment may not conclude while the arms have not got the jobs they should have."""

import math

from ab_testing.comparison import compare
from ab_testing.experiment import Unit
from ab_testing.finding import Verdict
from ab_testing.statistics.e_process import log_e_one_sided, null_share
from tests.ab_arms import EXPERIMENT, arm, of, two


def test_a_broken_sample_ratio_withholds_verdicts_and_alarms_of_means() -> None:
    """Whatever the figures say; the note says why."""
    lost = two(arm(9000, 270), arm(700, 21, seed=1, slower=3.0, assigned=1000))
    found = compare(EXPERIMENT, lost)
    assert [ratio.broken for ratio in found.ratios] == [False, True]
    assert {each.verdict for each in found.findings} <= {Verdict.OPEN, Verdict.TOO_FEW}
    assert found.alarms == ()
    assert "no verdict: nothing is concluded" in of(found, "predict_s").sentence
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
    assert {each.verdict for each in found.findings} == {Verdict.OPEN}
    assert found.alarms == ()
    assert any("Customers, not uploads" in note for note in found.notes)
