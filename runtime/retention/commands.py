"""``earmark retention``: the arguments of its commands; the modules beside this one do the work."""

from pathlib import Path
from typing import Annotated

import typer

from runtime.retention.arguments import Execute, Json, Limit, Reason, moment, settings
from runtime.retention.customers import register as register_customers
from runtime.retention.policy_commands import policy

retention = typer.Typer(
    no_args_is_help=True,
    rich_markup_mode="markdown",
    help="What is kept, how long, and how it goes: policies, notices, deletions, holds, erasure.  "
    "docs/retention.md tells all.",
    epilog="Exit status: 3 when something was skipped, is refused until approved, or needs a person to look.",
)
retention.add_typer(policy, name="policy")


@retention.command(
    epilog="Examples:\n\n`earmark retention plan`\n\n`earmark retention plan --as-of 2027-01-31 --json`\n\n"
    "`earmark retention plan --out today.jsonl`"
)
def plan(
    *,
    as_of: Annotated[str, typer.Option(help="Judge by this moment, as `2027-01-31` or `2027-01-31T12:00` (UTC).")] = "",
    out: Annotated[Path | None, typer.Option(help="Write it there; default: below the data folder.")] = None,
    as_json: Json = False,
) -> None:
    """Write down what is to be deleted and of what customers are to be told; changes nothing.

    A plan for another moment than now is for looking at, and cannot be applied.
    """
    from runtime.retention.plan import write_plan  # noqa: PLC0415  # keeps `earmark --help` quick

    raise typer.Exit(write_plan(settings(), moment("--as-of", as_of), out, as_json=as_json))


@retention.command(
    epilog="Examples:\n\n`earmark retention apply plan.jsonl`\n\n`earmark retention apply plan.jsonl --execute`\n\n"
    "`earmark retention apply plan.jsonl --execute --approve --reason 'customer left, ticket 12'`"
)
def apply(
    plan_file: Annotated[Path, typer.Argument(help="A plan's file.", metavar="PLAN", show_default=False)],
    *,
    execute: Execute = False,
    approve: Annotated[bool, typer.Option("--approve", help="Go beyond the limits of the policy.")] = False,
    reason: Reason = "",
    as_json: Json = False,
) -> None:
    """Send the notices of a plan and delete what it says, each object looked at again.

    Interrupted or killed, the same command goes on where it was.
    """
    from runtime.retention.plan import apply_plan  # noqa: PLC0415

    raise typer.Exit(apply_plan(settings(), plan_file, reason, execute=execute, approve=approve, as_json=as_json))


@retention.command(
    epilog="Examples:\n\n`earmark retention run`\n\n`earmark retention run --execute`\n\n"
    "`earmark retention run --execute --every 3600`, until SIGTERM or Ctrl-C"
)
def run(
    *,
    execute: Execute = False,
    every: Annotated[float | None, typer.Option(min=1, help="Go on for ever, with so many seconds in between.")] = None,
    as_json: Json = False,
) -> None:
    """Do all there is to do: sweep, plan, apply, archive, rows, and once a day reconcile."""
    from runtime.retention.run import run_cycles  # noqa: PLC0415

    raise typer.Exit(run_cycles(settings(), every_s=every, execute=execute, as_json=as_json))


@retention.command(epilog="Examples:\n\n`earmark retention sweep`\n\n`earmark retention sweep --execute`")
def sweep(*, execute: Execute = False, as_json: Json = False) -> None:
    """Remove temporary objects whose time is over, and files below the scratch folder that nobody owns any more."""
    from runtime.retention.run import sweep_now  # noqa: PLC0415

    raise typer.Exit(sweep_now(settings(), execute=execute, as_json=as_json))


