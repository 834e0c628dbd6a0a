"""A look at an experiment: verdicts, sentences, alarms, the sample ratio, and what must never be concluded."""

import math
from dataclasses import astuple

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ab_testing.comparison import compare, guardrail_alarms, guardrail_alpha
from ab_testing.evidence import ArmEvidence, Evidence, Moments, bin_of
from ab_testing.experiment import Arm, Experiment, Guardrail
from ab_testing.finding import Comparison, Verdict
from ab_testing.metrics import METRICS
from ab_testing.statistics.e_process import e_value, log_e_one_sided, log_e_two_sided, null_share
from ab_testing.statistics.quantile_interval import Distribution
from tests.ab_arms import EXPERIMENT, GUARDRAILS, THREE, arm, of, rates, two


def test_there_is_a_finding_for_each_metric_and_arm() -> None:
    """In the order of the file."""
    evidence = Evidence()
    evidence.arms.update({"primary": arm(800), "one": arm(100, seed=1), "two": arm(100, seed=2)})
    found = compare(THREE, evidence)
    assert [(each.arm, each.metric) for each in found.findings] == [
        (name, metric) for name in ("one", "two") for metric in METRICS
    ]
    assert {each.verdict for each in found.findings} <= {Verdict.OPEN, Verdict.TOO_FEW}
    assert found.alarms == ()


def test_an_error_rate_that_doubled_is_worse() -> None:
    """The e-value is the reference's, and the sentence says both rates and the interval."""
    finding = of(compare(EXPERIMENT, rates(80, 270)), "error_rate")
    assert (finding.control, finding.treatment) == (0.03, 0.08)
    assert finding.e_value == pytest.approx(e_value(log_e_two_sided(80, 350, 0.1)))
    assert finding.verdict is Verdict.WORSE
    assert finding.low is not None
    assert finding.high is not None
    assert 0 < finding.low < 0.05 < finding.high
    assert finding.relative == pytest.approx(0.05 / 0.03)
    assert finding.sentence.startswith(
        "Jobs whose tries all failed: 8.0 % (experimental) against 3.0 % (primary); worse:"
    )
    assert "open again" in finding.would_change


def test_success_is_the_same_evidence_the_other_way_round() -> None:
    """Fewer answered is worse, and the difference is below zero."""
    found = compare(EXPERIMENT, rates(80, 270))
    errors, success = of(found, "error_rate"), of(found, "success_rate")
    assert success.verdict is Verdict.WORSE
    assert success.e_value == errors.e_value
    assert (success.difference, success.low, success.high) == pytest.approx(
        (-(errors.difference or 0), -(errors.high or 0), -(errors.low or 0))
    )


def test_fewer_errors_are_better_and_never_an_alarm() -> None:
    """Verdicts look both ways, guardrails one."""
    found = compare(EXPERIMENT, rates(0, 500, jobs=20_000))
    assert of(found, "error_rate").verdict is Verdict.BETTER
    assert found.alarms == ()


def test_what_is_too_early_says_how_many_more_jobs_it_takes() -> None:
    """And with so many more, and nothing else changed, there is a verdict."""
    finding = of(compare(EXPERIMENT, rates(41, 270)), "error_rate")
    assert finding.verdict is Verdict.OPEN
    assert "too early to tell apart: the difference is between -" in finding.sentence
    words = finding.would_change.split()
    assert words[:6] == ["More", "jobs", "of", "both", "arms:", "about"]
    more = int(words[6].replace(",", ""))
    assert finding.would_change.endswith("more of experimental would do, if the difference stays as it is.")
    for times, verdict in ((1 + 1.02 * more / 1000, Verdict.WORSE), (1 + 0.9 * more / 1000, Verdict.OPEN)):
        later = rates(round(41 * times), round(270 * times), jobs=round(10_000 * times))
        assert of(compare(EXPERIMENT, later), "error_rate").verdict is verdict


