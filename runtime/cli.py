"""The ``earmark`` command: arguments, exit codes and nothing else; each command's work is in a module of its own."""

import json
import os
import sys
from pathlib import Path
from typing import Annotated, NoReturn

import typer
from rich.console import Console

from earmark import log
from earmark.errors import ConfigurationError, EarmarkError, Unavailable
from earmark.settings import PREFIX, Effective, load, shown
from earmark.settings_watching import Role
from earmark.vocabulary import Lane
from runtime import exit_status
from runtime.ab.commands import ab
from runtime.analyzing.output import Format
from runtime.audit import audit
from runtime.batches.commands import register as register_batches
from runtime.calibration.commands import register as register_calibration
from runtime.cost.commands import cost, window_of
from runtime.dlq.commands import dlq
from runtime.mounted_secrets import take_mounted
from runtime.retention.commands import retention
from runtime.simulation.command import register as register_simulate
from runtime.tenants.commands import tenant
from runtime.up.commands import register as register_serve
from runtime.validation.command import register as register_validate
from runtime.webhooks.commands import webhook

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode="markdown",
    help="Turns audio into trustworthy metadata, each field with a confidence that means something.",
    epilog=(
        "Exit status: 0 all done; 2 wrong usage or settings; 3 some inputs were rejected or failed, the rest is done; "
        "4 a part is not available; 130 interrupted."
    ),
)

app.add_typer(dlq, name="dlq")
app.add_typer(ab, name="ab")
app.add_typer(cost, name="cost")
app.add_typer(retention, name="retention")
app.add_typer(audit, name="audit")
app.add_typer(tenant, name="tenant")
app.add_typer(webhook, name="webhook")
register_batches(app)
register_serve(app)
register_calibration(app)
register_validate(app)
register_simulate(app)

Paths = Annotated[list[str], typer.Argument(help="Files and folders.", show_default=False)]
Tenant = Annotated[str, typer.Option(help="Whose audio it is.")]
Model = Annotated[str | None, typer.Option(help="The primary model, instead of EARMARK_MODEL.")]
ModelPath = Annotated[str | None, typer.Option(help="Folder of its weights, or their name on the hub.")]


@app.command(
    epilog="Examples:\n\n`earmark analyze song.mp3`\n\n`earmark analyze ~/Music --format jsonl --out music.jsonl`\n\n"
    "`earmark analyze song.mp3 --explain`\n\n"
    "`earmark analyze talk.wav --format json | jq '.[0].analysis.metadata.transcript'`"
)
def analyze(
    paths: Paths,
    tenant: Tenant = "default",
    output: Annotated[Format, typer.Option("--format", help="How results are written.")] = Format.TABLE,
    out: Annotated[Path | None, typer.Option(help="Write to this file instead of standard output.")] = None,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="No progress bar and no summary.")] = False,
    explain: Annotated[bool, typer.Option("--explain", help="Say who answered each field, why, and the cost.")] = False,
    model: Model = None,
    model_path: ModelPath = None,
) -> None:
    """Analyse files and folders, and print one record per input, in input order.

    Folders are searched recursively; audio is recognised by content.  What is known already is answered at
    once.  Interrupted, run it again: finished work is kept.
    """
    from runtime.analyzing.session import analyze_paths  # noqa: PLC0415  # keeps `earmark --help` quick

    settings = _settings(default_level="warning", model=model, model_path=model_path).settings
    raise typer.Exit(
        analyze_paths(settings, _named(paths), tenant=tenant, output=output, out=out, quiet=quiet, explain=explain)
    )


