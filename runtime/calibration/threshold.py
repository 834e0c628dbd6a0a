"""What ``earmark threshold`` does: find the threshold for a wanted error rate or budget, and show what each costs."""

import json
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from earmark.errors import ConfigurationError
from earmark.named_file import printable, write_whole
from earmark.settings import Settings
from runtime import exit_status
from runtime.analyzing.outputs import check_outputs
from runtime.calibration.calibrate import LabelSource, fitted
from runtime.calibration.cost_quality_chart import cost_quality_chart
from runtime.calibration.gathering import say
from runtime.svg import percent
from workers.calibration import ALL, Calibration, load
from workers.risk_coverage import RiskPoint, highest_for_share, lowest_for_error, safest

SHOWN: Final = (0.0, 0.3, 0.4, 0.5, 0.6, 0.7, 0.75, 0.8, 0.85, 0.9, 0.95)
"""Thresholds of the table."""


@dataclass(frozen=True, slots=True)
class Wish:
    """What is wanted: exactly one of error rate, share and dollars."""

    error_rate: float | None = None
    """Most wrong answers among those that are kept, 0 to 1."""
    surely: bool = False
    """With 97.5 % certainty, not on average."""
    budget_share: float | None = None
    """Most answers that go to the fallback, 0 to 1."""
    budget_usd: float | None = None
    """Most dollars for the fallback, over ``answers`` answers."""
    usd_per_answer: float | None = None
    answers: int | None = None
    """How many answers the dollars are for; None = as many as were labelled."""

    def check(self) -> None:
        """Refuse a wish that is none, several, or has no price; raises ``ConfigurationError``."""
        wishes = [self.error_rate, self.budget_share, self.budget_usd]
        if sum(wish is not None for wish in wishes) != 1:
            message = "Say what is wanted: --error-rate R, --budget-share S, or --budget-usd X with --usd-per-answer Y."
            raise ConfigurationError(message)
        if (self.budget_usd is None) != (self.usd_per_answer is None):
            message = "--budget-usd and --usd-per-answer go together: dollars to spend, and what asking once costs."
            raise ConfigurationError(message)


@dataclass(frozen=True, slots=True)
class Choice:
    """The threshold that was found, or why there is none."""

    point: RiskPoint | None
    why: str


def pick_threshold(
    settings: Settings,
    *,
    artefact: Path | None,
    source: LabelSource | None,
    wish: Wish,
    field: str,
    svg: Path | None,
    as_json: bool,
) -> int:
    """Print the threshold and the cost-quality curve; returns the exit status: 3 when the wish cannot be met.

    Raises:
        ConfigurationError: neither or both of artefact and labels were named, or they cannot be used.
        Unavailable: the model does not load.
    """
    wish.check()
    if (artefact is None) == (source is None):
        message = "Name --artefact FILE, which `earmark calibrate` wrote, or --labels FILE."
        raise ConfigurationError(message)
    check_outputs({"--svg": svg}, [artefact, source.file if source is not None else None])
    if artefact is not None:
        calibration = load(artefact)
    else:
        assert source is not None  # noqa: S101  # one of them is there
        gathered, calibration = fitted(settings, source)
        check_outputs({"--svg": svg}, gathered.heard)
    curve = _curve(calibration, field or ALL)
    choice = choose(curve, wish)
    if svg is not None:
        picture = cost_quality_chart(curve, choice.point, str(calibration.identity), wish.usd_per_answer)
        write_whole(svg, picture, "--svg")
    if as_json:
        sys.stdout.write(json.dumps(_content(calibration, field, curve, choice), indent=1) + "\n")
    else:
        lines = [printable(line) for line in _lines(calibration, field, curve, choice, wish)]
        sys.stdout.write("\n".join(lines) + "\n")
    return 0 if choice.point is not None else exit_status.SOME_NOT_DONE


def choose(curve: Sequence[RiskPoint], wish: Wish) -> Choice:
    """The threshold that fulfils a wish at the least cost, or at the best quality that the budget buys."""
    if wish.error_rate is not None:
        return _for_error(curve, wish.error_rate, surely=wish.surely)
    share, told = _share(curve, wish)
    point = highest_for_share(curve, share)
    assert point is not None  # noqa: S101  # the first point sends nothing
    sent = 1 - point.coverage.value
    return Choice(point, f"{told}; this sends {percent(sent)} of the answers, and {point.risk} of the kept are wrong")


