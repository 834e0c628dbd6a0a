"""Plans of experiments: the fixed part against statsmodels, the rest against the statistics that it is about."""

import io
import json
import math
import re

import numpy as np
import pytest
from statsmodels.stats.power import NormalIndPower, normal_power_het

from ab_testing.experiment import Arm, Experiment, RampStep
from ab_testing.metrics import METRICS
from ab_testing.plan_change import HALF_HALF, NINETY_TEN, Change, Split, change_of, fixed_total, smallest_fixed_change
from ab_testing.plan_looks import GROWTH, fewest_hits, jobs_at, looks, smallest_change, stops
from ab_testing.plan_traffic import Traffic, traffic_of
from ab_testing.planning import make_plan
from ab_testing.statistics.e_process import log_e_two_sided
from earmark.errors import ConfigurationError
from runtime.ab.plan import show_plan

ERRORS, SUCCESS, TIME = METRICS["error_rate"], METRICS["success_rate"], METRICS["predict_s"]


def errors(to: float, baseline: float = 0.03) -> Change:
    """Errors that change from 3 %."""
    return change_of(ERRORS, baseline, to, None)


def times(by: float) -> Change:
    """A time of 1 s that changes; single ones scatter by 1 s."""
    return change_of(TIME, 1.0, 1.0 + by, 1.0)


@pytest.mark.parametrize(
    ("to", "ninety_ten", "half_half"),
    [(0.04, 32_700, 10_600), (0.05, 10_000, 3_000), (0.06, 5_200, 1_500), (0.08, 2_400, 600)],
)
def test_totals_of_the_reference_come_out(to: float, ninety_ten: float, half_half: float) -> None:
    """The published table of totals at 80 % power, to its rounding of hundreds."""
    assert fixed_total(errors(to), NINETY_TEN, power=0.8, alpha=0.05) == pytest.approx(ninety_ten, abs=51)
    assert fixed_total(errors(to), HALF_HALF, power=0.8, alpha=0.05) == pytest.approx(half_half, abs=51)


@pytest.mark.parametrize("split", [NINETY_TEN, HALF_HALF, Split(0.3, 0.7)])
@pytest.mark.parametrize("power", [0.5, 0.8, 0.95])
def test_statsmodels_finds_the_power_that_was_planned(split: Split, power: float) -> None:
    """Two rates with variances of their own, and two means of one."""
    change = errors(0.05)
    jobs = fixed_total(change, split, power=power, alpha=0.05)
    deviation = math.sqrt(change.variance_per_job(split))
    found = normal_power_het(0.02, jobs, 0.05, std_null=deviation, std_alternative=deviation)
    assert found == pytest.approx(power, abs=0.003)
    means = fixed_total(times(0.1), split, power=power, alpha=0.05)
    oracle = NormalIndPower().solve_power(
        0.1, power=power, alpha=0.05, ratio=split.treatment / split.control, nobs1=None
    )
    assert means * split.control == pytest.approx(oracle, rel=0.005)


@pytest.mark.parametrize("change", [errors(0.05), errors(0.01), times(0.2), times(-0.2)])
def test_the_smallest_fixed_change_undoes_the_total(change: Change) -> None:
    """What so many jobs show is what so many jobs were planned for."""
    jobs = fixed_total(change, NINETY_TEN, power=0.8, alpha=0.05)
    found = smallest_fixed_change(change, NINETY_TEN, jobs, power=0.8, alpha=0.05)
    assert found == pytest.approx(change.changed, rel=1e-6)


def test_too_few_jobs_show_no_change_at_all() -> None:
    """Neither with one look nor with many."""
    assert smallest_fixed_change(errors(0.05), NINETY_TEN, 2, power=0.8, alpha=0.05) is None
    assert smallest_change(errors(0.05), NINETY_TEN, 2, power=0.8, alpha=0.05) is None
    assert smallest_change(times(0.1), NINETY_TEN, 2999, power=0.8, alpha=0.05) is None


def test_the_fewest_hits_are_where_the_evidence_is_enough() -> None:
    """One fewer is not enough, at every look."""
    bounds = fewest_hits(0.1, 0.05, GROWTH)
    for events, bound in list(zip(looks(GROWTH).tolist(), bounds.tolist(), strict=True))[:400:7]:
        if bound <= events:
            assert log_e_two_sided(bound, events, 0.1) >= math.log(20)
        if bound - 1 >= 0.1 * events:
            assert log_e_two_sided(bound - 1, events, 0.1) < math.log(20)