def test_a_verdict_says_how_many_alike_jobs_would_take_it_back() -> None:
    """So many more without a difference, and it is open again."""
    finding = of(compare(EXPERIMENT, rates(60, 270)), "error_rate")
    assert finding.verdict is Verdict.WORSE
    more = int(finding.would_change.split("about ")[1].split()[0].replace(",", ""))
    for times, verdict in ((1.1, Verdict.OPEN), (0.9, Verdict.WORSE)):
        alike = times * more / 1000 * 330
        later = rates(round(60 + 0.1 * alike), round(270 + 0.9 * alike), jobs=10_000 + round(10 * times * more))
        assert of(compare(EXPERIMENT, later), "error_rate").verdict is verdict


def test_no_events_at_all() -> None:
    """Nothing failed anywhere: that is no division by zero and no verdict."""
    finding = of(compare(EXPERIMENT, rates(0, 0)), "error_rate")
    assert (finding.verdict, finding.e_value, finding.relative) == (Verdict.OPEN, pytest.approx(1.0), None)
    assert "the same for every job so far" in finding.sentence


def test_no_data_at_all() -> None:
    """Every metric says that there is too little, and asking makes no arms."""
    evidence = Evidence()
    found = compare(EXPERIMENT, evidence)
    assert {each.verdict for each in found.findings} == {Verdict.TOO_FEW}
    assert all("no data" in each.sentence for each in found.findings)
    assert all(ratio.sentence.startswith("Not checked") for ratio in found.ratios)
    assert found.alarms == ()
    assert not evidence.arms


def test_a_slower_arm_is_worse_by_mean_and_median() -> None:
    """Adjusted for the length of the audio; and it says so."""
    found = compare(EXPERIMENT, two(arm(9000), arm(1000, seed=1, slower=1.5)))
    mean, median = of(found, "predict_s"), of(found, "predict_s_p50")
    assert (mean.verdict, median.verdict) == (Verdict.WORSE, Verdict.WORSE)
    assert mean.e_value is None
    assert "length of the audio allowed for" in mean.sentence
    assert of(found, "confidence").verdict is Verdict.OPEN
    assert mean.relative == pytest.approx(0.5, abs=0.1)


def test_a_job_that_took_a_day_decides_nothing() -> None:
    """The finding is of winsorised times, and says so; the plain mean is shown as it is."""
    control, treatment = arm(3600), arm(400, seed=1)
    calm = of(compare(EXPERIMENT, two(control, treatment)), "predict_s")
    treatment.add_moments("predict_s", bin_of(86_400.0), Moments.of(86_400.0, 60.0))
    struck = of(compare(EXPERIMENT, two(control, treatment)), "predict_s")
    assert struck.difference == pytest.approx(calm.difference, abs=0.5)
    assert struck.treatment is not None
    assert struck.treatment > 200
    assert "largest thousandth is capped" in struck.sentence


def test_a_quantile_lies_between_the_ends_of_both_arms() -> None:
    """Each arm's interval at half of alpha, so that both hold together."""
    evidence = two(arm(8100), arm(900, seed=1, slower=1.2))
    ends = [
        Distribution.of(evidence.arms[name].bins["predict_s"]).interval(0.5, 0.025)
        for name in ("primary", "experimental")
    ]
    wider = Distribution.of(evidence.arms["experimental"].bins["predict_s"]).interval(0.5, 0.05)
    assert wider != ends[1]
    finding = of(compare(EXPERIMENT, evidence), "predict_s_p50")
    assert (finding.low, finding.high) == pytest.approx((ends[1].low - ends[0].high, ends[1].high - ends[0].low))


def test_values_are_plain_means_and_money_has_totals() -> None:
    """As anybody would compute them of the rows."""
    control, treatment = arm(900), arm(600, seed=1)
    finding = of(compare(EXPERIMENT, two(control, treatment)), "cost_usd")
    plain = sum(moments.y for moments in treatment.bins["cost_usd"].values())
    assert finding.treatment_total == pytest.approx(plain)
    assert finding.treatment == pytest.approx(plain / 600)


