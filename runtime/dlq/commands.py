"""``earmark dlq``: the arguments of its commands; ``session`` and ``replay`` do the work."""

from typing import Annotated

import typer

from earmark import log
from earmark.errors import ConfigurationError
from earmark.settings import Settings, load
from runtime.dlq.filters import Filters
from runtime.moments import time_of

dlq = typer.Typer(
    no_args_is_help=True,
    rich_markup_mode="markdown",
    help="Dead letters: jobs that came to no answer.  See what failed and why, replay it, or discard it for a reason.",
)

STATES = ("open", "replayed", "resolved", "discarded", "quarantined")

Ids = Annotated[list[str] | None, typer.Argument(help="Ids, or their beginnings.", show_default=False)]
Group = Annotated[str, typer.Option(help="Letters of this group: a fingerprint or its beginning.")]
All = Annotated[bool, typer.Option("--all", help="All letters that the filters let pass.")]
Tenant = Annotated[str, typer.Option(help="Only of this tenant.")]
Kind = Annotated[str, typer.Option(help="Only where the last failure is of this class, as `model_crashed`.")]
FailedModel = Annotated[str, typer.Option("--failed-model", help="Only where the last failure was this model's.")]
Since = Annotated[str, typer.Option(help="Only if last buried then or later: `2026-01-31T12:00`, UTC, or `2h` ago.")]
Until = Annotated[str, typer.Option(help="Only if last buried before then.")]
States = Annotated[
    list[str] | None,
    typer.Option("--state", help=f"Only in this state ({', '.join(STATES)}, all); may be given several times."),
]
Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Say which letters are meant, and leave them.")]


@dlq.command(
    "list",
    epilog="Examples:\n\n`earmark dlq list`\n\n`earmark dlq list --kind model_crashed --since 2h`\n\n"
    "`earmark dlq list --group 3f2a --letters --json | jq -r .id`",
)
def list_letters(
    group: Group = "",
    tenant: Tenant = "",
    kind: Kind = "",
    model: Annotated[
        str, typer.Option("--failed-model", "--model", help="Only where the last failure was this model's.")
    ] = "",
    since: Since = "",
    until: Until = "",
    state: States = None,
    letters: Annotated[bool, typer.Option("--letters", help="One line a letter, not a group.")] = False,
    as_json: Json = False,
) -> None:
    """Groups of letters with the same cause, the largest first; without those that are resolved or discarded."""
    from runtime.dlq.session import list_all  # noqa: PLC0415

    filters = _filters(group, tenant, kind, model, since, until, state)
    list_all(_settings(), filters, letters=letters, as_json=as_json)


@dlq.command(epilog="Examples:\n\n`earmark dlq show 3f2a81`\n\n`earmark dlq show 3f2a81 --json`")
def show(
    job_id: Annotated[str, typer.Argument(help="Id of the letter, or its beginning.", metavar="ID")],
    as_json: Json = False,
) -> None:
    """Everything about one letter: its job, every try of each of its lives, and all that was done about it."""
    from runtime.dlq.session import show_one  # noqa: PLC0415

    show_one(_settings(), job_id, as_json=as_json)


