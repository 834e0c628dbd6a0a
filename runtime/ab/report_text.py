"""The report of an experiment for a terminal and as Markdown."""

from collections.abc import Iterator
from typing import Final, TextIO

from rich import box
from rich.console import Console
from rich.padding import Padding
from rich.rule import Rule
from rich.table import Table
from rich.text import Text

from ab_testing.finding import Verdict
from ab_testing.report import Report
from ab_testing.report_sections import Section, Sheet, moment, sections
from ab_testing.report_summary import headline, summary
from ab_testing.report_words import VERDICTS
from earmark.named_file import printable

WIDTH: Final = 100
"""Columns of what goes to a file or a pipe."""
STYLES: Final = {VERDICTS[Verdict.BETTER]: "green", VERDICTS[Verdict.WORSE]: "bold red", "fired": "bold red"}
SPECIAL: Final = "\\`*_|<>[]#&~"
"""What Markdown, or HTML inside it, would take for its own."""


def write_table(report: Report, stream: TextIO, *, width: int | None = WIDTH) -> None:
    """Write the report for a person.

    Args:
        report: of which.
        stream: a terminal, which gets colours, or a file.
        width: columns; None = as wide as the terminal.
    """
    console = Console(file=stream, width=width, highlight=False)
    console.print(_text(headline(report), "bold"))
    console.print(Text(f"as of {moment(report.seen_at)}\n"))
    for sentence in summary(report):
        console.print(_text(sentence))
    for section in sections(report, narrow=True):
        console.print()
        console.print(Rule(_text(section.title, "bold"), align="left", style="dim"))
        for part in _section(section):
            console.print(part)


def _section(section: Section) -> Iterator[Text | Table | Padding]:
    for text in section.texts:
        yield _text(text)
    for sheet in section.sheets:
        if sheet.title != section.title and len(section.sheets) > 1:
            yield Text()
            yield _text(sheet.title, "italic")
        yield _table(sheet)
    for each in section.explained:
        words = _text(each.sentence)
        words.append(f"  {printable(each.would_change)}", style="dim")
        yield Padding(words, (1, 0, 0, 2))


def _table(sheet: Sheet) -> Table:
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, show_edge=False, padding=(0, 1, 0, 0))
    for column in sheet.columns:
        table.add_column(
            _text(column.name),
            justify="right" if column.figures else "left",
            overflow="fold",
            vertical="top",
            no_wrap=column.lines,
        )
    for row in sheet.rows:
        table.add_row(*(_cell(cell, lines=column.lines) for cell, column in zip(row, sheet.columns, strict=True)))
    return table


def _cell(cell: str, *, lines: bool) -> Text:
    return Text("\n").join(_text(line, STYLES.get(line, "")) for line in (cell.split("\n") if lines else [cell]))


def as_markdown(report: Report) -> str:
    """The report as GitHub's Markdown."""
    return "\n".join(_markdown(report)) + "\n"


def _markdown(report: Report) -> Iterator[str]:
    yield f"# {_inert(headline(report))}"
    yield from ("", f"As of {moment(report.seen_at)}.", "")
    yield "  ".join(map(_inert, summary(report)))
    for section in sections(report):
        yield from ("", f"## {_inert(section.title)}")
        for text in section.texts:
            yield from ("", _inert(text))
        for sheet in section.sheets:
            if len(section.sheets) > 1:
                yield from ("", f"### {_inert(sheet.title)}")
            yield ""
            yield from _rows(sheet)
        if section.explained:
            yield ""
        for each in section.explained:
            told = f"- **{_inert(each.verdict)}**: {_inert(each.sentence)}"
            yield f"{told}  What would change it: {_inert(each.would_change)}"


def _rows(sheet: Sheet) -> Iterator[str]:
    yield f"| {' | '.join(_inert(column.name) for column in sheet.columns)} |"
    yield f"|{'|'.join('---:' if column.figures else '---' for column in sheet.columns)}|"
    for row in sheet.rows:
        yield f"| {' | '.join(map(_inert, row))} |"


def _inert(text: str) -> str:
    """Text that stays in its cell or line, and is no Markdown or HTML of its own."""
    plain = printable(" ".join(text.split()))
    return "".join(f"\\{char}" if char in SPECIAL else char for char in plain)


def _text(words: str, style: str = "") -> Text:
    return Text(printable(words), style=style)
