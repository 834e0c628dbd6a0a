"""``earmark cost``: its arguments; ``runtime.cost.report`` and ``runtime.cost.comparing`` do the work."""

import math
import sys
from collections.abc import Sequence
from datetime import datetime
from typing import Annotated

import typer

from earmark import log
from earmark.clock import utc_now
from earmark.errors import ConfigurationError
from earmark.settings import Settings, load
from runtime.cost.report import By
from runtime.moments import time_of

cost = typer.Typer(
    no_args_is_help=True,
    rich_markup_mode="markdown",
    help="What jobs cost, and whether machines of one's own cost less than a provider.",
)

Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]
Since = Annotated[str, typer.Option(help="Only jobs that ended then or later: `2026-01-31`, UTC, or `7d` ago.")]
Until = Annotated[str, typer.Option(help="Only jobs that ended before then.")]
Tenant = Annotated[str, typer.Option(help="Only this tenant's.")]
Amount = float | None


@cost.command(
    epilog="Examples:\n\n`earmark cost report`\n\n`earmark cost report --by tenant --by lane --since 30d`\n\n"
    "`earmark cost report --by day --csv > cost.csv`"
)
def report(
    *,
    by: Annotated[
        list[By] | None, typer.Option(help="What the report is divided by; may be given several times.")
    ] = None,
    since: Since = "",
    until: Until = "",
    tenant: Tenant = "",
    as_json: Json = False,
    as_csv: Annotated[bool, typer.Option("--csv", help="Print CSV, without the sum.")] = False,
) -> None:
    """Jobs, hours of audio and dollars, from the rows of the warehouse: for the primary's time, the fallback, the rest.

    The primary's time has a price where EARMARK_MODEL_USD_PER_HOUR is set.  The rest is the bill of a provider that is
    the primary.
    """
    from runtime.cost import output as cost_output  # noqa: PLC0415  # keeps `earmark --help` quick
    from runtime.cost.report import read_costs  # noqa: PLC0415  # same
    from runtime.looking import nothing_there  # noqa: PLC0415  # same
    from runtime.wiring import connect  # noqa: PLC0415  # same

    if as_json and as_csv:
        message = "Choose --json or --csv, not both."
        raise ConfigurationError(message)
    window, settings = window_of(since, until), _settings()
    if missing := nothing_there(settings):
        raise ConfigurationError(missing)
    warehouse = connect(settings).warehouse
    found = read_costs(warehouse, by or (), **window, tenant=tenant)
    unheard = not found.total.jobs and bool(tenant) and not read_costs(warehouse, tenant=tenant).total.jobs
    if as_json:
        asked = {name: None if at is None else at.isoformat() for name, at in window.items()}
        cost_output.print_json(found, {**asked, "tenant": tenant or None, "by": [each.value for each in by or ()]})
    elif as_csv:
        cost_output.print_csv(found)
    elif not unheard:
        cost_output.print_table(found)
    if unheard:
        sys.stderr.write(f"No job of a tenant {tenant!r} has ever ended here.  Is the name as meant?\n")


