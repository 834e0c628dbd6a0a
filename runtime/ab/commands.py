"""``earmark ab``: the arguments of its commands; the modules beside this one do the work."""

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from ab_testing.metrics import METRICS
from ab_testing.state import Action
from earmark import log
from earmark.errors import ConfigurationError
from earmark.settings import Settings, load

ab = typer.Typer(
    no_args_is_help=True,
    rich_markup_mode="markdown",
    help="Experiments: compare models on live traffic, safe to look at any time.  docs/experiments.md tells all.",
)


class ReportFormat(StrEnum):
    """How a report is written."""

    TABLE = "table"
    JSON = "json"
    MD = "md"
    HTML = "html"


File = Annotated[Path, typer.Argument(help="The experiment, a YAML file.", metavar="FILE", show_default=False)]
Name = Annotated[str, typer.Argument(help="Name of the experiment.", metavar="NAME", show_default=False)]
Reason = Annotated[str, typer.Option(help="Why; kept in the decision log and the audit log.", show_default=False)]
Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]


@ab.command(
    epilog="Examples:\n\n`cut -d, -f1 jobs.csv | earmark ab assign experiment.yaml`\n\n"
    "`earmark ab assign experiment.yaml --coverage 0.01 --json < ids.txt`\n\n"
    "Exit status: 3 when lines name no unit, being no UTF-8 or too long; the rest is done."
)
def assign(
    file: File,
    *,
    coverage: Annotated[
        float | None, typer.Option(help="As if so much were covered, 0 to 1; default: the most it ever covers.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print a JSON object a line.")] = False,
) -> None:
    r"""Say where units belong: job ids (or tenants' names) on standard input, one a line.

    A line each, divided by tabs: the unit, its coverage bucket, its arm bucket (0 to 9999) and its arm, `null` where it
    is not covered.  Looks at the file alone: at no other experiment, and at nothing that is left out.

    The unit is escaped as between the quotes of a JSON string: a tab is `\t`, a backslash `\\`, a quote `\"`, and what
    is not printable is like `\u001b`.  A byte order mark at the very start is skipped.
    """
    from runtime.ab.assign import assign_units  # noqa: PLC0415  # keeps `earmark --help` quick

    raise typer.Exit(assign_units(file, coverage=coverage, as_json=as_json))


@ab.command(
    epilog="Examples:\n\n`earmark ab plan --metric error_rate --baseline 0.03 --change 0.05`\n\n"
    "`earmark ab plan experiment.yaml --baseline 0.03 --change 0.04 --per-day 5000`"
)
def plan(
    file: Annotated[
        Path | None, typer.Argument(help="The experiment, a YAML file.", metavar="[FILE]", show_default=False)
    ] = None,
    *,
    metric: Annotated[str, typer.Option(help=f"What should change: {', '.join(METRICS)}.")] = "error_rate",
    baseline: Annotated[float, typer.Option(help="Its value in the control, as 0.03 for 3 %.", show_default=False)],
    change: Annotated[float, typer.Option(help="Its value in the treatment, as 0.05 for 5 %.", show_default=False)],
    per_day: Annotated[float | None, typer.Option(help="Uploads a day that can take part.")] = None,
    power: Annotated[float, typer.Option(help="Chance that the change is seen.")] = 0.8,
    alpha: Annotated[
        float | None, typer.Option(help="Chance of a false alarm; default: the experiment's, or 0.05.")
    ] = None,
    deviation: Annotated[
        float | None, typer.Option(help="Standard deviation of single jobs, for means; default: told as assumed.")
    ] = None,
    as_json: Json = False,
) -> None:
    """How long until a change of this size is seen, at the file's split, at 90/10 and at 50/50."""
    from ab_testing.experiment import load_experiment  # noqa: PLC0415
    from runtime.ab.plan import show_plan  # noqa: PLC0415

    experiment = None if file is None else load_experiment(file)
    raise typer.Exit(show_plan(experiment, metric, baseline, change, per_day, power, alpha, deviation, as_json))


