"""Results as a table, JSON, JSON lines or CSV, written as they come, in input order."""

import csv
import json
import os
import textwrap
from enum import StrEnum
from types import TracebackType
from typing import Protocol, Self, TextIO

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from earmark.metadata import AudioMetadata, Rated
from runtime.analyzing.explain import explained
from runtime.analyzing.result import Result
from runtime.exports.columns import inert

UNCLEAR = 0.5
"""A transcript less certain than this is more wrong than right: the table does not show it, the record has it."""


class Format(StrEnum):
    """How results are written."""

    TABLE = "table"
    JSON = "json"
    JSONL = "jsonl"
    CSV = "csv"


class Writer(Protocol):
    """Takes results one by one; leaving the context completes the output."""

    def write(self, result: Result) -> None:
        """Write one result."""

    def __enter__(self) -> Self:
        """Begin the output."""

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Complete the output."""


class _Open:
    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stream.flush()


class JsonLines(_Open):
    """One JSON object a line."""

    def write(self, result: Result) -> None:
        """Write a line and flush it, so that a reader of a pipe sees it at once."""
        self._stream.write(json.dumps(result.as_json(), ensure_ascii=False) + "\n")
        self._stream.flush()


class JsonArray(_Open):
    """One JSON array."""

    _written = 0

    def write(self, result: Result) -> None:
        """Write one element."""
        self._stream.write("[\n" if not self._written else ",\n")
        self._written += 1
        self._stream.write(json.dumps(result.as_json(), ensure_ascii=False, indent=1))

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close the array."""
        self._stream.write("\n]\n" if self._written else "[]\n")
        self._stream.flush()


CSV_COLUMNS = [
    "source",
    "status",
    "kind",
    "message",
    "confidence",
    "content_type",
    "content_type_confidence",
    "genres",
    "moods",
    "instruments",
    "vocals",
    "tempo_bpm",
    "tempo_confidence",
    "key",
    "key_confidence",
    "language",
    "transcript",
    "description",
    "tags",
    "duration_s",
    "sample_rate_hz",
    "channels",
    "codec",
    "loudness_lufs",
    "true_peak_dbtp",
    "model",
    "job_id",
]


class Csv(_Open):
    """One row a result; lists are joined by ``; ``."""

    def __enter__(self) -> Self:
        """Write the header."""
        self._rows = csv.DictWriter(self._stream, CSV_COLUMNS, restval="", lineterminator="\n")
        self._rows.writeheader()
        return self

    def write(self, result: Result) -> None:
        """Write one row."""
        row: dict[str, object] = {"source": result.source, "status": result.status}
        if result.fault:
            row |= {"kind": result.fault.kind, "message": result.fault.message}
        if result.analysis:
            metadata, technical = result.analysis.metadata, result.analysis.technical
            row |= technical.model_dump(include=set(CSV_COLUMNS))
            row |= {
                "confidence": result.analysis.confidence,
                "content_type": metadata.content_type.value,
                "content_type_confidence": metadata.content_type.confidence,
                "tempo_bpm": metadata.tempo_bpm.value,
                "tempo_confidence": metadata.tempo_bpm.confidence,
                "key": metadata.key.value,
                "key_confidence": metadata.key.confidence,
                "vocals": metadata.vocals.value,
                "language": metadata.language.value,
                "transcript": metadata.transcript.value,
                "description": metadata.description.value,
                "model": result.analysis.model,
                "job_id": result.analysis.job_id,
                **{
                    field: "; ".join(str(entry.value) for entry in getattr(metadata, field))
                    for field in ("genres", "moods", "instruments", "tags")
                },
            }
        self._rows.writerow({name: inert(value) if isinstance(value, str) else value for name, value in row.items()})
        self._stream.flush()


HEARD_CHARS = 62
"""Longest text in the last column of the table."""