@cost.command(
    "break-even",
    epilog="Examples:\n\n`earmark cost break-even`\n\n"
    "`earmark cost break-even --gpu l4 --gpu a100 --jobs-per-day 20000`\n\n"
    "`earmark cost break-even --predict-s-per-audio-s h100=0.004 --audio-s-per-job 180 --fallback-share 0.1`",
)
def break_even(
    *,
    gpu: Annotated[
        list[str] | None,
        typer.Option(
            "--gpu",
            "--machine",
            help="Machine of the price list (l4, a100, h100, cpu); may be repeated.  "
            "Default: those on which enough was heard.",
            show_default=False,
        ),
    ] = None,
    provider: Annotated[str, typer.Option(help="Whom to compare with; default: the fallback, or openai.")] = "",
    model: Annotated[str, typer.Option(help="The model on the machines; default: the primary.")] = "",
    jobs_per_day: Annotated[
        list[float] | None, typer.Option(help="A volume to show; may be repeated.", show_default=False)
    ] = None,
    utilisation: Annotated[float, typer.Option(help="Share of its time that a machine is at work.")] = 0.6,
    least_machines: Annotated[int, typer.Option(min=0, max=100_000, help="Machines that are always there.")] = 1,
    whole_machines: Annotated[
        bool, typer.Option("--whole-machines", help="They run day and night; else they come and go with the queue.")
    ] = False,
    spot: Annotated[bool, typer.Option("--spot", help="At spot prices.")] = False,
    predict_s_per_audio_s: Annotated[
        list[str] | None,
        typer.Option(
            help="`MACHINE=SECONDS` of inference for a second of audio, instead of what was measured; may be repeated.",
            show_default=False,
        ),
    ] = None,
    audio_s_per_job: Annotated[Amount, typer.Option(help="Instead of what was measured.")] = None,
    fallback_share: Annotated[Amount, typer.Option(help="Share of jobs that it is asked about, likewise.")] = None,
    fallback_usd_per_job: Annotated[Amount, typer.Option(help="For a job it is asked about, likewise.")] = None,
    question_tokens: Annotated[Amount, typer.Option(help="Of text in a request to the provider.")] = None,
    answer_tokens: Annotated[Amount, typer.Option(help="Of its answer to a request.")] = None,
    api_usd_per_job: Annotated[Amount, typer.Option(help="Instead of tokens and the provider's prices.")] = None,
    usd_per_hour: Annotated[Amount, typer.Option(help="Of a machine, instead of the price list.")] = None,
    since: Annotated[str, typer.Option(help="Measure from then on; default: 30 days ago.")] = "",
    until: Annotated[str, typer.Option(help="Until then.")] = "",
    tenant: Tenant = "",
    as_json: Json = False,
) -> None:
    """From how many jobs a day on machines of one's own, with the fallback behind, cost less than a provider for all.

    What a job takes is measured on your own rows; what is not measured is not made up: with too few rows the command
    says so and ends with status 2, and options stand in for what is missing.
    """
    from runtime.cost import choice_output as cost_choice_output  # noqa: PLC0415  # keeps `earmark --help` quick
    from runtime.cost.assumed import Given  # noqa: PLC0415  # same
    from runtime.cost.comparing import Question, choose  # noqa: PLC0415  # same
    from runtime.cost.measured import TooFewRows  # noqa: PLC0415  # same
    from runtime.looking import nothing_there  # noqa: PLC0415  # same
    from runtime.wiring import connect  # noqa: PLC0415  # same

    amounts = {
        "--audio-s-per-job": audio_s_per_job, "--fallback-usd-per-job": fallback_usd_per_job,
        "--question-tokens": question_tokens, "--answer-tokens": answer_tokens,
        "--api-usd-per-job": api_usd_per_job, "--usd-per-hour": usd_per_hour,
    }  # fmt: skip
    for option, amount in amounts.items():
        _check(option, amount, positive=option in {"--audio-s-per-job", "--api-usd-per-job"})
    for volume in jobs_per_day or ():
        _check("--jobs-per-day", volume)
    _check("--utilisation", utilisation, most=1, positive=True)
    _check("--fallback-share", fallback_share, most=1)
    window = window_of(since, until)
    question = Question(
        machines=gpu or (),
        provider=provider,
        model=model,
        volumes=jobs_per_day or (),
        utilisation=utilisation,
        least=least_machines,
        whole=whole_machines,
        spot=spot,
        since=window["since"],
        until=window["until"],
        tenant=tenant,
        given=Given(
            audio_s_per_job=audio_s_per_job,
            fallback_share=fallback_share,
            fallback_usd_per_job=fallback_usd_per_job,
            api_usd_per_job=api_usd_per_job,
            question_tokens=question_tokens,
            answer_tokens=answer_tokens,
            predict_s_per_audio_s=_speeds(predict_s_per_audio_s or (), gpu or ()),
            usd_per_hour=usd_per_hour,
        ),
    )
    settings = _settings()
    missing = nothing_there(settings)
    try:
        choice = choose(settings, None if missing else connect(settings).warehouse, question, utc_now())
    except TooFewRows as error:
        raise TooFewRows(f"{error}  {missing}".rstrip()) from None
    sys.stderr.write(cost_choice_output.unmeasured(choice, missing))
    (cost_choice_output.print_json if as_json else cost_choice_output.print_text)(choice)


def window_of(since: str, until: str) -> dict[str, datetime | None]:
    """The times of a window.

    Raises:
        ConfigurationError: one is none, or the window ends before it begins.
    """
    begin, end = time_of("--since", since), time_of("--until", until)
    if begin is not None and end is not None and begin >= end:
        message = f"--since {since!r} is not before --until {until!r}: between them lies no time.  Exchange them."
        raise ConfigurationError(message)
    return {"since": begin, "until": end}


def _speeds(texts: Sequence[str], machines: Sequence[str]) -> dict[str, float]:
    """Seconds by machine; a number alone is about the only machine that is named."""
    found: dict[str, float] = {}
    for text in texts:
        name, _, seconds = text.rpartition("=")
        if not name and len(machines) == 1:
            name = machines[0]
        try:
            value = float(seconds)
        except ValueError:
            value = math.nan
        if not name or not 0 < value < math.inf:
            message = f"--predict-s-per-audio-s {text!r}: write MACHINE=SECONDS, as l4=0.02."
            raise ConfigurationError(message)
        found[name] = value
    return found


def _check(option: str, value: float | None, *, most: float = 1e12, positive: bool = False) -> None:
    """Raise ``ConfigurationError`` for a number that cannot be."""
    if value is None or (0 < value <= most or (value == 0 and not positive)):
        return
    message = f"{option} {value:g} cannot be: give a number {'above' if positive else 'from'} 0, at most {most:g}."
    raise ConfigurationError(message)


def _settings() -> Settings:
    effective = load()
    chosen = effective.sources["log_level"] != "default"
    settings = effective.settings
    log.attach(settings.log_level if chosen else "warning", settings.log_format, project=settings.log_project)
    return settings
