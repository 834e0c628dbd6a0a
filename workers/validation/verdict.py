"""Verdicts: of a figure, of a check, and of the model: GO or NO-GO."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from workers.validation.figures import FIGURES, Check, Doubt, Fault, Finding, Measurement, Rule
from workers.validation.targets import Target, Targets

IN_FULL = 1000
"""Figures from here on are shown without decimals."""


class Status(StrEnum):
    """What came of a check or a figure."""

    PASS = "pass"  # noqa: S105  # no password
    FAIL = "fail"
    UNDECIDED = "not decided"
    SKIPPED = "skipped"


@dataclass(frozen=True, slots=True)
class Judged:
    """A figure, its target, and what that comes to."""

    measurement: Measurement
    target: Target | None
    status: Status | None
    """None = nothing is asked of it."""


@dataclass(frozen=True, slots=True)
class CheckResult:
    """What came of one check."""

    check: Check
    status: Status
    reason: str = ""
    """Why it is not a pass."""
    judged: tuple[Judged, ...] = ()
    seconds: float = 0.0


@dataclass(frozen=True, slots=True)
class Verdict:
    """Whether the model may go live, and why in one line."""

    go: bool
    why: str
    complete: bool = True

    def __str__(self) -> str:
        """``GO``, ``NO-GO`` or ``NO-GO (incomplete)``."""
        return "GO" if self.go else "NO-GO" if self.complete else "NO-GO (incomplete)"


def judge_figure(measurement: Measurement, target: Target | None) -> Judged:
    """Hold a figure against its target; one that is not a number keeps no limit."""
    if target is None or not target.judged:
        return Judged(measurement, target, None)
    figure = FIGURES[measurement.name]
    if target.met(figure, measurement.value):
        return Judged(measurement, target, Status.PASS)
    if figure.rule is Rule.NEEDED:
        return Judged(measurement, target, Status.UNDECIDED)
    best = measurement.high if figure.more_is_better else measurement.low
    if figure.rule is Rule.SURELY and best is not None and target.met(figure, best):
        return Judged(measurement, target, Status.UNDECIDED)
    return Judged(measurement, target, Status.FAIL)


def judge_check(check: Check, findings: Sequence[Finding], targets: Targets, seconds: float = 0.0) -> CheckResult:
    """What a check comes to: faults fail it, what it needs and lacks leaves it undecided, then its figures decide."""
    judged = tuple(
        judge_figure(finding, targets.get(finding.name)) for finding in findings if isinstance(finding, Measurement)
    )
    faults = [finding.reason for finding in findings if isinstance(finding, Fault)]
    doubts = [finding.reason for finding in findings if isinstance(finding, Doubt)]
    short = [_words(each) for each in judged if each.status is Status.UNDECIDED and _rule(each) is Rule.NEEDED]
    unsure = [_words(each) for each in judged if each.status is Status.UNDECIDED and _rule(each) is not Rule.NEEDED]
    failing = [_words(each) for each in judged if each.status is Status.FAIL]
    status, reasons = Status.PASS, list[str]()
    if faults:
        status, reasons = Status.FAIL, faults + failing
    elif doubts or short:
        status, reasons = Status.UNDECIDED, doubts + short
    elif failing:
        status, reasons = Status.FAIL, failing
    elif unsure:
        status, reasons = Status.UNDECIDED, unsure
    elif not any(each.status is Status.PASS for each in judged):
        status, reasons = Status.UNDECIDED, ["no target judges what was measured"]
    return CheckResult(check, status, "; ".join(reasons), judged, seconds)


def verdict(results: Sequence[CheckResult], *, interrupted: bool = False) -> Verdict:
    """GO when nothing fails, everything was run to the end, and something beyond loading passes."""
    failing = [result for result in results if result.status is Status.FAIL]
    passing = [result for result in results if result.status is Status.PASS and result.check is not Check.LOAD]
    told = "; ".join(f"{result.check} fails: {result.reason}" for result in failing)
    if interrupted:
        why = f"It was interrupted, and a part is no proof{f'; {told}' if told else ''}"
        return Verdict(go=False, why=why, complete=False)
    if failing:
        return Verdict(go=False, why=told)
    asked = [result for result in results if result.status is not Status.SKIPPED]
    if not passing and any(result.check is not Check.LOAD for result in asked):
        return Verdict(go=False, why=f"Nothing beyond loading was decided{_left(results)}")
    passed = [result for result in results if result.status is Status.PASS]
    if not passed:
        return Verdict(go=False, why=f"Nothing was decided{_left(results)}")
    return Verdict(go=True, why=f"{', '.join(result.check for result in passed)} pass{_left(results)}")


def _left(results: Sequence[CheckResult]) -> str:
    """What did not come to a pass or a fail."""
    return "".join(
        f"; {status}: {', '.join(names)}"
        for status in (Status.UNDECIDED, Status.SKIPPED)
        if (names := [str(result.check) for result in results if result.status is status])
    )


def _rule(judged: Judged) -> Rule:
    return FIGURES[judged.measurement.name].rule


def _words(judged: Judged) -> str:
    measurement, target = judged.measurement, judged.target
    assert target is not None  # noqa: S101  # only what has a target is judged
    wanted = target.words(FIGURES[measurement.name])
    detail = f" ({measurement.detail})" if measurement.detail else ""
    return f"{measurement.name} is {shown(measurement.value)}, wanted {wanted}{detail}"


def shown(value: float) -> str:
    """A figure with four significant digits, large ones in full."""
    return f"{value:.0f}" if abs(value) >= IN_FULL else f"{value:.4g}"