@ab.command(epilog="Examples:\n\n`earmark ab start experiment.yaml`\n\n`earmark ab start experiment.yaml --json`")
def start(file: File, *, reason: Reason = "", as_json: Json = False) -> None:
    """Start an experiment, resume it where it pauses, or cover more or less of it.

    The same file again changes nothing.  Within a version only coverage and ramp may differ; anything else deals the
    units anew and is a new version, once the old one has ended.  Routers and workers follow within seconds.
    """
    from runtime.ab.decide import start_file  # noqa: PLC0415

    start_file(_settings(), file, reason, as_json=as_json)


@ab.command(epilog="Examples:\n\n`earmark ab status`\n\n`earmark ab status qwen-or-listener --json`")
def status(
    name: Annotated[
        str, typer.Argument(help="Name of the experiment; leave it out for all that run.", show_default=False)
    ] = "",
    *,
    as_json: Json = False,
) -> None:
    """Where experiments stand now, from live counters: jobs of each arm, every metric with its verdict, alarms."""
    from runtime.ab.status import show_status  # noqa: PLC0415

    show_status(_settings(), name, as_json=as_json)


@ab.command(
    epilog="Examples:\n\n`earmark ab report qwen-or-listener`\n\n"
    "`earmark ab report qwen-or-listener --format html --out report.html`\n\n"
    "`earmark ab report qwen-or-listener --version 1`"
)
def report(
    name: Name,
    *,
    output: Annotated[ReportFormat, typer.Option("--format", help="How it is written.")] = ReportFormat.TABLE,
    out: Annotated[Path | None, typer.Option(help="Write to this file instead of standard output.")] = None,
    version: Annotated[int | None, typer.Option(help="Which version; default: the one started last.")] = None,
) -> None:
    """Everything that can be said of an experiment, from the rows in the warehouse, and what would change it."""
    from runtime.ab.report import show_report  # noqa: PLC0415

    raise typer.Exit(show_report(_settings(), name, output.value, out, version=version))


@ab.command(epilog="Example:\n\n`earmark ab pause qwen-or-listener --reason 'GPU pool is being moved'`")
def pause(name: Name, *, reason: Reason, as_json: Json = False) -> None:
    """Let in no new units; jobs that have an arm keep it, and the units stay this experiment's own."""
    _decide(name, Action.PAUSE, reason, as_json=as_json)


@ab.command(epilog="Example:\n\n`earmark ab resume qwen-or-listener`")
def resume(name: Name, *, reason: Reason = "", as_json: Json = False) -> None:
    """Let in units again; each has the arm that it had."""
    _decide(name, Action.RESUME, reason, as_json=as_json)


@ab.command(epilog="Example:\n\n`earmark ab rollback qwen-or-listener --reason 'customers complain, ticket 123'`")
def rollback(name: Name, *, reason: Reason, as_json: Json = False) -> None:
    """End an experiment for harm: the control's model answers everything, waiting jobs of other arms too."""
    _decide(name, Action.ROLL_BACK, reason, as_json=as_json)


@ab.command(epilog="Example:\n\n`earmark ab complete qwen-or-listener --reason 'better; promoted, see ticket 124'`")
def complete(name: Name, *, reason: Reason, as_json: Json = False) -> None:
    """End an experiment that told what it could; nothing is promoted by it: set EARMARK_MODEL for that."""
    _decide(name, Action.COMPLETE, reason, as_json=as_json)


@ab.command("list", epilog="Examples:\n\n`earmark ab list`\n\n`earmark ab list --json | jq -r '.[].experiment'`")
def list_experiments(*, as_json: Json = False) -> None:
    """Every experiment that was ever started, with the state of its latest version."""
    from runtime.ab.decide import list_all  # noqa: PLC0415

    list_all(_settings(), as_json=as_json)


def _decide(name: str, action: Action, reason: str, *, as_json: bool) -> None:
    from runtime.ab.decide import decide  # noqa: PLC0415

    if not name.strip():
        message = "The name is empty.  `earmark ab list` shows all experiments there are."
        raise ConfigurationError(message)
    decide(_settings(), name, action, reason, as_json=as_json)


def _settings() -> Settings:
    effective = load()
    chosen = effective.sources["log_level"] != "default"
    settings = effective.settings
    log.attach(settings.log_level if chosen else "warning", settings.log_format, project=settings.log_project)
    return effective.settings
