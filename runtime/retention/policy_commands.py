"""``earmark retention policy``: show, check, compare and register policies."""

from typing import Annotated

import typer

from runtime.retention.arguments import Execute, Json, PolicyFile, Reason, moment, settings

policy = typer.Typer(no_args_is_help=True, rich_markup_mode="markdown", help="How long things are kept, in versions.")


@policy.command("show", epilog="Examples:\n\n`earmark retention policy show`\n\n`earmark retention policy show --json`")
def show_policy(
    *,
    as_of: Annotated[str, typer.Option(help="In force at this moment.")] = "",
    as_json: Json = False,
) -> None:
    """The policy in force, as a file to change, and every version there is."""
    from runtime.retention.policies import show  # noqa: PLC0415

    raise typer.Exit(show(settings(), moment("--as-of", as_of), as_json=as_json))


@policy.command("check", epilog="Example:\n\n`earmark retention policy check new.toml`")
def check_policy(file: PolicyFile) -> None:
    """Whether a policy is well formed and within its bounds."""
    from runtime.retention.policies import check  # noqa: PLC0415

    raise typer.Exit(check(file))


@policy.command("diff", epilog="Example:\n\n`earmark retention policy diff new.toml --effective-from 2027-01-01`")
def diff_policy(
    file: PolicyFile,
    *,
    effective_from: Annotated[str, typer.Option(help="When it would come into force; default: now.")] = "",
    as_json: Json = False,
) -> None:
    """What a policy would do to how many objects, before anybody applies it."""
    from runtime.retention.policies import diff  # noqa: PLC0415

    raise typer.Exit(diff(settings(), file, moment("--effective-from", effective_from), as_json=as_json))


@policy.command(
    "set",
    epilog="Example:\n\n`earmark retention policy set new.toml --effective-from 2027-01-01 --reason 'ticket 12' "
    "--execute`",
)
def set_policy(
    file: PolicyFile,
    *,
    effective_from: Annotated[str, typer.Option(help="When it comes into force; default: now.")] = "",
    reason: Reason,
    execute: Execute = False,
    as_json: Json = False,
) -> None:
    """Register a policy as the next version; without `--execute` only `diff`."""
    from runtime.retention.policies import register  # noqa: PLC0415

    at = moment("--effective-from", effective_from)
    raise typer.Exit(register(settings(), file, at, reason, execute=execute, as_json=as_json))
