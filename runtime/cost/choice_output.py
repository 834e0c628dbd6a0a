"""A comparison of machines with a provider as text or JSON."""

import json
import sys
from typing import Any, Final

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from runtime.cost.assumed import Figure
from runtime.cost.comparing import Beside, Choice
from runtime.cost.output import WIDTH

NOT_COUNTED: Final = (
    "what both pay alike: API and router, queue, storage, rows, traffic",
    "people, and the work of running machines",
    "tries that fail, and on spot machines what is begun again",
    "what a provider bills for answers that are mended or asked for twice",
    "commitments, rebates, free tiers and taxes",
    "how good the answers are: `earmark validate` and experiments say that",
)


def as_json(choice: Choice) -> dict[str, Any]:
    """All of it, numbers unrounded."""
    assumed, question, measured = choice.assumed, choice.question, choice.measured
    return {
        "provider": f"{choice.provider.name}/{choice.provider.model}",
        "prices_as_of": None if choice.provider.prices.as_of is None else str(choice.provider.prices.as_of),
        "assumed": {
            "audio_s_per_job": _figure(assumed.audio_s_per_job),
            "api_usd_per_job": _figure(assumed.api_usd_per_job),
            "fallback_share": _figure(assumed.fallback_share),
            "fallback_usd_per_job_asked": _figure(assumed.fallback_usd_per_job),
            "utilisation": question.utilisation,
            "least_machines": question.least,
            "whole_machines": question.whole,
            "spot": question.spot,
        },
        "measured": None
        if measured is None
        else {
            "answers": measured.answers,
            "jobs_per_day": measured.jobs_per_day,
            "heard": [
                {
                    "hardware": each.hardware or None,
                    "machine": each.machine,
                    "jobs": each.jobs,
                    "predict_s_per_audio_s": each.predict_s_per_audio_s,
                }
                for each in measured.heard
            ],
        },
        "machines": [_machine(each) for each in choice.machines],
        "around_usd_per_1000_jobs": None
        if choice.around is None
        else {
            "storage_month": dict(choice.around.storage_usd),
            "queue": choice.around.queue_usd,
            "rows_month": choice.around.rows_usd,
            "rows_read_once": choice.around.read_usd,
        },
        "api_jobs_per_day_at_most": choice.api_jobs_per_day,
        "warnings": list(choice.warnings),
        "not_counted": list(NOT_COUNTED),
    }


def unmeasured(choice: Choice, missing: str) -> str:
    """A line that there are no rows, where some were looked for; empty = there are, or all was given."""
    return f"Nothing was measured.  {missing}\n" if missing and choice.measured is not None else ""


def print_json(choice: Choice) -> None:
    """Print all of it."""
    sys.stdout.write(json.dumps(as_json(choice), indent=1) + "\n")


def print_text(choice: Choice) -> None:
    """Print a table for each machine, where it turns, and what that stands on."""
    console = Console(width=None if sys.stdout.isatty() else WIDTH, highlight=False)
    for each in choice.machines:
        _print_machine(console, each, choice)
    assumed, question = choice.assumed, choice.question
    console.print(Text("What this stands on"))
    _print_figure(console, "seconds of audio in a job", assumed.audio_s_per_job)
    for each in choice.machines:
        _print_figure(console, f"seconds of {each.machine} for one of audio", each.predict_s_per_audio_s)
        _print_figure(console, f"dollars an hour of {each.machine}", each.usd_per_hour)
    _print_figure(console, "share of jobs that go to the fallback", assumed.fallback_share)
    _print_figure(console, "dollars of the fallback for each of them", assumed.fallback_usd_per_job)
    _print_figure(console, "dollars of the provider for a job", assumed.api_usd_per_job)
    way = "run day and night, as many as are needed" if question.whole else "come and go with the queue"
    console.print(
        Text(
            f"  machines are at work {question.utilisation:.0%} of their time, {way}, never fewer than "
            f"{question.least}; a month has 30 days"
        )
    )
    if choice.api_jobs_per_day is not None:
        console.print(
            Text(f"  one process may ask {choice.provider.name} about {_many(choice.api_jobs_per_day)} jobs a day")
        )
    console.print(Text(f"Not counted: {'; '.join(NOT_COUNTED)}."))
    if choice.around is not None:
        kept = ", ".join(f"{_usd(usd)} {name}" for name, usd in choice.around.storage_usd.items())
        console.print(
            Text(
                f"Of that, for 1,000 jobs of yours: a month of their audio {kept}; the queue "
                f"{_usd(choice.around.queue_usd)}; a month of their rows {_usd(choice.around.rows_usd)}, and to read "
                f"them once {_usd(choice.around.read_usd)}."
            )
        )
    for warning in choice.warnings:
        console.print(Text(f"Note: {warning}"))