def test_looking_all_the_time_costs_what_was_measured() -> None:
    """Median jobs at 90/10 until the e-process speaks: 7258, 3766, 1815 and 566 by simulations made elsewhere."""
    for to, reference in ((0.05, 7258), (0.06, 3766), (0.08, 1815), (0.15, 566)):
        found = jobs_at(stops(errors(to), NINETY_TEN, alpha=0.05, power=0.8), 0.5)
        assert found == pytest.approx(reference, rel=0.15)


def test_simulated_jobs_stop_when_the_statistics_speak() -> None:
    """Jobs drawn one by one, judged by the e-process itself at every event, stop when the plan says."""
    random = np.random.default_rng(3)
    stopped = []
    for _ in range(120):
        treated = random.random(9000) < 0.5
        failed = random.random(9000) < np.where(treated, 0.08, 0.03)
        hits = np.cumsum(treated[failed])
        places = np.flatnonzero(failed)
        spoke = (
            place
            for events, (hit, place) in enumerate(zip(hits.tolist(), places.tolist(), strict=True), start=1)
            if log_e_two_sided(hit, events, 0.5) >= math.log(20)
        )
        stopped.append(next(spoke, math.inf))
    planned = jobs_at(stops(errors(0.08), HALF_HALF, alpha=0.05, power=0.8), 0.5)
    assert float(np.median(stopped)) == pytest.approx(planned, rel=0.2)


def test_no_change_is_rarely_seen() -> None:
    """Means that are alike stop in no more than alpha of the experiments, however long they run."""
    alike = Change(times(0.1).kind, 1.0, 1.0 + 1e-4, 1.0)
    early = stops(alike, NINETY_TEN, alpha=0.05, power=0.8, repetitions=400, growth=1.05)
    assert np.mean(early < 1e6) <= 0.05


def test_rates_that_should_be_high_are_counted_inside_out() -> None:
    """Success that falls from 97 to 95 % shows as soon as errors that rise from 3 to 5 %."""
    mirrored = stops(change_of(SUCCESS, 0.97, 0.95, None), NINETY_TEN, alpha=0.05, power=0.8)
    assert np.allclose(mirrored, stops(errors(0.05), NINETY_TEN, alpha=0.05, power=0.8))


@pytest.mark.parametrize("change", [errors(0.05), errors(0.015), times(0.15)])
def test_what_a_run_shows_is_what_takes_that_long(change: Change) -> None:
    """Planning back and forth gives the same, but for coarser looks."""
    jobs = jobs_at(stops(change, HALF_HALF, alpha=0.05, power=0.8), 0.8)
    assert jobs is not None
    found = smallest_change(change, HALF_HALF, jobs, power=0.8, alpha=0.05)
    assert found is not None
    assert found - change.baseline == pytest.approx(change.difference, rel=0.12)


def test_days_follow_the_ramp() -> None:
    """1 % for a day, then 10 %: 20,000 jobs a day are 200 on the first day and 2,000 on each later one."""
    ramp = traffic_of(Experiment(name="a", ramp=(RampStep(after_h=0, coverage=0.01), RampStep(after_h=24, coverage=0.1))), 20_000)  # noqa: E501  # fmt: skip
    assert [ramp.days(jobs) for jobs in (100, 200, 1200, 4200)] == pytest.approx([0.5, 1.0, 1.5, 3.0])
    assert [ramp.jobs(days) for days in (0.5, 1.0, 3.0)] == pytest.approx([100, 200, 4200])
    assert Traffic(1000, ((0.0, 0.5),)).days(1000) == pytest.approx(2.0)
    assert Traffic(1000, ((48.0, 1.0),)).days(500) == pytest.approx(2.5)
    assert Traffic(1000, ((0.0, 0.0),)).days(1) is None


