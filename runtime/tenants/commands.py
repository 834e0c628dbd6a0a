"""``earmark tenant``: customers, their keys and their limits."""

from typing import Annotated

import typer

from earmark.vocabulary import Tier
from runtime.retention.arguments import settings

tenant = typer.Typer(
    no_args_is_help=True,
    rich_markup_mode="markdown",
    help="Customers of the API: their tiers, keys and limits.  What is said goes to standard error; what is asked for, "
    "lists and new keys, to standard output.",
)

Name = Annotated[
    str, typer.Argument(help="The customer: 1 to 63 of a-z, 0-9, - and _.", metavar="NAME", show_default=False)
]
TierOption = Annotated[Tier | None, typer.Option("--tier", help="What it pays for.", show_default=False)]
Region = Annotated[
    str | None,
    typer.Option(help="Where its data must stay, as `europe-west1`; empty = anywhere.", show_default=False),
]
Email = Annotated[
    str | None,
    typer.Option(help="Where to write before something is deleted; empty = nowhere.", show_default=False),
]
Source = Annotated[
    list[str] | None,
    typer.Option(
        "--source",
        help="A folder `gs://bucket/folder/` whose audio it may name; may be given again; empty = none.",
        show_default=False,
    ),
]
Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]


@tenant.command(
    epilog="Examples:\n\n`earmark tenant add acme --tier enterprise --region europe-west1`\n\n"
    "`earmark tenant add acme --tier pro --notice-email archive@acme.example`"
)
def add(
    name: Name,
    *,
    tier: Annotated[Tier, typer.Option(help="What it pays for.", show_default=False)],
    region: Region = None,
    notice_email: Email = None,
    source: Source = None,
) -> None:
    """Add a customer.  The same again changes nothing; something else is an error, and `set` does it."""
    from runtime.tenants.desk import add_tenant  # noqa: PLC0415  # keeps `earmark --help` quick

    add_tenant(settings(), name, tier, region=region, notice_email=notice_email, sources=source)


@tenant.command(
    "set",
    epilog="Examples:\n\n`earmark tenant set acme --tier pro`\n\n`earmark tenant set acme --region ''`\n\n"
    "`earmark tenant set acme --source gs://acme-music/ --source gs://acme-talk/2026/`",
)
def change(
    name: Name,
    *,
    tier: TierOption = None,
    region: Region = None,
    notice_email: Email = None,
    source: Source = None,
) -> None:
    """Change a customer; what is not named stays.  In force within ten seconds."""
    from runtime.tenants.desk import change_tenant  # noqa: PLC0415

    change_tenant(settings(), name, tier, region=region, notice_email=notice_email, sources=source)


@tenant.command(
    epilog="Examples:\n\n`earmark tenant limit acme`\n\n`earmark tenant limit acme --requests 1200 --jobs 128`\n\n"
    "`earmark tenant limit acme --clear`"
)
def limit(
    name: Name,
    *,
    requests: Annotated[int | None, typer.Option(min=1, help="Requests a minute.", show_default=False)] = None,
    audio_seconds: Annotated[
        float | None, typer.Option(min=1, help="Seconds of audio a day (UTC).", show_default=False)
    ] = None,
    jobs: Annotated[
        int | None, typer.Option(min=1, help="Analyses asked for one by one at the same time.", show_default=False)
    ] = None,
    input_bytes: Annotated[int | None, typer.Option(min=1, help="Bytes of one file.", show_default=False)] = None,
    duration_seconds: Annotated[
        float | None, typer.Option(min=1, help="Seconds of one recording.", show_default=False)
    ] = None,
    clear: Annotated[bool, typer.Option("--clear", help="Take away all limits of its own first.")] = False,
    as_json: Json = False,
) -> None:
    """Give a customer limits of its own in place of its tier's, and print those that hold; in force in ten seconds."""
    from runtime.tenants.desk import limit_tenant  # noqa: PLC0415

    own = {
        "requests_per_minute": requests,
        "audio_s_per_day": audio_seconds,
        "concurrent_jobs": jobs,
        "max_input_bytes": input_bytes,
        "max_duration_s": duration_seconds,
    }
    limit_tenant(settings(), name, own, clear=clear, as_json=as_json)


@tenant.command(
    epilog="Examples:\n\n`earmark tenant key acme`\n\n`earmark tenant key acme --scopes read --expires-days 90`\n\n"
    "`KEY=$(earmark tenant key acme | tail -n 1)`"
)
def key(
    name: Name,
    *,
    scopes: Annotated[
        str, typer.Option(help="What it is for, divided by commas: `read`, `write`, `delete`, `webhooks`, or `all`.")
    ] = "all",
    expires_days: Annotated[
        float | None,
        typer.Option(
            min=0.001, max=36_500, help="Days it holds for; without, until it is revoked.", show_default=False
        ),
    ] = None,
) -> None:
    """Make a key and print it, once: it is kept nowhere.  Two may be active, so that one can follow the other."""
    from runtime.tenants.desk import make_key  # noqa: PLC0415

    make_key(settings(), name, scopes, expires_days)


@tenant.command(epilog="Example:\n\n`earmark tenant keys acme`")
def keys(name: Name, *, as_json: Json = False) -> None:
    """The keys of a customer: ids, what they are for, when they were made, used and end."""
    from runtime.tenants.desk import list_keys  # noqa: PLC0415

    list_keys(settings(), name, as_json=as_json)


@tenant.command(epilog="Examples:\n\n`earmark tenant revoke 5vK2mQ8xTz1a`\n\n`earmark tenant revoke em_live_5vK2…`")
def revoke(
    which: Annotated[str, typer.Argument(help="Id of a key, or the key.", metavar="KEY", show_default=False)],
) -> None:
    """End a key, everywhere within a minute."""
    from runtime.tenants.desk import revoke_key  # noqa: PLC0415

    revoke_key(settings(), which)


@tenant.command("list", epilog="Examples:\n\n`earmark tenant list`\n\n`earmark tenant list --json | jq -r '.[].name'`")
def list_tenants(*, as_json: Json = False) -> None:
    """All customers of the file and of the register, with their active keys."""
    from runtime.tenants.desk import list_all  # noqa: PLC0415

    list_all(settings(), as_json=as_json)