def test_a_mean_needs_three_hundred_values_of_each_arm() -> None:
    """Before that not even three times the time is called worse; after it, it is."""
    few = compare(EXPERIMENT, two(arm(2691), arm(299, seed=1, slower=3.0)))
    assert of(few, "predict_s").verdict is Verdict.TOO_FEW
    assert "it takes 300 values of each arm" in of(few, "predict_s").sentence
    assert of(few, "predict_s").would_change.startswith("More values: with about 1 more of experimental")
    assert few.alarms == ()
    enough = compare(EXPERIMENT, two(arm(2700), arm(300, seed=1, slower=3.0)))
    assert of(enough, "predict_s").verdict is Verdict.WORSE
    assert [alarm.metric for alarm in enough.alarms] == ["predict_s"]


def test_a_mean_of_rare_events_needs_twenty_of_them() -> None:
    """A cost that one job in a hundred has, in 300 jobs, is three events."""
    control, treatment = arm(2700, values=0), arm(300, values=0)
    for each, rare in ((control, 27), (treatment, 3)):
        each.add_moments("cost_usd", bin_of(0.0), Moments(each.jobs - rare, 0.0, 0.0, 60.0, 60.0, 0.0))
        each.add_moments("cost_usd", bin_of(1.0), Moments(rare, 1.0 * rare, 1.0 * rare, 60.0, 60.0, 60.0))
    finding = of(compare(EXPERIMENT, two(control, treatment)), "cost_usd")
    assert finding.verdict is Verdict.TOO_FEW
    assert "nearly all are zero" in finding.sentence


def test_alpha_is_split_over_guardrails_and_arms() -> None:
    """Two guardrails on two arms have a quarter each; a metric has all of its own."""
    assert guardrail_alpha(EXPERIMENT) == pytest.approx(0.025)
    assert guardrail_alpha(THREE) == pytest.approx(0.0125)
    alarms = guardrail_alarms(EXPERIMENT, rates(120, 270))
    assert [alarm.alpha for alarm in alarms] == [pytest.approx(0.025)]


def test_an_alarm_waits_for_the_evidence_beyond_the_margin() -> None:
    """Just at 1 / alpha of the one-sided evidence that the rate is more than half as high again."""
    share = null_share(0.1, 1.5)
    hits = next(k for k in range(30, 200) if log_e_one_sided(k, k + 270, share) >= math.log(2 / 0.05))
    (alarm,) = compare(EXPERIMENT, rates(hits, 270)).alarms
    assert alarm.e_value == pytest.approx(e_value(log_e_one_sided(hits, hits + 270, share)))
    assert "more than 50 % worse, which the guardrail does not allow" in alarm.sentence
    before = compare(EXPERIMENT, rates(hits - 1, 270))
    assert before.alarms == ()
    assert of(before, "error_rate").verdict is Verdict.WORSE


def test_worse_within_the_margin_is_told_and_tolerated() -> None:
    """A guardrail with room lets a small harm pass, of a mean too."""
    found = compare(EXPERIMENT, two(arm(90_000, 2700, values=9000), arm(10_000, 400, seed=1, values=1000, slower=1.15)))
    assert of(found, "error_rate").verdict is Verdict.WORSE
    assert of(found, "predict_s").verdict is Verdict.WORSE
    assert found.alarms == ()


def test_alarms_alone_are_the_same() -> None:
    """Workers ask for nothing else."""
    evidence = two(arm(2700, 80), arm(300, 60, seed=1, slower=3.0))
    assert guardrail_alarms(EXPERIMENT, evidence) == compare(EXPERIMENT, evidence).alarms
    assert len(compare(EXPERIMENT, evidence).alarms) == 2


