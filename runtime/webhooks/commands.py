"""``earmark webhook``: which servers of customers are called when jobs end, and what came of it."""

from typing import Annotated

import typer

from runtime.retention.arguments import settings
from runtime.webhooks.webhook_event import CHOICES

webhook = typer.Typer(
    no_args_is_help=True,
    rich_markup_mode="markdown",
    help="Webhooks: servers of customers that are called when analyses and batches end.  What is said goes to standard "
    "error; what is asked for, lists and new secrets, to standard output.",
)

Webhook = Annotated[str, typer.Argument(help="Id of the webhook: `wh_…`.", metavar="WEBHOOK", show_default=False)]
Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]
_CHOICES = ",".join(sorted(CHOICES))


@webhook.command(
    epilog="Examples:\n\n`earmark webhook add https://acme.example/hooks --tenant acme`\n\n"
    "`earmark webhook add https://acme.example/hooks --tenant acme --events batch.completed`"
)
def add(
    url: Annotated[str, typer.Argument(help="Where to call, by `https://`.", metavar="URL", show_default=False)],
    *,
    tenant: Annotated[str, typer.Option(help="Whose it is.", show_default=False)],
    events: Annotated[str, typer.Option(help="About what, divided by commas.")] = _CHOICES,
    each_of_batches: Annotated[
        bool, typer.Option("--each-of-batches", help="About each analysis of a batch too, beside the batch's end.")
    ] = False,
) -> None:
    """Have a server called from now on; its secret is the last line, and is shown this once."""
    from runtime.webhooks.command_work import add_webhook  # noqa: PLC0415  # keeps `earmark --help` quick

    add_webhook(settings(), url, tenant, events, each_of_batches=each_of_batches)


@webhook.command(
    "list",
    epilog="Examples:\n\n`earmark webhook list`\n\n`earmark webhook list --tenant acme`\n\n"
    "`earmark webhook list wh_5e8f0c7a9b1d2e3f4a5b --json`",
)
def list_all(
    name: Annotated[
        str, typer.Argument(help="One webhook, whose calls are listed.", metavar="[WEBHOOK]", show_default=False)
    ] = "",
    *,
    tenant: Annotated[str, typer.Option(help="Only of this customer.")] = "",
    most: Annotated[int, typer.Option(min=1, help="No more calls than so many, the latest.")] = 50,
    as_json: Json = False,
) -> None:
    """List webhooks, or the calls of one, the latest first."""
    from runtime.webhooks.command_work import list_calls, list_webhooks  # noqa: PLC0415

    if name:
        list_calls(settings(), name, most, as_json=as_json)
    else:
        list_webhooks(settings(), tenant, as_json=as_json)


@webhook.command(
    "test", epilog="Example:\n\n`earmark webhook test wh_5e8f0c7a9b1d2e3f4a5b`\n\nExit status: 3 when it failed."
)
def call(name: Webhook, *, as_json: Json = False) -> None:
    """Call a server now with the event `webhook.test`, once, and say what came of it."""
    from runtime.webhooks.command_work import call_once  # noqa: PLC0415

    raise typer.Exit(call_once(settings(), name, as_json=as_json))


@webhook.command(
    epilog="Example:\n\n`earmark webhook replay wh_5e8f0c7a9b1d2e3f4a5b evt_0f6a1d3c5b7e4a92b8c1d2e3f4a5b6c7`"
)
def replay(
    name: Webhook,
    event: Annotated[str, typer.Argument(help="Id of the event: `evt_…`.", metavar="EVENT", show_default=False)],
) -> None:
    """Tell an event once more, as soon as the router sees it: `earmark route` or `earmark up`."""
    from runtime.webhooks.command_work import tell_again  # noqa: PLC0415

    tell_again(settings(), name, event)


@webhook.command(epilog="Example:\n\n`earmark webhook rotate wh_5e8f0c7a9b1d2e3f4a5b`")
def rotate(name: Webhook) -> None:
    """Give a new secret, printed as the last line; for 24 hours the one before signs as well."""
    from runtime.webhooks.command_work import change_secret  # noqa: PLC0415

    change_secret(settings(), name)


@webhook.command(epilog="Example:\n\n`earmark webhook enable wh_5e8f0c7a9b1d2e3f4a5b`")
def enable(name: Webhook) -> None:
    """Have a server called again that answered 410."""
    from runtime.webhooks.command_work import enable_again  # noqa: PLC0415

    enable_again(settings(), name)


@webhook.command(epilog="Example:\n\n`earmark webhook remove wh_5e8f0c7a9b1d2e3f4a5b`")
def remove(name: Webhook) -> None:
    """Have a server called no more; calls that wait are not made."""
    from runtime.webhooks.command_work import remove_webhook  # noqa: PLC0415

    remove_webhook(settings(), name)
