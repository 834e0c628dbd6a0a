"""``earmark report`` and ``earmark status``: what the warehouse and the queues say."""

import csv
import json
import os
import sys
from collections.abc import Mapping, Sequence
from datetime import datetime

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from earmark.clock import utc_now
from earmark.errors import Unavailable
from earmark.named_query import load_query, query_names
from earmark.settings import Settings
from router.dead_letters.letter import WAITING
from router.dead_letters.letters import Letters
from runtime import exit_status
from runtime.analyzing.output import Format
from runtime.backend import Backend, QueueDepth
from runtime.cascading import make_spend
from runtime.dlq.desk import say
from runtime.exports.columns import inert
from runtime.looking import nothing_there
from runtime.pulse import heard
from runtime.queue_depths import DEAD, with_letters
from runtime.tenants.tenancy import open_tenants
from runtime.wiring import connect_existing

PARTS = (
    "ab_evidence_",
    "ab_span",
    "analyses_of_customer",
    "audio_of_",
    "batch_",
    "batches_of_job",
    "cost_basis",
    "cost_report",
    "webhook_deliveries",
)
"""Beginnings of queries that are parts of something else, as `earmark ab report`, and say nothing by themselves."""
WIDTH = 200
"""Columns of a table that goes to a file or a pipe."""


def list_reports(form: Format = Format.TABLE) -> None:
    """Print the reports there are."""
    found = {name: load_query(name).description for name in query_names() if not name.startswith(PARTS)}
    if form is Format.JSON:
        _print_json(found)
        return
    if form is not Format.TABLE:
        _print_rows([{"name": name, "description": text} for name, text in found.items()], form)
        return
    width = max(map(len, found))
    for name, text in found.items():
        sys.stdout.write(f"{name:{width}}  {text}\n")


def run_report(
    settings: Settings, name: str, form: Format = Format.TABLE, given: Mapping[str, object] | None = None
) -> None:
    """Print one report; ``given`` are values of its parameters.

    Raises:
        ConfigurationError: there is no such report, or it has no such parameter.
    """
    load_query(name).values(given or {})  # a fault is told before a folder or a client is opened
    _print_rows(connect_existing(settings).warehouse.query(name, given), form)


def show_status(settings: Settings, *, as_json: bool) -> None:
    """Print the depth of each queue; the dead one's with the letters that wait for a person."""
    backend = connect_existing(settings)
    depths = {name: look() for name, look in backend.depths.items()}
    letters, oldest_s = _open_letters(backend)
    dead = depths.get(DEAD, QueueDepth(waiting=0, delayed=0, leased=0, oldest_age_s=0.0))
    depths[DEAD] = with_letters(dead, letters, oldest_s)
    rows: list[dict[str, object]] = [
        {
            "queue": name,
            "waiting": depth.waiting,
            "delayed": depth.delayed,
            "leased": depth.leased,
            "oldest_s": None if depth.oldest_age_s is None else round(depth.oldest_age_s, 1),
        }
        for name, depth in depths.items()
    ]
    if as_json:
        _print_json(rows)
    else:
        _print_table(rows)


def show_spend(settings: Settings, *, as_json: bool) -> int:
    """Print what the fallback cost today, in all and by tenant, and what it may cost; returns the exit status.

    A sum that cannot be read is none, and said on standard error with what to do: exit status 3.
    """
    backend = connect_existing(settings)
    spend, tenants = make_spend(settings, backend, utc_now), open_tenants(settings, backend)
    unread: list[str] = []

    def spent(tenant: str | None) -> float | None:
        try:
            return round(spend.today(tenant), 4)
        except Unavailable as error:
            unread.append(str(error))
            return None

    names = spend.tenants()  # raises where the store is away, so that what is refused below is the sum itself
    rows: list[dict[str, object]] = [
        {"tenant": "all", "spent_usd": spent(None), "cap_usd": settings.fallback_daily_usd}
    ]
    for name in names:
        own = tenants.find(name).fallback_daily_usd
        cap = settings.fallback_tenant_daily_usd if own is None else own
        rows.append({"tenant": name, "spent_usd": spent(name), "cap_usd": cap})
    if as_json:
        _print_json(rows)
    else:
        _print_table(rows)
    for why in unread:
        say(why)
    return exit_status.SOME_NOT_DONE if unread else 0


def _open_letters(backend: Backend) -> tuple[int, float]:
    """How many dead letters wait for a person, and for how many seconds the oldest has."""
    with Letters(backend.state) as letters:
        buried = [_moment(at) for state, at in letters.heads() if state in WAITING]
    return len(buried), max([(utc_now() - at).total_seconds() for at in buried], default=0.0)


def _moment(at: str) -> datetime:
    """When a letter was buried; one that does not say so properly counts as new."""
    try:
        moment = datetime.fromisoformat(at)
    except ValueError:
        return utc_now()
    return moment if moment.tzinfo else utc_now()


def show_alive(settings: Settings, *, within_s: float, as_json: bool) -> int:
    """Say when each worker of this data folder was last answered by its queue; returns the exit status.

    0 = there is a worker and each was within the limit; 4 = not so.
    """
    workers = heard(settings.data)
    if as_json:
        _print_json([{"worker": each.worker, "age_s": round(each.age_s, 1)} for each in workers])
    else:
        for each in workers:
            late = "" if each.age_s <= within_s else f"  more than {within_s:.0f} s: it is stuck, or its queue is down"
            sys.stdout.write(f"{each.worker}  {each.age_s:.1f} s ago{late}\n")
        if not workers:
            sys.stdout.write(f"{nothing_there(settings) or 'No worker runs here.'}\n")
    return 0 if workers and all(each.age_s <= within_s for each in workers) else exit_status.UNAVAILABLE


def _print_rows(rows: Sequence[Mapping[str, object]], form: Format) -> None:
    if form is Format.JSON:
        _print_json(rows)
    elif form is Format.JSONL:
        sys.stdout.writelines(json.dumps(row, default=str) + "\n" for row in rows)
    elif form is Format.CSV and rows:
        writer = csv.DictWriter(sys.stdout, list(rows[0]), lineterminator="\n")
        writer.writeheader()
        for row in rows:
            writer.writerow({name: inert(value) if isinstance(value, str) else value for name, value in row.items()})
    elif not rows:
        (sys.stderr if form is Format.CSV else sys.stdout).write("No rows yet.\n")
    else:
        _print_table(rows)


def _print_json(value: object) -> None:
    sys.stdout.write(json.dumps(value, indent=1, default=str) + "\n")


def _print_table(rows: Sequence[Mapping[str, object]]) -> None:
    console = Console(width=None if sys.stdout.isatty() or os.environ.get("COLUMNS") else WIDTH, highlight=False)
    texts = [{name: "" if value is None else _text(value) for name, value in row.items()} for row in rows]
    widths = [max(len(name), *(len(text[name]) for text in texts)) + 2 for name in rows[0]]
    if sum(widths) > console.width:
        _print_lists(console, texts)
        return
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for name, value in rows[0].items():
        table.add_column(name, justify="right" if isinstance(value, int | float) else "left", overflow="fold")
    for row in texts:
        table.add_row(*map(Text, row.values()))
    console.print(table)


def _print_lists(console: Console, texts: list[dict[str, str]]) -> None:
    """Rows too wide for the terminal, one field a line."""
    width = max(map(len, texts[0]))
    for text in texts:
        for name, value in text.items():
            console.print(Text(f"{name:{width}}  {value}"))
        console.print()


def _text(value: object) -> str:
    return f"{value:.3g}" if isinstance(value, float) else str(value)