@retention.command(
    epilog="Examples:\n\n`earmark retention archive`\n\n`earmark retention archive --execute --limit 100`"
)
def archive(*, execute: Execute = False, limit: Limit = 1000, as_json: Json = False) -> None:
    """Move old audio to the archive, as FLAC where that saves."""
    from runtime.retention.run import archive_now  # noqa: PLC0415

    raise typer.Exit(archive_now(settings(), limit, execute=execute, as_json=as_json))


@retention.command(epilog="Examples:\n\n`earmark retention rows`\n\n`earmark retention rows --execute`")
def rows(*, execute: Execute = False, as_json: Json = False) -> None:
    """Remove rows of the warehouse that are older than the policy keeps them."""
    from runtime.retention.run import purge_rows  # noqa: PLC0415

    raise typer.Exit(purge_rows(settings(), execute=execute, as_json=as_json))


@retention.command(
    epilog="Examples:\n\n`earmark retention reconcile`\n\n`earmark retention reconcile uploads --execute`\n\n"
    "`earmark retention reconcile uploads --report inventory.csv --execute`"
)
def reconcile(
    buckets: Annotated[list[str] | None, typer.Argument(help="Which; default: all.", show_default=False)] = None,
    *,
    report: Annotated[
        Path | None, typer.Option(help="A Storage Insights inventory report (CSV) in place of a listing.")
    ] = None,
    execute: Execute = False,
    as_json: Json = False,
) -> None:
    """Compare the catalogue with what is there: orphans, ghosts, and what is overdue.  Exit status 3 for the last."""
    from runtime.retention.run import reconcile_now  # noqa: PLC0415

    raise typer.Exit(reconcile_now(settings(), buckets or [], report, execute=execute, as_json=as_json))


@retention.command(epilog="Examples:\n\n`earmark retention status`\n\n`earmark retention status --metrics`")
def status(
    *,
    as_json: Json = False,
    metrics: Annotated[bool, typer.Option("--metrics", help="Print metrics in Prometheus' text format.")] = False,
) -> None:
    """Whether retention does its work.  Exit status 3 when somebody has to look."""
    from runtime.retention.status import show_status  # noqa: PLC0415

    raise typer.Exit(show_status(settings(), as_json=as_json, metrics=metrics))


@retention.command(epilog="Example:\n\n`earmark retention explain uploads/acme/song.wav`")
def explain(
    name: Annotated[str, typer.Argument(help="An object: `uploads/acme/song.wav`.", metavar="OBJECT")],
    *,
    as_json: Json = False,
) -> None:
    """What will happen to one object, when and why."""
    from runtime.retention.status import explain_object  # noqa: PLC0415

    raise typer.Exit(explain_object(settings(), name, as_json=as_json))


@retention.command(epilog="Example:\n\n`earmark retention fetch uploads/acme/song.wav --out song.wav`")
def fetch(
    name: Annotated[str, typer.Argument(help="An object: `uploads/acme/song.wav`.", metavar="OBJECT")],
    *,
    out: Annotated[Path, typer.Option(help="Write it there.", show_default=False)],
) -> None:
    """Give an object back as it came to us, from the archive too."""
    from runtime.retention.status import fetch_object  # noqa: PLC0415

    raise typer.Exit(fetch_object(settings(), name, out))


@retention.command(epilog="Example:\n\n`earmark retention stop --reason 'wrong policy, ticket 13'`")
def stop(*, reason: Reason, as_json: Json = False) -> None:
    """Stop all deletions, here and elsewhere, between two batches, until `resume`."""
    from runtime.retention.keeping import switch  # noqa: PLC0415

    raise typer.Exit(switch(settings(), reason, stopped=True, as_json=as_json))


@retention.command(epilog="Example:\n\n`earmark retention resume --reason 'policy put right'`")
def resume(*, reason: Reason, as_json: Json = False) -> None:
    """Let deletions go on after `stop`."""
    from runtime.retention.keeping import switch  # noqa: PLC0415

    raise typer.Exit(switch(settings(), reason, stopped=False, as_json=as_json))


register_customers(retention)