@app.command(
    epilog="Examples:\n\n`earmark route ~/Music`\n\n`earmark route song.mp3 --tenant acme`\n\n"
    "`earmark route song.mp3 --tenant acme --store`\n\n`earmark route --reconcile uploads/`\n\n"
    "`EARMARK_BACKEND=gcp earmark route`\n\n`EARMARK_BACKEND=gcp earmark route --reconcile gs://my-uploads/acme/`"
)
def route(
    paths: Annotated[list[str] | None, typer.Argument(help="Files and folders.", show_default=False)] = None,
    tenant: Tenant = "default",
    reconcile: Annotated[
        str | None,
        typer.Option(help="Route what lies under uploads/PREFIX or gs://BUCKET/PREFIX and was never told of, and end."),
    ] = None,
    store: Annotated[
        bool, typer.Option("--store", help="Put copies into the upload bucket, to be kept as the policy says.")
    ] = False,
    temporary: Annotated[
        bool,
        typer.Option("--temporary", help="Put copies into the temporary bucket; each goes when its job has ended."),
    ] = False,
    until_empty: Annotated[bool, typer.Option("--until-empty", help="Listen until nothing is waiting.")] = False,
) -> None:
    """Queue files and folders and return at once; `earmark work` does the work.  Prints one JSON line per input.

    On one machine files are heard where they lie and never touched, unless copies are asked for.  Without files, is the
    router until SIGTERM or Ctrl-C: routes new objects of the upload bucket, feeds batches, calls webhooks.
    """
    from runtime.routing import command as routing  # noqa: PLC0415

    lasts = not paths and reconcile is None  # the router, whose log tells of each job as those of API and workers do
    settings = _settings(default_level="info" if lasts else "warning").settings
    if paths and reconcile is not None:
        message = "Name files or --reconcile, not both."
        raise ConfigurationError(message)
    if (store or temporary) and (store is temporary or not paths):
        message = "--store and --temporary are about files: name some, and one of the two."
        raise ConfigurationError(message)
    if paths:
        into = "uploads" if store else "temporary" if temporary else ""
        raise typer.Exit(routing.route_paths(settings, _named(paths), tenant=tenant, into=into))
    if reconcile is not None:
        raise typer.Exit(routing.reconcile(settings, reconcile))
    raise typer.Exit(routing.listen(settings, until_empty=until_empty))


@app.command(epilog="Examples:\n\n`EARMARK_BACKEND=gcp EARMARK_GCP_PROJECT=my-project earmark init`")
def init() -> None:
    """Make what is missing of topics, subscriptions, buckets, tables and views; safe to repeat.

    For emulators and development.  Production uses Terraform, with the same names.
    """
    from runtime.ordering import order  # noqa: PLC0415
    from runtime.wiring import connect, initialise  # noqa: PLC0415

    settings = _settings(default_level="warning").settings
    made = initialise(settings)  # among it the bucket of the audit log, so the entry follows
    order(settings, connect(settings), "backend.init", detail=f"{len(made)} made")
    for name in made:
        print(name)  # noqa: T201
    Console(stderr=True, highlight=False).print(f"{len(made)} made; everything is there.", markup=False)


@app.command(epilog="Examples:\n\n`earmark work`\n\n`earmark work --lane high`\n\n`earmark work --until-empty`")
def work(
    lane: Annotated[list[Lane] | None, typer.Option(help="Serve this lane only; may be given twice.")] = None,
    until_empty: Annotated[bool, typer.Option("--until-empty", help="End when nothing is waiting.")] = False,
    warm: Annotated[bool, typer.Option("--warm", help="Load the model now and not with the first job.")] = False,
    model: Model = None,
    model_path: ModelPath = None,
) -> None:
    """Run a worker until SIGTERM or Ctrl-C, which let it finish its batch; a second one hands it back at once."""
    from runtime.analyzing.session import work_lanes  # noqa: PLC0415

    settings = _settings(model=model, model_path=model_path).settings
    raise typer.Exit(work_lanes(settings, frozenset(lane or Lane), until_empty=until_empty, warm=warm))