class Explained(_Open):
    """For each record who answered which field, why, and what that cost."""

    def __init__(self, stream: TextIO) -> None:
        """Write to a terminal or a file."""
        super().__init__(stream)
        width = None if stream.isatty() or os.environ.get("COLUMNS") else 160
        self._console = Console(file=stream, width=width, highlight=False)

    def write(self, result: Result) -> None:
        """Print a record at once."""
        if result.analysis is None:
            fault = result.fault
            self._console.print(Text(f"{result.source}: {result.status}: {fault.message if fault else ''}\n"))
            return
        for part in explained(result.source, result.analysis):
            self._console.print(part)


class TableWriter(_Open):
    """A table for a person, printed when all is known; the folder that all files share is named once, above it."""

    def __init__(self, stream: TextIO) -> None:
        """Write to a terminal or a file."""
        super().__init__(stream)
        width = None if stream.isatty() or os.environ.get("COLUMNS") else 160
        self._console = Console(file=stream, width=width, highlight=False)
        self._rows: list[tuple[str, list[str | Text]]] = []

    def write(self, result: Result) -> None:
        """Keep one row."""
        self._rows.append((result.source, _cells(result)))

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Print the table."""
        shared = os.path.commonprefix([source for source, _ in self._rows]).rpartition("/")[0]  # noqa: RUF071  # cut at a slash
        folder = shared if len(self._rows) > 1 else ""
        table = Table(box=box.SIMPLE_HEAD, pad_edge=False, show_edge=False)
        table.add_column("file", overflow="fold", max_width=48)
        for name in ("what it is", "sure", "length", "tempo", "key"):
            right = name in {"sure", "length", "tempo"}
            table.add_column(name, justify="right" if right else "left", no_wrap=True)
        table.add_column("heard", overflow="fold")
        for source, cells in self._rows:
            table.add_row(Text(source.removeprefix(f"{folder}/") if folder else source), *cells)
        if self._rows:
            if folder:
                self._console.print(Text(f"in {folder}"))
            self._console.print(table)
        super().__exit__(kind, error, trace)


def _cells(result: Result) -> list[str | Text]:
    if result.analysis is None:
        fault = result.fault
        why = Text(f"{fault.message}. {fault.remedy}" if fault else "")
        return [Text(result.status, style="red"), "", "", "", "", why]
    metadata, confidence = result.analysis.metadata, result.analysis.confidence
    return [
        metadata.content_type.value or "?",
        "" if confidence is None else Text(f"{confidence:.0%}", style=_colour(confidence)),
        _length(result.analysis.technical.duration_s),
        "" if metadata.tempo_bpm.value is None else f"{metadata.tempo_bpm.value:.0f}",
        metadata.key.value or "",
        Text(textwrap.shorten(_heard(metadata), HEARD_CHARS, placeholder=" …")),
    ]


def writer(kind: Format, stream: TextIO, *, explain: bool = False) -> Writer:
    """The writer of a format; the table is replaced by explanations where they are wanted, the others hold them."""
    if explain and kind is Format.TABLE:
        return Explained(stream)
    kinds: dict[Format, type[TableWriter | JsonArray | JsonLines | Csv]] = {
        Format.TABLE: TableWriter,
        Format.JSON: JsonArray,
        Format.JSONL: JsonLines,
        Format.CSV: Csv,
    }
    return kinds[kind](stream)


def _colour(confidence: float) -> str:
    return "green" if confidence >= 0.8 else "yellow" if confidence >= 0.6 else "red"  # noqa: PLR2004


def _length(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"


def _heard(metadata: AudioMetadata) -> str:
    words: list[Rated[str]] = [*metadata.genres[:2], *metadata.instruments[:3]]  # type: ignore[list-item]  # enums are strings
    parts = [str(word.value) for word in words]
    if metadata.transcript.value:
        certain = (metadata.transcript.confidence or 0.0) >= UNCLEAR
        parts.append(f"“{metadata.transcript.value}”" if certain else "(words unclear)")
    return ", ".join(parts)
