"""Figures and differences as a person would say them."""

import math
from typing import Final

from ab_testing.finding import Verdict
from ab_testing.metrics import Better, Kind, Metric

JOBS_MOST: Final = 100_000_000
"""More jobs than this are never waited for."""
BIG: Final = 10.0
HUGE: Final = 1e15
"""From here on digits are not written out."""


def value_words(metric: Metric, value: float | None) -> str:
    """A value of a metric: ``4.1 %``, ``1.83 s``."""
    if value is None or not math.isfinite(value):
        return "no data"
    if metric.kind is Kind.RATE:
        return f"{percent(value)} %"
    return f"{_plain(value)} {metric.unit}".rstrip()


def difference_words(metric: Metric, low: float | None, high: float | None) -> str:
    """An interval of differences: ``between -0.5 and +2.9 points``."""
    scale, unit = (100.0, "points") if metric.kind is Kind.RATE else (1.0, metric.unit)
    if low is None and high is None:
        return "unknown"
    if low is None:
        return f"at most {_signed(scale * (high or 0.0))} {unit}".rstrip()
    if high is None:
        return f"at least {_signed(scale * low)} {unit}".rstrip()
    return f"between {_signed(scale * low)} and {_signed(scale * high)} {unit}".rstrip()


def percent(share: float) -> str:
    """A share in hundredths: one decimal from 1 on, two digits below; never 0.0 or 100.0 for what is neither."""
    hundredths = 100 * share
    if hundredths != 0 and min(abs(hundredths), abs(100 - hundredths)) < 1:
        near = min(abs(hundredths), abs(100 - hundredths))
        decimals = 0 if near == 0 else min(6, 1 - math.floor(math.log10(near)))
        return f"{hundredths:.{decimals}f}"
    return f"{hundredths:.1f}" if hundredths else "0"


def chosen_percent(share: float) -> str:
    """A share that somebody chose, in hundredths: ``90``, ``12.5``."""
    return f"{100 * share:.6g}"


def about(count: float) -> str:
    """A number of jobs with two digits: ``about 3,200``."""
    if count < BIG:
        return f"about {max(1, math.ceil(count))}"
    unit = 10 ** (math.floor(math.log10(count)) - 1)
    return f"about {math.ceil(count / unit) * unit:,}"


def jobs_words(count: int) -> str:
    """``1 job``, ``12,000 jobs``."""
    return f"{count:,} job" if count == 1 else f"{count:,} jobs"


def evidence_words(e_value: float) -> str:
    """An e-value: ``23``, ``more than a million``."""
    if e_value > 1e6:  # noqa: PLR2004  # past that nobody cares by how much
        return "more than a million"
    return f"{e_value:,.0f}" if e_value >= BIG else f"{e_value:.2g}"


def direction(metric: Metric, difference: float) -> Verdict:
    """Whether a difference that is told from zero is good or bad."""
    return Verdict.BETTER if (difference < 0) is (metric.better is Better.LOWER) else Verdict.WORSE


def sentence(
    metric: Metric,
    names: tuple[str, str],
    values: tuple[float | None, float | None],
    verdict: Verdict,
    because: str = "",
) -> str:
    """``Jobs whose tries all failed: 4.1 % (experimental) against 3.0 % (primary); too early to tell apart: ...``.

    Args:
        metric: what is compared.
        names: of control and treatment.
        values: the same.
        verdict: what may be said.
        because: the rest, as the interval; none where the verdict is withheld.
    """
    say = {
        Verdict.WITHHELD: "withheld",
        Verdict.BETTER: "better",
        Verdict.WORSE: "worse",
        Verdict.OPEN: "too early to tell apart",
        Verdict.TOO_FEW: "too few to compare",
    }[verdict]
    title = metric.title[0].upper() + metric.title[1:]
    first = (
        f"{title}: {value_words(metric, values[1])} ({names[1]}) against {value_words(metric, values[0])} ({names[0]})"
    )
    return f"{first}; {say}: {because}." if because else f"{first}; {say}."


def more_jobs(arm: str, jobs: float | None) -> str:
    """How many more jobs of an arm there must be for a verdict."""
    if jobs is None or jobs > JOBS_MOST:
        return (
            f"So small a difference would not show in {JOBS_MOST:,} more jobs of {arm}; nothing but a larger one would."
        )
    return f"More jobs of both arms: {about(jobs)} more of {arm} would do, if the difference stays as it is."


def fewer_differences(arm: str, jobs: float | None) -> str:
    """How many jobs without any difference would take a verdict back."""
    if jobs is None or jobs > JOBS_MOST:
        return f"Not even {JOBS_MOST:,} more jobs of {arm} without any difference would make it open again."
    many = about(jobs)
    return f"It would be open again after {many} more jobs of {arm} without any difference."


def _plain(value: float) -> str:
    if not abs(value) < HUGE:
        return f"{value:.2e}"
    if value and abs(value) < 1e-4:  # noqa: PLR2004  # below, zeros are hard to count
        return f"{value:.2e}"
    digits = 3 if abs(value) < 1000 else max(3, math.floor(math.log10(abs(value))) + 1)  # noqa: PLR2004
    return f"{float(f'{value:.{digits}g}'):,.10g}"


def _signed(value: float) -> str:
    text = _plain(abs(value)) if not abs(value) < HUGE else _plain(abs(float(f"{value:.3g}")))
    return "0" if value == 0 else f"{'-' if value < 0 else '+'}{text}"
