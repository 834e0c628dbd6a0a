"""``earmark audit``: who did what, and whether the record of it is whole."""

import json
import sys
from typing import Annotated

import typer

from earmark import log
from earmark.audit import pseudonym
from earmark.log import masked
from earmark.settings import Settings, load
from runtime import exit_status
from runtime.moments import time_of

audit = typer.Typer(
    no_args_is_help=True,
    rich_markup_mode="markdown",
    help="The audit log: who did what to which ids, when and why, as a chain in which nothing can be changed unseen.",
)

Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]
FAULTS_SHOWN = 50


@audit.command(
    epilog="Examples:\n\n`earmark audit verify`\n\n`earmark audit verify --anchor 412:9f31…`, with a link that you "
    "wrote down before\n\nExit status: 3 when anything is wrong."
)
def verify(
    *,
    anchor: Annotated[str, typer.Option(help="NUMBER:HASH of a link as an earlier `verify` printed it.")] = "",
    repair: Annotated[
        bool, typer.Option("--repair", help="Write rows of the table `audit` again that are missing, from the links.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Go through the whole chain and its rows: what was edited, removed, reordered or cut off is found.

    Write the last link down where nobody who can change the log can change it, and give it as --anchor next time.
    """
    from earmark.audit_check import check, read_anchor  # noqa: PLC0415
    from runtime.wiring import connect_existing  # noqa: PLC0415

    known = read_anchor(anchor) if anchor else None
    backend = connect_existing(_settings())
    checked = check(backend.audit, backend.warehouse, anchor=known, repair=repair, hints=backend.state)
    head = f"{checked.head.number}:{checked.head.hash}"
    if as_json:
        faults = [{"flaw": each.flaw, "link": each.number, "detail": each.detail} for each in checked.faults]
        fields = {
            "whole": checked.whole,
            "links": checked.links,
            "entries": checked.entries,
            "anchor": head,
            "restored": checked.restored,
            "faults": faults,
        }
        sys.stdout.write(json.dumps(fields, indent=1) + "\n")
    else:
        for fault in checked.faults[:FAULTS_SHOWN]:
            sys.stdout.write(
                f"link {fault.number}: {fault.flaw.replace('_', ' ')}  {masked(fault.detail)}".rstrip() + "\n"
            )
        if len(checked.faults) > FAULTS_SHOWN:
            sys.stdout.write(f"and {len(checked.faults) - FAULTS_SHOWN} more; --json has all.\n")
        restored = f", {checked.restored} rows restored" if checked.restored else ""
        verdict = "whole" if checked.whole else f"NOT whole: {len(checked.faults)} faults"
        sys.stdout.write(f"{checked.links} links with {checked.entries} entries, {verdict}{restored}.\n")
        sys.stdout.write(f"Anchor: {head}\n")
    raise typer.Exit(0 if checked.whole else exit_status.SOME_NOT_DONE)


@audit.command(
    "list",
    epilog="Examples:\n\n`earmark audit list --since 2h`\n\n`earmark audit list --tenant acme --action retention.`\n\n"
    "`earmark audit list --json | jq -r .subject`",
)
def list_entries(
    *,
    since: Annotated[str, typer.Option(help="Only then or later: `2026-01-31T12:00`, UTC, or `2h` ago.")] = "",
    until: Annotated[str, typer.Option(help="Only before then.")] = "",
    tenant: Annotated[str, typer.Option(help="Only about this customer, after its erasure too.")] = "",
    action: Annotated[str, typer.Option(help="Only this action, or those that begin so, as `retention.`.")] = "",
    actor: Annotated[str, typer.Option(help="Only what this person or part did.")] = "",
    most: Annotated[int, typer.Option(help="No more than so many, the latest.", min=1)] = 1000,
    as_json: Json = False,
) -> None:
    """What was done, the latest first; one JSON line each with --json."""
    from runtime.wiring import connect_existing  # noqa: PLC0415

    asked = {
        "tenant": tenant,
        "pseudonym": pseudonym(tenant),
        "action": action,
        "actor": actor,
        "most": most,
        "since": time_of("--since", since),
        "until": time_of("--until", until),
    }
    given = {name: value for name, value in asked.items() if value is not None}
    for row in connect_existing(_settings()).warehouse.query("audit_entries", given):
        if as_json:
            sys.stdout.write(json.dumps({"at": row.pop("at_second"), **row}) + "\n")
            continue
        change = f"  {row['before']} > {row['after']}" if row["before"] or row["after"] else ""
        whose = f"  ({row['tenant']})" if row["tenant"] else ""
        why = f"  {row['reason']}" if row["reason"] else ""
        more = f"  [{row['detail']}]" if row["detail"] else ""
        line = f"{row['at_second']}  {row['actor']}  {row['action']}  {row['subject']}{whose}{change}{why}{more}"
        sys.stdout.write(masked(line) + "\n")


def _settings() -> Settings:
    effective = load()
    chosen = effective.sources["log_level"] != "default"
    settings = effective.settings
    log.attach(settings.log_level if chosen else "warning", settings.log_format, project=settings.log_project)
    return effective.settings
