"""``earmark submit`` and ``earmark batch``: their arguments; other modules do the work."""

from pathlib import Path
from typing import Annotated

import typer

from runtime.batches.result_format import ResultFormat
from runtime.retention.arguments import settings

batch = typer.Typer(no_args_is_help=True, rich_markup_mode="markdown", help="Batches: how far they are, their results.")
BatchId = Annotated[str, typer.Argument(help="Id of the batch.", metavar="ID", show_default=False)]
Tenant = Annotated[str, typer.Option(help="Whose batch it is; not given = whoever's has that id.", show_default=False)]
Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]


def register(app: typer.Typer) -> None:
    """Add the commands to the app."""
    app.command(
        epilog="Examples:\n\n`earmark submit tracks.csv --tenant acme --follow`\n\n`earmark submit ~/Music`\n\n"
        "`earmark submit uploads/acme/albums/ --tenant acme`"
    )(submit)
    app.add_typer(batch, name="batch")


def submit(
    source: Annotated[
        str,
        typer.Argument(
            help="A manifest (lines of JSON, CSV with a header, or one address or path a line; `-` = standard input), "
            "`uploads/PREFIX` or `gs://BUCKET/PREFIX`, or a folder.",
            metavar="MANIFEST|PREFIX|FOLDER",
            show_default=False,
        ),
    ],
    *,
    tenant: Annotated[str, typer.Option(help="Whose audio it is.")] = "default",
    name: Annotated[str | None, typer.Option(help="What to call it.", show_default=False)] = None,
    follow: Annotated[bool, typer.Option("--follow", help="Wait until all of it was analysed.")] = False,
    feed: Annotated[
        bool, typer.Option("--feed/--no-feed", help="Feed it here; else the router does, if one runs.")
    ] = True,
    as_json: Json = False,
) -> None:
    """Send many files as one batch: `earmark work` analyses them, after all that is urgent.

    Prints the id of the batch.  The same again goes on with a batch that is not over.  Lines that cannot be read are
    rejected with their numbers and end nothing; the same audio twice is analysed once.
    """
    from runtime.batches import submit as submitting  # noqa: PLC0415  # keeps `earmark --help` quick

    status = submitting.submit(settings(), source, tenant=tenant, name=name, follow=follow, feed=feed, as_json_=as_json)
    raise typer.Exit(status)


@batch.command("list", epilog="Examples:\n\n`earmark batch list`\n\n`earmark batch list --tenant acme`")
def list_(
    *,
    tenant: Annotated[str, typer.Option(help="Only of this customer.")] = "",
    limit: Annotated[int, typer.Option(min=1, help="At most so many.")] = 20,
    as_json: Json = False,
) -> None:
    """Batches of all customers, or of one, the latest first."""
    from runtime.batches.desk import list_batches  # noqa: PLC0415

    list_batches(settings(), tenant, limit=limit, json_=as_json)


@batch.command(epilog="Examples:\n\n`earmark batch show ID --failures 20`")
def show(
    batch_id: BatchId,
    *,
    tenant: Tenant = "",
    failures: Annotated[int, typer.Option(min=0, max=1000, help="Show so many entries without an analysis.")] = 10,
    as_json: Json = False,
) -> None:
    """How far a batch has come, how quickly it goes on, and what went wrong."""
    from runtime.batches.desk import show_batch  # noqa: PLC0415

    raise typer.Exit(show_batch(settings(), batch_id, tenant, failures=failures, json_=as_json))


@batch.command(epilog="Examples:\n\n`earmark batch cancel ID`\n\n`earmark batch cancel ID --tenant acme`")
def cancel(batch_id: BatchId, *, tenant: Tenant = "") -> None:
    """Take no further entries, and drop what waits unless somebody else asked for it too."""
    from runtime.batches.desk import cancel_batch  # noqa: PLC0415

    cancel_batch(settings(), batch_id, tenant)


@batch.command(epilog="Examples:\n\n`earmark batch results ID --format parquet --out acme.parquet`")
def results(
    batch_id: BatchId,
    *,
    tenant: Tenant = "",
    form: Annotated[ResultFormat, typer.Option("--format", help="How they are written.")] = ResultFormat.JSONL,
    out: Annotated[Path | None, typer.Option(help="Write to this file instead of standard output.")] = None,
) -> None:
    """Results of all entries in their order; those without an analysis say why."""
    from runtime.batches.desk import write_results  # noqa: PLC0415

    write_results(settings(), batch_id, tenant, form, out)