@dlq.command(
    epilog="Examples:\n\n`earmark dlq replay 3f2a81`\n\n`earmark dlq replay --group 9c1d --dry-run`\n\n"
    "`earmark dlq replay --group 9c1d --rate 20 --wait`\n\n`earmark dlq replay --all --tenant acme --since 1d`\n\n"
    "`earmark dlq replay --group 9c1d --model listener`\n\nExit status: 3 when letters failed again or were "
    "passed over, or the first ones did not do well enough for the rest to follow."
)
def replay(
    ids: Ids = None,
    group: Group = "",
    everything: All = False,
    tenant: Tenant = "",
    kind: Kind = "",
    failed_model: FailedModel = "",
    since: Since = "",
    until: Until = "",
    state: States = None,
    dry_run: DryRun = False,
    rate: Annotated[float | None, typer.Option(help="At most so many a second.", min=0.001)] = None,
    canary: Annotated[int, typer.Option(help="Letters put first, to see how they fare; 0 = none.", min=0)] = 5,
    canary_timeout: Annotated[
        float, typer.Option(help="Seconds to wait for them; when they are not through by then, no more follow.", min=0)
    ] = 600.0,
    include_quarantined: Annotated[
        bool, typer.Option("--include-quarantined", help="Those too that failed several replays.")
    ] = False,
    model: Annotated[str, typer.Option(help="Run them on this model, here in this process, and wait.")] = "",
    wait: Annotated[bool, typer.Option("--wait", help="Wait until all have ended.")] = False,
    as_json: Json = False,
) -> None:
    """Put letters in their lanes again, with fresh tries: five first, and no more if over half of those fail again."""
    from runtime.dlq.replay import ReplayOptions, replay_some  # noqa: PLC0415

    filters = _filters(group, tenant, kind, failed_model, since, until, state, ids=ids, everything=everything)
    options = ReplayOptions(
        dry_run=dry_run,
        rate=rate,
        canary=canary,
        canary_timeout_s=canary_timeout,
        include_quarantined=include_quarantined,
        model=model,
        wait=wait,
    )
    raise typer.Exit(replay_some(_settings(), _chosen(filters), options, as_json=as_json))


@dlq.command(
    epilog="Examples:\n\n`earmark dlq discard 3f2a81 --reason 'test upload'`\n\n"
    "`earmark dlq discard --group 9c1d --reason 'no audio; customer told, ticket 123'`"
)
def discard(
    reason: Annotated[str, typer.Option(help="Why; kept in the audit log.", show_default=False)],
    ids: Ids = None,
    group: Group = "",
    everything: All = False,
    tenant: Tenant = "",
    kind: Kind = "",
    failed_model: FailedModel = "",
    since: Since = "",
    until: Until = "",
    state: States = None,
    dry_run: DryRun = False,
    as_json: Json = False,
) -> None:
    """Decide that nothing is to be done about letters; `list --state discarded` shows them until they expire."""
    from runtime.dlq.session import discard_some  # noqa: PLC0415

    if not reason.strip():
        message = "Say why with --reason; an empty one tells nobody anything."
        raise ConfigurationError(message)
    filters = _filters(group, tenant, kind, failed_model, since, until, state, ids=ids, everything=everything)
    raise typer.Exit(discard_some(_settings(), _chosen(filters), reason.strip(), dry_run=dry_run, as_json=as_json))


@dlq.command(epilog="Examples:\n\n`earmark dlq stats`\n\n`earmark report failure_analytics --json`")
def stats(as_json: Json = False) -> None:
    """How many letters there are by state, class and tenant, and how long the oldest has been waiting."""
    from runtime.dlq.session import show_stats  # noqa: PLC0415

    show_stats(_settings(), as_json=as_json)


def _settings() -> Settings:
    effective = load()
    chosen = effective.sources["log_level"] != "default"
    settings = effective.settings
    log.attach(settings.log_level if chosen else "warning", settings.log_format, project=settings.log_project)
    return effective.settings


def _filters(
    group: str,
    tenant: str,
    kind: str,
    model: str,
    since: str,
    until: str,
    states: list[str] | None,
    *,
    ids: list[str] | None = None,
    everything: bool = False,
) -> Filters:
    unknown = sorted(set(states or ()) - {*STATES, "all"})
    if unknown:
        message = f"There is no state {unknown[0]!r}.  There are: {', '.join(STATES)}, and all."
        raise ConfigurationError(message)
    chosen = frozenset(STATES if "all" in states else states) if states else None
    return Filters(
        ids=tuple(dict.fromkeys(ids or ())),
        everything=everything,
        group=group.lower(),
        tenant=tenant,
        kind=kind,
        model=model,
        since=time_of("--since", since),
        until=time_of("--until", until),
        states=chosen,
    )


def _chosen(filters: Filters) -> Filters:
    """The filters, if they say clearly which letters are to be changed."""
    ways = [bool(filters.ids), bool(filters.group), filters.everything]
    narrowed = any((filters.tenant, filters.kind, filters.model, filters.since, filters.until))
    if sum(ways) != 1 or (filters.ids and narrowed):
        message = "Say which letters: ids, or --group F, or --all; filters go with --group and --all."
        raise ConfigurationError(message)
    return filters