@app.command(
    epilog="Examples:\n\n`earmark report`\n\n`earmark report failures_by_kind --json`\n\n"
    "`earmark report arrivals --since 7d --format jsonl > trace.jsonl`"
)
def report(
    name: Annotated[str, typer.Argument(help="Which report; leave it out for the list.", show_default=False)] = "",
    *,
    since: Annotated[str, typer.Option(help="Only rows of then or later: `2026-01-31`, UTC, or `7d` ago.")] = "",
    until: Annotated[str, typer.Option(help="Only rows of before then.")] = "",
    tenant: Annotated[str, typer.Option(help="Only this tenant's.")] = "",
    form: Annotated[Format, typer.Option("--format", help="How it is written.")] = Format.TABLE,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Run a named query over the warehouse; safe while workers run."""
    from runtime.report import list_reports, run_report  # noqa: PLC0415

    given: dict[str, object] = {key: at for key, at in window_of(since, until).items() if at is not None}
    given |= {"tenant": tenant} if tenant else {}
    settings = _settings(default_level="warning").settings
    form = Format.JSON if as_json else form
    if name:
        run_report(settings, name, form, given)
    elif given:
        message = "Name a report: without one, --since, --until and --tenant say nothing."
        raise ConfigurationError(message)
    else:
        list_reports(form)


@app.command(epilog="Examples:\n\n`earmark status`\n\n`watch earmark status`")
def status(as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False) -> None:
    """How many jobs wait, run and are buried, and how old the oldest is."""
    from runtime.report import show_status  # noqa: PLC0415

    show_status(_settings(default_level="warning").settings, as_json=as_json)


@app.command(epilog="Examples:\n\n`earmark spend`\n\n`earmark spend --json`")
def spend(as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False) -> None:
    """What the fallback cost today (UTC), in all and by tenant, and the caps.

    A worker sets money aside in blocks of a hundredth of a cap; what it did not need goes back when it ends.
    """
    from runtime.report import show_spend  # noqa: PLC0415

    raise typer.Exit(show_spend(_settings(default_level="warning").settings, as_json=as_json))


@app.command(epilog="Examples:\n\n`earmark alive`\n\n`earmark alive --within 60`, as a liveness probe")
def alive(
    within: Annotated[float, typer.Option(min=1, help="Seconds since the queue last answered.")] = 120.0,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Whether the workers here are alive: each one's queue answered lately.  Exit status 4 when not, or none runs."""
    from runtime.report import show_alive  # noqa: PLC0415

    settings = _settings(default_level="warning").settings
    raise typer.Exit(show_alive(settings, within_s=within, as_json=as_json))


@app.command(epilog="Examples:\n\n`earmark config`\n\n`EARMARK_DATA=/srv/earmark earmark config --json`")
def config(as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False) -> None:
    """The effective settings, secrets masked, and where each came from."""
    effective = _settings(default_level="warning")
    rows = {
        name: {"value": shown(getattr(effective.settings, name)), "source": effective.sources[name]}
        for name in type(effective.settings).model_fields
    }
    if as_json:
        print(json.dumps(rows, indent=1))  # noqa: T201
        return
    width = max(map(len, rows))
    for name, row in rows.items():
        print(f"{name:{width}}  {row['value'] or '-':24}  {row['source']}")  # noqa: T201


@app.command(epilog="Examples:\n\n`earmark doctor`\n\n`earmark doctor --json`\n\n`earmark doctor --role router`")
def doctor(
    role: Annotated[
        Role | None, typer.Option(help="Look at what this role needs, instead of EARMARK_ROLE.", show_default=False)
    ] = None,
    load_model: Annotated[
        bool, typer.Option("--model", help="Load the model, also beside a worker that has it.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """What is installed, what works, and what to do about the rest; exit status 4 when something needed is broken.

    In a pod it looks at what that pod is there for.  Where a worker runs, the model is looked at and not loaded.
    """
    from runtime.doctor import examine  # noqa: PLC0415

    settings = _settings(default_level="error", role=role).settings
    raise typer.Exit(examine(settings, as_json=as_json, load_model=load_model))


def _named(paths: list[str]) -> list[Path]:
    """The paths as given; an empty one is an unset variable and must not mean the current folder."""
    if "" in paths:
        message = "One of the paths is empty; name a file or a folder, or . for this one."
        raise ConfigurationError(message)
    return [Path(path) for path in paths]


def _settings(*, default_level: str = "info", **given: str | None) -> Effective:
    """The settings; what is given on the command line goes before the environment."""
    options = {PREFIX + name.upper(): value for name, value in given.items() if value is not None}
    effective = load({**os.environ, **options})
    settings = effective.settings
    level = settings.log_level if effective.sources["log_level"] != "default" else default_level
    log.attach(level, settings.log_format, project=settings.log_project)
    return effective


def _fail(error: EarmarkError, code: int, remedy: str = "") -> NoReturn:
    Console(stderr=True, highlight=False, soft_wrap=True).print(f"earmark: {error}  {remedy}".rstrip(), markup=False)
    sys.exit(code)


def main() -> None:
    """Run the command; every error Earmark knows is one clear line and an exit status, never a traceback."""
    try:
        take_mounted(os.environ)
        app()
    except ConfigurationError as error:
        _fail(error, exit_status.USAGE)
    except Unavailable as error:
        _fail(error, exit_status.UNAVAILABLE, "`earmark doctor` says what works and what to do about the rest.")
    except KeyboardInterrupt:
        sys.exit(exit_status.INTERRUPTED)
