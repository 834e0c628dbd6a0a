"""The commands of ``earmark retention`` that are about customers: holds, extensions, notices, erasure."""

from pathlib import Path
from typing import Annotated

import typer

from earmark.errors import ConfigurationError
from runtime.retention.arguments import Execute, Json, Object, Prefix, Reason, Tenant, moment, settings

commands = typer.Typer()


def register(app: typer.Typer) -> None:
    """Add them to an application."""
    app.registered_commands += commands.registered_commands


@commands.command(
    epilog="Examples:\n\n`earmark retention hold --tenant acme --reason 'case 2026-7'`\n\n"
    "`earmark retention hold --object uploads/acme/song.wav --reason 'case 2026-7'`"
)
def hold(
    *, target: Object = "", prefix: Prefix = "", tenant: Tenant = "", reason: Reason, as_json: Json = False
) -> None:
    """Keep objects, whatever a policy says, until the hold is released; in force when the command returns."""
    from runtime.retention.keeping import place_hold  # noqa: PLC0415

    raise typer.Exit(place_hold(settings(), target, prefix, tenant, reason, as_json=as_json))


@commands.command(epilog="Example:\n\n`earmark retention release 20260131T120000Z-9f31c2a4 --reason 'case closed'`")
def release(
    hold_id: Annotated[str, typer.Argument(help="Id of the hold.", metavar="HOLD")],
    *,
    reason: Reason,
    as_json: Json = False,
) -> None:
    """End a hold.  What should have gone meanwhile gets a fresh notice first."""
    from runtime.retention.keeping import release_hold  # noqa: PLC0415

    raise typer.Exit(release_hold(settings(), hold_id, reason, as_json=as_json))


@commands.command(
    epilog="Example:\n\n`earmark retention extend --tenant acme --until 2027-06-30 --approved-by 'J. Doe' "
    "--reason 'ticket 15'`"
)
def extend(
    *,
    target: Object = "",
    prefix: Prefix = "",
    tenant: Tenant = "",
    until: Annotated[str, typer.Option(help="Until when: `2027-06-30` (UTC).", show_default=False)],
    approved_by: Annotated[str, typer.Option(help="Who allowed it.", show_default=False)],
    reason: Reason,
    as_json: Json = False,
) -> None:
    """Keep objects of an enterprise customer for longer."""
    from runtime.retention.keeping import grant_extension  # noqa: PLC0415

    at = moment("--until", until)
    if at is None:
        message = "Say until when with --until, as 2027-06-30."
        raise ConfigurationError(message)
    raise typer.Exit(grant_extension(settings(), target, prefix, tenant, at, approved_by, reason, as_json=as_json))


@commands.command(epilog="Example:\n\n`earmark retention withdraw 20260131T120000Z-9f31c2a4 --reason 'a mistake'`")
def withdraw(
    extension_id: Annotated[str, typer.Argument(help="Id of the extension.", metavar="EXTENSION")],
    *,
    reason: Reason,
    as_json: Json = False,
) -> None:
    """End an extension before its time."""
    from runtime.retention.keeping import withdraw_extension  # noqa: PLC0415

    raise typer.Exit(withdraw_extension(settings(), extension_id, reason, as_json=as_json))


@commands.command(epilog="Examples:\n\n`earmark retention holds`\n\n`earmark retention holds --all --json`")
def holds(
    *, everything: Annotated[bool, typer.Option("--all", help="Ended ones too.")] = False, as_json: Json = False
) -> None:
    """List holds and extensions."""
    from runtime.retention.keeping import list_keeping  # noqa: PLC0415

    raise typer.Exit(list_keeping(settings(), everything=everything, as_json=as_json))


@commands.command(epilog="Examples:\n\n`earmark retention notices`\n\n`earmark retention notices --tenant acme --json`")
def notices(
    *,
    tenant: Annotated[str, typer.Option(help="Only of this customer.")] = "",
    since: Annotated[str, typer.Option(help="Only of this day and later: `2026-01-31`.")] = "",
    as_json: Json = False,
) -> None:
    """List what customers were told, and what became of it."""
    from runtime.retention.notices import list_notices  # noqa: PLC0415

    raise typer.Exit(list_notices(settings(), tenant, moment("--since", since), as_json=as_json))


@commands.command(epilog="Example:\n\n`earmark retention bounce acme/2026-01-31 --reason 'mailbox full'`")
def bounce(
    notice: Annotated[str, typer.Argument(help="Id of the notice: `acme/2026-01-31`.", metavar="NOTICE")],
    *,
    reason: Reason,
    as_json: Json = False,
) -> None:
    """Say that a notice came back: what it told of is not deleted, and its customer gets no more until `unbounce`."""
    from runtime.retention.notices import bounce_notice  # noqa: PLC0415

    raise typer.Exit(bounce_notice(settings(), notice, reason, as_json=as_json))


@commands.command(epilog="Example:\n\n`earmark retention unbounce acme --reason 'new address set'`")
def unbounce(
    tenant: Annotated[str, typer.Argument(help="The customer.", metavar="TENANT")],
    *,
    reason: Reason,
    as_json: Json = False,
) -> None:
    """Send notices to a customer again, after its address was put right."""
    from runtime.retention.notices import clear_bounce  # noqa: PLC0415

    raise typer.Exit(clear_bounce(settings(), tenant, reason, as_json=as_json))


@commands.command(
    epilog="Examples:\n\n`earmark retention erase --tenant acme --reason 'request of 2026-01-31'`\n\n"
    "`earmark retention erase --tenant acme --reason 'request of 2026-01-31' --execute`\n\n"
    "`earmark retention erase --reapply --execute`, after a restore"
)
def erase(
    *,
    target: Object = "",
    tenant: Tenant = "",
    reapply: Annotated[bool, typer.Option("--reapply", help="Erase again what was erased before.")] = False,
    reason: Reason = "",
    out: Annotated[Path | None, typer.Option(help="Write the receipt there too.")] = None,
    execute: Execute = False,
    as_json: Json = False,
) -> None:
    """Remove all that is kept of a customer or an upload, from every store, and leave a receipt."""
    from runtime.retention.erase import erase_all  # noqa: PLC0415

    raise typer.Exit(
        erase_all(settings(), target, tenant, reason, out, reapply=reapply, execute=execute, as_json=as_json)
    )


@commands.command(epilog="Example:\n\n`earmark retention readmit --tenant acme --reason 'came back, ticket 16'`")
def readmit(*, target: Object = "", tenant: Tenant = "", reason: Reason, as_json: Json = False) -> None:
    """Take uploads of an erased customer, or an erased upload, again."""
    from runtime.retention.erase import readmit_one  # noqa: PLC0415

    raise typer.Exit(readmit_one(settings(), target, tenant, reason, as_json=as_json))
