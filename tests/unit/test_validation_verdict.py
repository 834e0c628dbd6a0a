"""Verdicts over figures that were made up."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as some

from workers.validation.figures import FIGURES, Check, Doubt, Fault, Finding, Measurement, Rule
from workers.validation.targets import Target
from workers.validation.verdict import CheckResult, Status, judge_check, judge_figure, verdict

TARGETS = {
    "ece": Target(limit=0.05),
    "auroc": Target(limit=0.75),
    "labels": Target(limit=1000),
    "memory_growth": Target(limit=2.0),
    "load_s": Target(limit=10.0),
    "answer_30s": Target(limit=1.0, judged=False),
}


def calibrated(labels: float, ece: float, auroc: float) -> CheckResult:
    """What calibration comes to."""
    found = [Measurement("labels", labels), Measurement("ece", ece), Measurement("auroc", auroc)]
    return judge_check(Check.CALIBRATION, found, TARGETS)


@pytest.mark.parametrize(
    ("labels", "ece", "auroc", "status"),
    [
        (1000, 0.05, 0.75, Status.PASS),
        (1000, 0.0501, 0.9, Status.FAIL),
        (5000, 0.01, 0.74, Status.FAIL),
        (999, 0.01, 0.9, Status.UNDECIDED),
        (999, 0.40, 0.5, Status.UNDECIDED),
    ],
)
def test_calibration_is_decided_from_enough_labels_on(labels: int, ece: float, auroc: float, status: Status) -> None:
    """On the limit is within it; too few labels decide nothing, good or bad."""
    found = calibrated(labels, ece, auroc)
    assert found.status is status
    assert bool(found.reason) is (status is not Status.PASS)


@pytest.mark.parametrize(
    ("value", "low", "status"),
    [
        (1.9, 0.0, Status.PASS),
        (2.1, 1.9, Status.UNDECIDED),
        (2.1, 2.05, Status.FAIL),
        (math.nan, math.nan, Status.FAIL),
    ],
)
def test_growth_fails_when_its_whole_interval_is_beyond(value: float, low: float, status: Status) -> None:
    """Few noisy calls decide nothing; what is no number keeps no limit."""
    measured = Measurement("memory_growth", value, low=low, high=9.0)
    assert judge_figure(measured, TARGETS["memory_growth"]).status is status


def test_what_has_no_target_or_one_that_is_not_judged_decides_nothing() -> None:
    """It is shown, and a check with nothing else is not decided."""
    assert judge_figure(Measurement("brier", 0.9), None).status is None
    found = judge_check(Check.REAL_TIME, [Measurement("answer_30s", 99.0)], TARGETS)
    assert found.status is Status.UNDECIDED
    assert found.judged[0].target is not None


def test_a_fault_fails_and_keeps_what_was_measured() -> None:
    """Whatever the figures are; both reasons are told."""
    found = judge_check(Check.LOAD, [Measurement("load_s", 99.0), Fault("it crashed")], TARGETS)
    assert found.status is Status.FAIL
    assert "it crashed" in found.reason
    assert "load_s is 99, wanted at most 10 s" in found.reason
    assert found.judged[0].measurement.value == 99.0


def test_a_doubt_leaves_the_check_undecided() -> None:
    """Good figures and bad ones alike."""
    for ece in (0.01, 0.9):
        found: list[Finding] = [Measurement("labels", 2000), Measurement("ece", ece), Doubt("the same labels")]
        assert judge_check(Check.CALIBRATION, found, TARGETS).status is Status.UNDECIDED


def results(**by_check: Status) -> list[CheckResult]:
    """Results by the checks' names."""
    return [CheckResult(Check[name.upper()], status, "because") for name, status in by_check.items()]


def test_go_and_no_go() -> None:
    """One failure is enough for NO-GO; what is skipped or not decided is told; loading alone proves nothing more."""
    go = verdict(results(load=Status.PASS, batch=Status.PASS, calibration=Status.UNDECIDED, memory=Status.SKIPPED))
    assert str(go) == "GO"
    assert "not decided: calibration" in go.why
    assert "skipped: memory" in go.why
    no = verdict(results(load=Status.PASS, batch=Status.FAIL, memory=Status.PASS))
    assert str(no) == "NO-GO"
    assert "batch fails: because" in no.why
    assert not verdict(results(load=Status.PASS, calibration=Status.UNDECIDED, memory=Status.SKIPPED)).go
    assert verdict(results(load=Status.PASS, memory=Status.SKIPPED)).go
    assert not verdict(results(load=Status.UNDECIDED)).go
    assert not verdict([]).go


def test_a_part_is_never_go() -> None:
    """Interrupted, everything passed until then, it is NO-GO and says so."""
    cut = verdict(results(load=Status.PASS, batch=Status.PASS), interrupted=True)
    assert not cut.go
    assert str(cut) == "NO-GO (incomplete)"
    assert "batch fails" in verdict(results(load=Status.PASS, batch=Status.FAIL), interrupted=True).why


@given(some.lists(some.sampled_from(list(Status)), min_size=8, max_size=8), some.booleans())
def test_go_means_that_nothing_fails_and_something_passes(statuses: list[Status], interrupted: bool) -> None:  # noqa: FBT001
    """For any results; why is one line."""
    found = [CheckResult(check, status, "x") for check, status in zip(Check, statuses, strict=True)]
    given_verdict = verdict(found, interrupted=interrupted)
    if given_verdict.go:
        assert Status.FAIL not in statuses
        assert Status.PASS in statuses
        assert not interrupted
    if Status.FAIL not in statuses and Status.PASS in statuses[1:] and not interrupted:
        assert given_verdict.go
    assert given_verdict.why
    assert "\n" not in given_verdict.why


@given(some.sampled_from(sorted(FIGURES)), some.floats(0, 1), some.floats(allow_nan=True, allow_infinity=True))
def test_a_figure_passes_exactly_on_the_right_side_of_its_limit(name: str, limit: float, value: float) -> None:
    """At most or at least, by what is better; never when it is not a number."""
    status = judge_figure(Measurement(name, value), Target(limit=limit)).status
    kept = value >= limit if FIGURES[name].more_is_better else value <= limit
    assert (status is Status.PASS) is kept
    assert (status is Status.UNDECIDED) is (not kept and FIGURES[name].rule is Rule.NEEDED)