def test_a_plan_tells_the_experiments_own_split_first() -> None:
    """By its smallest treatment; a split is told once."""
    three = Experiment(name="a", arms=(Arm(name="x", share=0.6), Arm(name="y", share=0.3), Arm(name="z", share=0.1)))
    plan = make_plan("error_rate", 0.03, 0.05, experiment=three)
    assert [(each.split.words, each.own) for each in plan.splits] == [
        ("60/10", True),
        ("90/10", False),
        ("50/50", False),
    ]
    assert any("smallest" in note for note in plan.notes)
    plan = make_plan("error_rate", 0.03, 0.05, experiment=Experiment(name="a"))
    assert [(each.split.words, each.own) for each in plan.splits] == [("90/10", True), ("50/50", False)]
    assert plan.alpha == 0.05


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("errors", 0.03, 0.05), "There is no metric 'errors'"),
        (("error_rate", 0.03, 0.03), "no change"),
        (("error_rate", 0.0, 0.03), "no shares"),
        (("error_rate", 0.03, 3.0), "no shares"),
        (("error_rate", math.nan, 0.03), "plain numbers"),
        (("predict_s_p95", 1.0, 2.0), "quantile"),
        (("predict_s", 0.0, 1.0), "standard deviation above 0"),
    ],
)
def test_what_cannot_be_planned_is_refused(arguments: tuple[str, float, float], words: str) -> None:
    """With the reason and what to do."""
    with pytest.raises(ConfigurationError, match=words):
        make_plan(*arguments)


@pytest.mark.parametrize("odd", [{"power": 1.0}, {"alpha": 0.0}, {"per_day": 0.0}, {"per_day": math.inf}])
def test_numbers_that_plan_nothing_are_refused(odd: dict[str, float]) -> None:
    """A power of 1 takes for ever, and no jobs a day never end."""
    with pytest.raises(ConfigurationError):
        make_plan("error_rate", 0.03, 0.05, **odd)  # type: ignore[arg-type]


def printed(as_json: bool, **fields: float | None) -> str:  # noqa: FBT001  # as the command has it
    """What the command prints."""
    stream = io.StringIO()
    experiment = Experiment(name="qwen-or-listener", coverage=0.5)
    given = {"baseline": 0.03, "change": 0.05, "per_day": 20_000.0, "alpha": None, "deviation": None, **fields}
    metric = "error_rate" if given["deviation"] is None else "predict_s"
    status = show_plan(
        experiment,
        metric,
        given["baseline"] or 0.0,
        given["change"] or 0.0,
        given["per_day"],
        0.8,
        given["alpha"],
        given["deviation"],
        as_json,
        stream,
    )
    assert status == 0
    return stream.getvalue()


def test_the_table_tells_jobs_and_days_and_fits() -> None:
    """For a pipe it is 100 columns wide."""
    text = printed(as_json=False)
    for words in ("from 3 % to 5 %", "+2 points or +66.7 %", "9,955", "3,007", "90/10, as it is", "in 28 days", "24 h"):
        assert words in text
    assert max(map(len, text.splitlines())) <= 100
    assert "000000" not in text


def test_changes_that_nobody_would_plan_for_are_marked() -> None:
    """200 jobs a day show nothing but a collapse: the plan says so, and not by how many points."""
    text = printed(as_json=False, per_day=200.0)
    assert "> 15 points" in text
    assert "only larger changes than any that is likely would be seen" in " ".join(text.split())
    assert max(map(len, text.splitlines())) <= 100
    shown = [float(each) for each in re.findall(r"\+([\d.]+) points", text)]
    assert max(shown) <= 15
    assert "> " not in printed(as_json=False, per_day=2_000_000.0)


def test_json_has_every_number() -> None:
    """Under the names that the documentation tells."""
    plan = json.loads(printed(as_json=True))
    assert plan["difference"] == 0.02
    assert plan["experiment"] == {"name": "qwen-or-listener", "version": 1}
    assert [each["split"] for each in plan["splits"]] == ["90/10", "50/50"]
    first = plan["splits"][0]
    assert first["one_look"]["jobs"] == 9955
    assert first["one_look"]["days"] == pytest.approx(9955 / 10_000)
    assert first["every_look"]["half"]["jobs"] < first["every_look"]["power"]["jobs"]
    assert [each["days"] for each in first["smallest"]] == [1, 7, 14, 28]


def test_without_traffic_no_days_are_told() -> None:
    """Nor what a run of some length would show."""
    assert "days" not in printed(as_json=False, per_day=None).replace("a day", "")
    plan = json.loads(printed(as_json=True, per_day=None))
    assert plan["splits"][0]["one_look"]["days"] is None
    assert plan["splits"][0]["smallest"] == []


def test_what_is_never_seen_is_a_dash() -> None:
    """So small a change is beyond the simulation; the plan says so."""
    text = printed(as_json=False, change=0.030001, per_day=None)
    assert "not worth waiting for" in text
    assert json.loads(printed(as_json=True, change=0.030001, per_day=None))["splits"][0]["every_look"]["power"] is None
