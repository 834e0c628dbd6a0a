"""Results of a batch as a stream of bytes: JSON Lines, CSV or Parquet, and in pieces that are worth sending."""

import csv
import io
import json
from collections.abc import Iterable, Iterator, Mapping
from typing import Final

from runtime.batches.result_format import ResultFormat
from runtime.batches.results import EntryResult
from runtime.exports.columns import COLUMNS, Cell, Kind, as_text, cells

PIECE_BYTES: Final = 64 * 1024
OWN_COLUMNS: Final[Mapping[str, Kind]] = {
    "entry": Kind.COUNT,
    "id": Kind.TEXT,
    "source": Kind.TEXT,
    "duplicate": Kind.FLAG,
}
"""Of an entry, before those of every analysis."""
ALL_COLUMNS: Final[Mapping[str, Kind]] = {**OWN_COLUMNS, **COLUMNS}


def as_bytes(results: Iterable[EntryResult], form: ResultFormat) -> Iterator[bytes]:
    """Results as a stream.

    Raises:
        ConfigurationError: it is Parquet, and its package is not installed.
    """
    if form is ResultFormat.PARQUET:
        from runtime.batches.parquet import as_parquet  # noqa: PLC0415  # an extra package

        return as_parquet(results, ALL_COLUMNS, row_of)
    return _pieces(_csv_lines(results) if form is ResultFormat.CSV else map(as_json, results))


def as_json(result: EntryResult) -> bytes:
    """One line of JSON, with its end."""
    error = None if result.error is None else dict(zip(("kind", "message", "remedy"), result.error, strict=True))
    line = {
        "entry": result.entry,
        "id": result.id,
        "source": result.source,
        "status": result.status,
        "analysis_id": result.job_id,
        "duplicate": result.duplicate,
        "error": error,
    }
    analysis = result.record.analysis.model_dump_json() if result.record and result.record.analysis else "null"
    start = json.dumps(line, ensure_ascii=False).encode("utf-8", "replace")
    return start[:-1] + b', "analysis": ' + analysis.encode() + b"}\n"


def row_of(result: EntryResult) -> dict[str, Cell]:
    """An entry as a row: each of ``ALL_COLUMNS``, in order."""
    kind, message, remedy = result.error or (None, None, None)
    return {
        "entry": result.entry,
        "id": result.id,
        "source": result.source,
        "duplicate": result.duplicate,
        "job_id": result.job_id,
        "status": result.status,
        "error_kind": kind,
        "error": message,
        "remedy": remedy,
        "settled_at": result.record.settled_at if result.record else None,
        **cells(result.record.analysis if result.record else None),
    }


def _csv_lines(results: Iterable[EntryResult]) -> Iterator[bytes]:
    text = io.StringIO(newline="")
    lines = csv.writer(text, lineterminator="\r\n")

    def line(values: Iterable[str]) -> bytes:
        lines.writerow(values)
        written = text.getvalue().encode("utf-8", "replace")
        text.seek(0)
        text.truncate()
        return written

    yield line(ALL_COLUMNS)
    for result in results:
        yield line(map(as_text, row_of(result).values()))


def _pieces(lines: Iterable[bytes]) -> Iterator[bytes]:
    """Lines together until they are worth sending."""
    piece = bytearray()
    for line in lines:
        piece += line
        if len(piece) >= PIECE_BYTES:
            yield bytes(piece)
            piece.clear()
    if piece:
        yield bytes(piece)
