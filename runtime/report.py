"""``earmark report`` and ``earmark status``: what the warehouse and the queues say."""

import json
import os
import sys

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from earmark.named_query import load_query, query_names
from earmark.settings import Settings
from runtime.wiring import connect

WIDTH = 200
"""Columns of a table that goes to a file or a pipe."""


def list_reports(*, as_json: bool) -> None:
    """Print the reports there are."""
    found = {name: load_query(name).description for name in query_names()}
    if as_json:
        _print_json(found)
        return
    width = max(map(len, found))
    for name, text in found.items():
        sys.stdout.write(f"{name:{width}}  {text}\n")


def run_report(settings: Settings, name: str, *, as_json: bool) -> None:
    """Print one report.

    Raises:
        ConfigurationError: there is no such report.
    """
    rows = connect(settings).warehouse.query(name)
    if as_json:
        _print_json(rows)
    elif not rows:
        sys.stdout.write("No rows yet.\n")
    else:
        _print_table(rows)


def show_status(settings: Settings, *, as_json: bool) -> None:
    """Print the depth of each queue."""
    backend = connect(settings)
    rows: list[dict[str, object]] = []
    for name, look in backend.depths.items():
        depth = look()
        rows.append(
            {
                "queue": name,
                "waiting": depth.waiting,
                "delayed": depth.delayed,
                "leased": depth.leased,
                "oldest_s": round(depth.oldest_age_s, 1),
            }
        )
    if as_json:
        _print_json(rows)
    else:
        _print_table(rows)


def _print_json(value: object) -> None:
    sys.stdout.write(json.dumps(value, indent=1, default=str) + "\n")


def _print_table(rows: list[dict[str, object]]) -> None:
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
