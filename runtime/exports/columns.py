"""The columns of an analysis as one row of a table: CSV and Parquet, of one analysis or of a batch, have the same."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from typing import Final

from earmark.domain import Analysis, Record
from earmark.metadata import Rated

Cell = str | float | int | bool | datetime | tuple[str, ...] | None
"""What a row has in a column; ``None`` = unknown."""

BETWEEN: Final = "; "
"""Between the words of a list, where a cell is one text."""
_FORMULA: Final = frozenset("=+-@\t\r")
"""First signs of a text that spreadsheets run (OWASP, CSV injection)."""


class Kind(StrEnum):
    """What the cells of a column are, where they are not ``None``."""

    TEXT = "text"
    NUMBER = "number"
    """``float``."""
    COUNT = "count"
    """``int`` of 64 bits."""
    FLAG = "flag"
    """``bool``."""
    MOMENT = "moment"
    """Aware UTC ``datetime``."""
    WORDS = "words"
    """``tuple`` of texts; empty = none are known."""


@dataclass(frozen=True, slots=True)
class Column:
    """One column of a table."""

    name: str
    kind: Kind
    of: Callable[[Analysis], Cell]
    """What an analysis has there."""


def _words(entries: Iterable[Rated[str]]) -> tuple[str, ...]:
    return tuple(str(entry.value) for entry in entries if entry.value is not None)


def _text(value: str | None) -> str | None:
    """An enum member becomes plain text."""
    return None if value is None else str(value)


ANALYSIS_COLUMNS: Final[tuple[Column, ...]] = (
    Column("confidence", Kind.NUMBER, lambda a: a.confidence),
    Column("review", Kind.FLAG, lambda a: a.provenance.review),
    Column("content_type", Kind.TEXT, lambda a: _text(a.metadata.content_type.value)),
    Column("content_type_confidence", Kind.NUMBER, lambda a: a.metadata.content_type.confidence),
    Column("genres", Kind.WORDS, lambda a: _words(a.metadata.genres)),  # type: ignore[arg-type]  # enums are strings
    Column("moods", Kind.WORDS, lambda a: _words(a.metadata.moods)),  # type: ignore[arg-type]
    Column("instruments", Kind.WORDS, lambda a: _words(a.metadata.instruments)),  # type: ignore[arg-type]
    Column("vocals", Kind.TEXT, lambda a: _text(a.metadata.vocals.value)),
    Column("vocals_confidence", Kind.NUMBER, lambda a: a.metadata.vocals.confidence),
    Column("tempo_bpm", Kind.NUMBER, lambda a: a.metadata.tempo_bpm.value),
    Column("tempo_confidence", Kind.NUMBER, lambda a: a.metadata.tempo_bpm.confidence),
    Column("key", Kind.TEXT, lambda a: a.metadata.key.value),
    Column("key_confidence", Kind.NUMBER, lambda a: a.metadata.key.confidence),
    Column("language", Kind.TEXT, lambda a: a.metadata.language.value),
    Column("language_confidence", Kind.NUMBER, lambda a: a.metadata.language.confidence),
    Column("transcript", Kind.TEXT, lambda a: a.metadata.transcript.value),
    Column("transcript_confidence", Kind.NUMBER, lambda a: a.metadata.transcript.confidence),
    Column("description", Kind.TEXT, lambda a: a.metadata.description.value),
    Column("tags", Kind.WORDS, lambda a: _words(a.metadata.tags)),
    Column("duration_s", Kind.NUMBER, lambda a: a.technical.duration_s),
    Column("sample_rate_hz", Kind.COUNT, lambda a: a.technical.sample_rate_hz),
    Column("channels", Kind.COUNT, lambda a: a.technical.channels),
    Column("codec", Kind.TEXT, lambda a: a.technical.codec),
    Column("container", Kind.TEXT, lambda a: a.technical.container),
    Column("size_bytes", Kind.COUNT, lambda a: a.technical.size_bytes),
    Column("loudness_lufs", Kind.NUMBER, lambda a: a.technical.loudness_lufs),
    Column("true_peak_dbtp", Kind.NUMBER, lambda a: a.technical.true_peak_dbtp),
    Column("model", Kind.TEXT, lambda a: a.model),
    Column("content_sha256", Kind.TEXT, lambda a: a.content_sha256),
)
"""Of an analysis; empty where there is none."""

STANDING_COLUMNS: Final[Mapping[str, Kind]] = {
    "job_id": Kind.TEXT,
    "status": Kind.TEXT,
    "error_kind": Kind.TEXT,
    "error": Kind.TEXT,
    "remedy": Kind.TEXT,
    "settled_at": Kind.MOMENT,
}
"""Of every job, however it ended."""

COLUMNS: Final[Mapping[str, Kind]] = {
    **STANDING_COLUMNS,
    **{column.name: column.kind for column in ANALYSIS_COLUMNS},
}
"""All of them, in order; a table may have its own before them."""


def row_of(record: Record) -> dict[str, Cell]:
    """A settled job as a row: each of ``COLUMNS``, in order."""
    failure = record.failures[-1] if record.status != "done" and record.failures else None
    return {
        "job_id": record.job_id,
        "status": record.status,
        "error_kind": failure.kind if failure else None,
        "error": failure.message if failure else None,
        "remedy": (failure.remedy or None) if failure else None,
        "settled_at": record.settled_at,
        **cells(record.analysis),
    }


def cells(analysis: Analysis | None) -> dict[str, Cell]:
    """An analysis as cells: each of ``ANALYSIS_COLUMNS``, in order, all empty without one."""
    if analysis is None:
        return {column.name: () if column.kind is Kind.WORDS else None for column in ANALYSIS_COLUMNS}
    return {column.name: column.of(analysis) for column in ANALYSIS_COLUMNS}


def as_text(cell: Cell) -> str:
    """A cell of a CSV file: nothing for ``None``, times in ISO 8601, lists joined, text such that nothing runs it."""
    match cell:
        case None:
            return ""
        case bool():
            return "true" if cell else "false"
        case datetime():
            return cell.astimezone(UTC).isoformat().replace("+00:00", "Z")
        case tuple():
            return inert(BETWEEN.join(cell))
        case str():
            return inert(cell)
    return repr(cell)


def inert(text: str) -> str:
    """Text that a spreadsheet would run as a formula gets a leading apostrophe; line ends become line feeds."""
    plain = text.replace("\r\n", "\n").replace("\r", "\n")  # Python before 3.13 would leave a lone one unquoted
    return f"'{plain}" if text[:1] in _FORMULA else plain