def test_higher_is_better_guards_the_other_way() -> None:
    """A confidence that sank by a fifth, and successes that became failures."""
    guarded = Experiment(
        name="guarded",
        guardrails=(Guardrail(metric="confidence", margin=0.05), Guardrail(metric="success_rate", margin=0.5)),
    )
    control, treatment = arm(2700, 81), arm(300, 60, values=0)
    random = np.random.default_rng(5)
    for value in random.beta(6, 4, 300).tolist():
        treatment.add_moments("confidence", bin_of(value), Moments.of(value, 60.0))
    assert {alarm.metric for alarm in compare(guarded, two(control, treatment)).alarms} == {
        "confidence",
        "success_rate",
    }
    assert compare(guarded, two(arm(2700, 81), arm(300, 9, seed=1))).alarms == ()


def test_notes_name_what_a_reader_must_know() -> None:
    """Shared machines, scales of confidence, cold jobs, strangers, and how many comparisons there are."""
    evidence = two(arm(900, cold=1), arm(100, seed=1))
    evidence.arms["other"] = ArmEvidence(3)
    notes = " ".join(compare(EXPERIMENT, evidence).notes)
    for part in (
        "share queues and machines",
        "not on one scale",
        "1 job (1 in primary) ran right after",
        "other",
        "10 comp",
    ):
        assert part in notes
    assert compare(EXPERIMENT.model_copy(update={"metrics": ("error_rate",)}), two(arm(900), arm(100))).notes == ()


counts = st.tuples(st.integers(0, 200), st.integers(0, 200), st.integers(200, 400), st.integers(200, 400))


def figures(comparison: Comparison) -> list[float]:
    """All that a comparison found, in numbers."""
    flat = [each for finding in comparison.findings for each in astuple(finding)]
    return [each for each in flat if isinstance(each, int | float)]


@settings(deadline=None, max_examples=30)
@given(st.lists(counts, min_size=2, max_size=4))
def test_parts_and_their_sum_are_found_alike(parts: list[tuple[int, int, int, int]]) -> None:
    """Counters of several workers, added in any order, say what one would have said."""
    made = [
        two(arm(n, min(k, n), seed=i, values=40), arm(m, min(j, m), seed=9 + i, values=40))
        for i, (k, j, n, m) in enumerate(parts)
    ]
    there, back = made[0], made[-1]
    for each in made[1:]:
        there = there.plus(each)
    for each in reversed(made[:-1]):
        back = back.plus(each)
    one, other = compare(EXPERIMENT, there), compare(EXPERIMENT, back)
    assert figures(one) == pytest.approx(figures(other), rel=1e-6, abs=1e-9)
    assert [each.verdict for each in one.findings] == [each.verdict for each in other.findings]


@settings(deadline=None, max_examples=30)
@given(counts)
def test_swapping_arms_turns_verdicts_round(parts: tuple[int, int, int, int]) -> None:
    """At half and half, whichever arm is called the control."""
    half = Experiment(
        name="half", arms=(Arm(name="primary", share=0.5), Arm(name="experimental", share=0.5)), guardrails=GUARDRAILS
    )
    k, j, n, m = parts
    one, other = arm(n, min(k, n), seed=1, values=350), arm(m, min(j, m), seed=2, values=400, slower=1.3)
    turned = {Verdict.BETTER: Verdict.WORSE, Verdict.WORSE: Verdict.BETTER}
    for there, back in zip(
        compare(half, two(one, other)).findings, compare(half, two(other, one)).findings, strict=True
    ):
        assert there.verdict is turned.get(back.verdict, back.verdict)
        if there.low is not None and there.high is not None:
            assert (back.low, back.high) == pytest.approx((-there.high, -there.low), abs=1e-6)


@given(st.integers(0, 100), st.integers(1, 300))
def test_more_failures_of_the_treatment_never_speak_for_it(hits: int, others: int) -> None:
    """An alarm that is on stays on when the arm fails once more."""
    before, after = (guardrail_alarms(EXPERIMENT, rates(k, others)) for k in (hits, hits + 1))
    assert len(before) <= len(after)