def _for_error(curve: Sequence[RiskPoint], rate: float, *, surely: bool) -> Choice:
    wanted = f"at most {percent(rate)} wrong among the kept"
    point = lowest_for_error(curve, rate, surely=surely)
    if point is not None:
        return Choice(point, f"{wanted}: {point.risk}, and {percent(point.coverage.value)} of the answers are kept")
    best = safest(curve)
    if best is None:
        return Choice(None, f"{wanted} cannot be promised: too few answers were labelled")
    figure = (
        f"the upper end of the interval never falls below {percent(min(p.risk.high for p in curve))}"
        if surely
        else (f"the least is {best.risk} at {best.threshold:.2f}, which keeps {percent(best.coverage.value)}")
    )
    return Choice(None, f"{wanted} cannot be met: {figure}.  Send more to the fallback, or use a better model")


def _share(curve: Sequence[RiskPoint], wish: Wish) -> tuple[float, str]:
    """The share of answers that may be sent on, and the wish in words."""
    if wish.budget_share is not None:
        return wish.budget_share, f"at most {percent(wish.budget_share)} of the answers go to the fallback"
    assert wish.budget_usd is not None  # noqa: S101  # check() saw to it
    assert wish.usd_per_answer is not None  # noqa: S101
    answers = wish.answers or curve[0].kept
    affordable = wish.budget_usd / wish.usd_per_answer if wish.usd_per_answer else float(answers)
    return min(1.0, affordable / answers), (
        f"${wish.budget_usd:g} at ${wish.usd_per_answer:g} pay for {min(affordable, answers):.0f} of {answers} answers"
    )


def _curve(calibration: Calibration, field: str) -> tuple[RiskPoint, ...]:
    report = calibration.report.get(field)
    if report is None:
        reason = calibration.unfitted.get(field)
        what = f"The field {field} is uncalibrated ({reason})" if reason else f"There is no calibrated field {field!r}"
        message = f"{what}; there are {', '.join(calibration.report) or 'none, for want of labels'}."
        raise ConfigurationError(printable(message))
    return report.curve


def _lines(calibration: Calibration, field: str, curve: Sequence[RiskPoint], choice: Choice, wish: Wish) -> list[str]:
    price = wish.usd_per_answer
    answers = wish.answers or curve[0].kept
    shown = [point for point in curve if point.threshold in SHOWN]
    if choice.point is not None and choice.point not in shown:
        shown = sorted([*shown, choice.point], key=lambda point: point.threshold)
    lines = [
        f"{calibration.identity}, {field or 'all fields together'}: {curve[0].kept} held-out answers",
        "",
        "  threshold    kept   wrong among the kept (95 %)   answers sent   recordings sent"
        + ("      cost" if price else ""),
    ]
    for point in shown:
        sent = 1 - point.coverage.value
        mark = ">" if point is choice.point else " "
        cost = f"  {sent * answers * price:9.2f} $" if price else ""
        lines.append(
            f"{mark}      {point.threshold:.2f}  {point.coverage.value:6.1%}       {point.risk}"
            f"         {sent:6.1%}            {point.recordings_sent:6.1%}{cost}"
        )
    lines.append("")
    if choice.point is None:
        return [*lines, f"No threshold: {choice.why}."]
    return [
        *lines,
        f"Threshold {choice.point.threshold:.2f}: {choice.why}.",
        f"EARMARK_CONFIDENCE_THRESHOLD={choice.point.threshold:.2f} sets it.",
    ]


def _content(calibration: Calibration, field: str, curve: Sequence[RiskPoint], choice: Choice) -> dict[str, object]:
    if choice.point is None:
        say(f"No threshold: {choice.why}.")
    return {
        "calibration": calibration.id,
        "field": field or ALL,
        "threshold": None if choice.point is None else choice.point.threshold,
        "why": choice.why,
        "point": None if choice.point is None else choice.point.model_dump(mode="json"),
        "curve": [point.model_dump(mode="json") for point in curve],
    }
