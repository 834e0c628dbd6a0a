"""A cost report as a table, JSON or CSV."""

import csv
import json
import sys
from typing import Final

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from runtime.cost.report import HOUR_S, CostLine, CostReport
from runtime.exports.columns import inert

HEADS: Final = {
    "jobs": "jobs",
    "audio_h": "audio h",
    "cost_usd": "$ in all",
    "machine_usd": "$ primary",
    "fallback_usd": "$ fallback",
    "other_usd": "$ other",
    "usd_per_1000_jobs": "$ / 1,000 jobs",
    "usd_per_audio_h": "$ / audio h",
    "fallback_share": "asked",
}
"""What the table shows, and what it calls it."""
WIDTH: Final = 140
"""Columns of a table that goes to a file or a pipe."""
FREE: Final = (
    "The primary's time is free here: EARMARK_MODEL_USD_PER_HOUR is 0, or was when these jobs ended.  "
    "`earmark cost break-even` reckons with the prices of machines."
)


def row_of(line: CostLine) -> dict[str, object]:
    """A line as it is written, numbers unrounded."""
    return {
        **line.keys,
        "jobs": line.jobs,
        "done": line.done,
        "audio_h": line.audio_s / HOUR_S,
        "predict_s": line.predict_s,
        "cost_usd": line.cost_usd,
        "machine_usd": line.machine_usd,
        "fallback_usd": line.fallback_usd,
        "other_usd": line.other_usd,
        "usd_per_1000_jobs": line.usd_per_1000_jobs,
        "usd_per_audio_h": line.usd_per_audio_h,
        "asked": line.asked,
        "fallback_share": line.fallback_share,
    }


def print_json(report: CostReport, asked: dict[str, object]) -> None:
    """Print all of it; ``asked`` says what was asked for."""
    found = {**asked, "rows": [row_of(line) for line in report.lines], "total": row_of(report.total)}
    sys.stdout.write(json.dumps(found, indent=1) + "\n")


def print_csv(report: CostReport) -> None:
    """Print the lines, one a row, below their names; without the sum, which whoever adds them up would count twice."""
    rows = [row_of(line) for line in report.lines]
    writer = csv.DictWriter(sys.stdout, list(rows[0]) if rows else list(row_of(report.total)), lineterminator="\n")
    writer.writeheader()
    for row in rows:
        writer.writerow({name: inert(value) if isinstance(value, str) else value for name, value in row.items()})


def print_table(report: CostReport) -> None:
    """Print a table with the sum below."""
    total = report.total
    if not total.jobs:
        sys.stdout.write("No jobs have ended in this time.\n")
        return
    console = Console(width=None if sys.stdout.isatty() else WIDTH, highlight=False)
    shown = Table(box=box.SIMPLE_HEAD, pad_edge=False, show_footer=len(report.lines) > 1)
    keys = list(report.lines[0].keys)
    sums = row_of(total)
    for place, key in enumerate(keys):
        shown.add_column(key, footer="" if place else "all", overflow="fold")
    for name, head in HEADS.items():
        shown.add_column(head, footer=_text(name, sums[name]), justify="right")
    for line in report.lines:
        row = row_of(line)
        shown.add_row(*(Text(line.keys[key] or "none") for key in keys), *(_text(name, row[name]) for name in HEADS))
    console.print(shown)
    if total.predict_s > 0 and not total.machine_usd:
        console.print(Text(FREE))


def _text(name: str, value: object) -> str:
    if value is None:
        return ""
    if isinstance(value, int):
        return f"{value:,}"
    assert isinstance(value, float)  # noqa: S101  # nothing else is shown
    return f"{value:.1%}" if name == "fallback_share" else f"{value:,.2f}" if name == "audio_h" else f"{value:,.4f}"
