"""``ManifestForm``: how a manifest is written: lines of JSON, CSV with a header, or a plain list of addresses."""

import csv
import json
from collections.abc import Iterable
from typing import Final, Literal, NoReturn

from earmark.errors import InputFault, InputRejected
from earmark.metadata import Frozen
from router.batches.entry import KEYS, MAX_LINE_BYTES, Entry, bad_entry, of_fields, of_json

HEAD_BYTES: Final = 64 * 1024
"""Of a manifest, by which its form is recognised."""
BOM: Final = b"\xef\xbb\xbf"
_DELIMITERS: Final = ",;\t"
"""In CSV, by what the header has; semicolons come from spreadsheets in countries whose decimals have commas."""
_WIDE: Final = (b"\xff\xfe", b"\xfe\xff")
_REMEDY: Final = (
    'Send lines of JSON such as {"uri": "…"}, CSV with a column uri or upload in its header, or one address a line.'
)


class ManifestForm(Frozen):
    """How a manifest is written."""

    kind: Literal["jsonl", "csv", "list"]
    delimiter: str = ","
    """Of CSV."""
    columns: tuple[str, ...] = ()
    """Of CSV, in lower case."""
    header_line: int = 0
    """Number of the line that is no entry; 0 = there is none."""
    line_end: Literal["\n", "\r"] = "\n"
    """A carriage return alone comes from old spreadsheets."""

    def entry(self, number: int, raw: bytes) -> Entry | None:
        """What a line says; ``None`` = nothing: it is empty, or the header.

        Args:
            number: of the line, from 1.
            raw: its bytes, with or without its end; of a longer line at least ``MAX_LINE_BYTES`` + 3 of them.
        """
        if len(raw) > MAX_LINE_BYTES + 2:  # its end may be two of them
            start = raw[:MAX_LINE_BYTES].decode("utf-8", "replace")
            return bad_entry(number, start, f"it has over {MAX_LINE_BYTES} bytes")
        try:
            line = raw.removeprefix(BOM if number == 1 else b"").decode().strip("\r\n")
        except UnicodeDecodeError:
            return bad_entry(number, raw.decode("utf-8", "backslashreplace"), "it is not UTF-8", "Write it in UTF-8.")
        if not line.strip() or number == self.header_line:
            return None
        readers = {"jsonl": of_json, "csv": self._of_csv, "list": _of_list}
        return readers[self.kind](number, line)

    def _of_csv(self, number: int, line: str) -> Entry:
        try:
            [cells] = csv.reader([line], delimiter=self.delimiter, strict=True)
        except (csv.Error, ValueError):
            return bad_entry(number, line, "a quote in it is not closed, or stands amid a cell")
        if not any(cell.strip() for cell in cells):
            return bad_entry(number, line, "all its cells are empty")
        return of_fields(number, line, dict(zip(self.columns, cells, strict=False)))


def form_of(
    head: bytes, media_type: str = "", *, line_end: Literal["\n", "\r"] = "\n", before: int = 0
) -> ManifestForm:
    """How a manifest is written, by its first bytes; what it was sent as settles what these leave open.

    Args:
        head: at least its first ``HEAD_BYTES`` bytes, or all of it; empty lines ``before`` it may be left out.
        media_type: as ``text/csv``; empty = nobody said.
        line_end: how its lines end.
        before: how many lines were left out.

    Raises:
        InputRejected: ``empty``, or ``unsupported``: it is no text in UTF-8, or CSV without a column that names audio.
    """
    if head.startswith(_WIDE):
        _refuse("It is UTF-16.", "Save it as UTF-8.")
    lines = head.removeprefix(BOM).split(line_end.encode())
    number, first = next(((at, line) for at, line in enumerate(lines, before + 1) if line.strip()), (0, b""))
    if not number:
        raise InputRejected(InputFault.EMPTY, "The manifest has no entries", _REMEDY)
    if b"\0" in first:
        _refuse("It is no text.")
    line = first.decode("utf-8", "replace").strip("\r\n")
    if line.lstrip().startswith("["):
        _refuse("It is a list in JSON.", "Send one object a line, without brackets and commas around them.")
    header = _header(line)
    if header is not None:
        delimiter, columns = header
        return ManifestForm(kind="csv", delimiter=delimiter, columns=columns, header_line=number, line_end=line_end)
    if line.lstrip().startswith(("{", '"')) and (_is_json(line) or "json" in media_type):
        return ManifestForm(kind="jsonl", line_end=line_end)
    if "csv" in media_type and any(each in line for each in _DELIMITERS):
        _refuse(f"It is CSV and its first line has none of the columns {', '.join(KEYS)}.")
    return ManifestForm(kind="jsonl" if line.lstrip().startswith("{") else "list", line_end=line_end)


def head_of(chunks: Iterable[bytes], line_end: Literal["\n", "\r"] = "\n") -> tuple[bytes, int]:
    """The first ``HEAD_BYTES`` bytes of a manifest from its first line on that is not empty, and how many are before.

    Args:
        chunks: the manifest, read as far as needed.
        line_end: how its lines end.
    """
    head, before = b"", 0
    for chunk in chunks:
        head += chunk
        if not before:
            head = head.removeprefix(BOM)
        blank = head[: len(head) - len(head.lstrip())]
        start = blank.rfind(line_end.encode()) + 1
        before += blank.count(line_end.encode())
        head = head[start:]
        if head.isspace():
            head = head[-HEAD_BYTES:]
        elif len(head) >= HEAD_BYTES:
            break
    return head[:HEAD_BYTES], before


def _of_list(number: int, line: str) -> Entry:
    return of_fields(number, line, {"uri": line})


def _header(line: str) -> tuple[str, tuple[str, ...]] | None:
    """Delimiter and columns of a header of CSV; ``None`` = it is none."""
    for delimiter in _DELIMITERS:
        try:
            [cells] = csv.reader([line], delimiter=delimiter, strict=True)
        except (csv.Error, ValueError):
            continue
        columns = tuple(cell.strip().lower() for cell in cells)
        if set(columns) & set(KEYS):
            return delimiter, columns
    return None


def _is_json(line: str) -> bool:
    try:
        json.loads(line)
    except (ValueError, RecursionError):
        return False
    return True


def _refuse(message: str, remedy: str = _REMEDY) -> NoReturn:
    raise InputRejected(InputFault.UNSUPPORTED, f"The manifest cannot be read.  {message}", remedy)