def told(each: Beside, provider: str) -> str:
    """Where it turns, in words."""
    comparison = each.comparison
    if each.turn is None:
        return (
            f"Never: a job costs {_usd(comparison.fleet.usd_per_job + comparison.fallback_usd_per_job)} on "
            f"{each.machine} however many there are, and {_usd(comparison.api_usd_per_job)} at {provider}."
        )
    if each.turn.first <= 0:
        return f"At any volume {each.machine} costs less than {provider}."
    first = f"From {_many(each.turn.first)} jobs a day on {each.machine} costs less than {provider}."
    if each.turn.for_good > each.turn.first:
        return f"{first}  Beyond, the next machine can turn that back; from {_many(each.turn.for_good)} on it stays."
    return first


def _print_machine(console: Console, each: Beside, choice: Choice) -> None:
    shown = Table(box=box.SIMPLE_HEAD, pad_edge=False, title=f"{each.machine} beside {choice.provider.name}")
    shown.title_justify = "left"
    for head in ("jobs a day", "machines", "$ machines", "$ fallback", "$ own, a month", "$ provider, a month", "less"):
        shown.add_column(head, justify="right")
    for point in each.points:
        amounts = (point.machine_usd, point.fallback_usd, point.own_usd, point.api_usd)
        shown.add_row(
            _many(point.jobs_per_day),
            f"{point.machines:,.2f}",
            *(f"{amount:,.2f}" for amount in amounts),
            "turns" if each.turn and point.jobs_per_day in {each.turn.first, each.turn.for_good} else point.cheaper,
        )
    console.print(shown)
    console.print(Text(told(each, choice.provider.name) + "\n"))


def _machine(each: Beside) -> dict[str, Any]:
    turn = each.turn
    return {
        "machine": each.machine,
        "predict_s_per_audio_s": _figure(each.predict_s_per_audio_s),
        "usd_per_hour": _figure(each.usd_per_hour),
        "own_usd_per_job_at_scale": each.comparison.fleet.usd_per_job + each.comparison.fallback_usd_per_job,
        "turns_at_jobs_per_day": None if turn is None else turn.first,
        "for_good_from_jobs_per_day": None if turn is None else turn.for_good,
        "table": [
            {
                "jobs_per_day": point.jobs_per_day,
                "machines": point.machines,
                "machine_usd_per_month": point.machine_usd,
                "fallback_usd_per_month": point.fallback_usd,
                "own_usd_per_month": point.own_usd,
                "api_usd_per_month": point.api_usd,
                "cheaper": point.cheaper,
            }
            for point in each.points
        ],
    }


def _figure(figure: Figure) -> dict[str, object]:
    return {"value": figure.value, "from": figure.source}


def _print_figure(console: Console, what: str, figure: Figure) -> None:
    console.print(Text(f"  {what}: {figure.value:.4g} ({figure.source})"))


def _many(count: float) -> str:
    return f"{count:,.0f}" if count >= 10 else f"{count:,.2f}"  # noqa: PLR2004  # of few, parts matter


def _usd(amount: float) -> str:
    return f"${amount:,.4g}"
