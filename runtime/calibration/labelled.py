"""Reads labelled files: JSON lines or CSV, each row an answer that was judged or a recording whose truth is known.

::

    {"field": "content_type", "score": 0.91, "right": true}
    {"path": "clips/1.wav", "content_type": "music", "tempo_bpm": 120, "genres": ["jazz", "blues"]}

A bad row costs that row: it becomes a line that says where and why, and the others are used.
"""

import contextlib
import csv
import hashlib
import io
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Final, NamedTuple

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from earmark.errors import ConfigurationError
from earmark.metadata import AudioMetadata
from earmark.named_file import read_bounded
from router.intake import display
from workers.calibration_fit import Label
from workers.judging import LIST_FIELDS, Truth

FILE_BYTES_MAX: Final = 256 * 1024**2
NOT_UTF8: Final = "not UTF-8"
ROW_CHARS_MAX: Final = 4_000_000
SHOWN_CHARS: Final = 60
_WORDS: Final[Mapping[str, bool]] = {"true": True, "yes": True, "1": True, "false": False, "no": False, "0": False}


def _flag(value: object) -> object:
    """Whether an answer was right: JSON has true and false, and 1 and 0 mean the same."""
    return bool(value) if type(value) is int and value in {0, 1} else value


Flag = Annotated[bool, BeforeValidator(_flag)]
"""For models that are strict: a text is no verdict."""


class _Scored(BaseModel):
    """The row of an answer that somebody judged."""

    model_config = ConfigDict(extra="ignore", frozen=True, strict=True)

    field: str
    right: Flag
    score: Annotated[float | None, Field(ge=0, le=1, allow_inf_nan=False)] = None
    confidence: Annotated[float | None, Field(ge=0, le=1, allow_inf_nan=False)] = None
    recording: str = ""
    value: Any = None
    model: str = ""
    model_version: str = ""
    engine: str = ""
    prompt_version: str = ""


class ScoredRow(NamedTuple):
    """An answer that somebody judged, and what gave it, as far as the row says."""

    place: str
    """As ``labels.jsonl:12``."""
    label: Label
    identity: Mapping[str, str]
    """``model``, ``model_version``, ``engine`` and ``prompt_version``; empty = it does not say."""
    value: str | None = None
    """What the answer was; None = it does not say."""


class TruthRow(NamedTuple):
    """A recording and what is known of it."""

    place: str
    path: Path
    truth: Truth


@dataclass(frozen=True, slots=True)
class Labelled:
    """What a file holds."""

    name: str
    sha256: str
    scored: tuple[ScoredRow, ...]
    truths: tuple[TruthRow, ...]
    problems: tuple[str, ...]
    """Rows that cannot be used, one line each; those that are not UTF-8 together."""
    ignored: tuple[str, ...]
    """Names in the rows that mean nothing here."""


def read_labelled(path: Path) -> Labelled:
    """Read a labelled file; by its name CSV, else JSON lines.

    Raises:
        ConfigurationError: it cannot be read, or is a table whose headings cannot be used.
    """
    name = display(path)
    content = read_whole(path, "labels")
    table = path.suffix.lower() == ".csv"
    rows = _csv_rows(content, name) if table else json_rows(content)
    scored: list[ScoredRow] = []
    truths: list[TruthRow] = []
    problems: list[str] = []
    ignored: dict[str, None] = {}
    undecoded: list[int] = []
    for line, row in rows:
        place = f"{name}:{line}"
        if row == NOT_UTF8:
            undecoded.append(line)
            continue
        try:
            found = _row(row, path.parent, place, table=table)
        except ValueError as error:
            problems.append(f"{place}: {_told(error)}")
            continue
        known = _Scored.model_fields if isinstance(found, ScoredRow) else {**Truth.model_fields, "path": None}
        ignored |= dict.fromkeys(str(key) for key in row if key not in known)
        if isinstance(found, ScoredRow):
            scored.append(found)
        else:
            truths.append(found)
    if undecoded:
        many = f"{len(undecoded)} rows are {NOT_UTF8}, the first in line {undecoded[0]}"
        problems.append(f"{name}: {many}.  Save the file as UTF-8")
    return Labelled(
        name=name,
        sha256=hashlib.sha256(content).hexdigest(),
        scored=tuple(scored),
        truths=tuple(truths),
        problems=tuple(problems),
        ignored=tuple(display(key)[:SHOWN_CHARS] for key in ignored),
    )


def read_whole(path: Path, what: str) -> bytes:
    """The content of a file of rows, less a byte order mark.

    Args:
        path: the file.
        what: is in it, for messages.

    Raises:
        ConfigurationError: it cannot be read, is no regular file or is too large.
    """
    content = read_bounded(path, what, most_bytes=FILE_BYTES_MAX)
    return content.removeprefix(b"\xef\xbb\xbf")


def json_rows(content: bytes) -> Iterator[tuple[int, dict[str, Any] | str]]:
    """Line number and row; a text instead of a row says why there is none."""
    for line, raw in enumerate(content.split(b"\n"), 1):
        if not raw.strip():
            continue
        try:
            if len(raw) > ROW_CHARS_MAX:
                yield line, f"longer than {ROW_CHARS_MAX} characters"
                continue
            row = json.loads(raw.decode(), object_pairs_hook=_once, parse_constant=_no_number)
        except UnicodeDecodeError:
            yield line, NOT_UTF8
        except json.JSONDecodeError as error:
            yield line, f"not JSON: {error.msg} at column {error.colno}"
        except RecursionError:
            yield line, "not JSON: nested too deeply"
        except ValueError as error:
            yield line, str(error)
        else:
            yield line, row if isinstance(row, dict) else "not a JSON object"


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    row = dict(pairs)
    if len(row) < len(pairs):
        message = "a name stands twice in it"
        raise ValueError(message)
    return row


def _no_number(text: str) -> float:
    message = f"{text} is no number"
    raise ValueError(message)


def _csv_rows(content: bytes, name: str) -> Iterator[tuple[int, dict[str, Any] | str]]:
    """As ``json_rows``; empty cells are left out, and lists are divided by semicolons."""
    rows = csv.reader(io.StringIO(content.decode("utf-8", "replace"), newline=""), strict=True)
    header: list[str] = []
    while True:
        try:
            cells = next(rows)
        except StopIteration:
            return
        except csv.Error as error:
            yield rows.line_num, f"not CSV: {error}"
            continue
        if not header:
            header = [cell.strip() for cell in cells]
            if any(header):
                _check_headings(header, name)
            else:
                header = []
        elif any("\ufffd" in cell for cell in cells):
            yield rows.line_num, NOT_UTF8
        elif len(cells) > len(header):
            yield rows.line_num, f"{len(cells)} cells under {len(header)} headings"
        elif any(cell.strip() for cell in cells):
            yield rows.line_num, {title: cell for title, cell in zip(header, cells, strict=False) if cell.strip()}


def _check_headings(header: list[str], name: str) -> None:
    """Refuse a table that no row of can be used, or that says a thing twice."""
    doubled = sorted({title for title in header if title and header.count(title) > 1})
    if doubled:
        message = f"{name} has the column {_short(doubled[0])} twice.  Take one of them out."
        raise ConfigurationError(message)
    if {"field", "right"} <= set(header) or "path" in header:
        return
    advice = "Name its columns in the first line, as docs/confidence.md has them"
    if len(header) == 1 and any(sign in header[0] for sign in ";\t|"):
        advice = "Divide its columns with commas"
    elif any("\ufffd" in title or "\0" in title for title in header):
        advice = "Save it as UTF-8"
    message = f'{name} has neither the columns "field" and "right" nor "path".  {advice}.'
    raise ConfigurationError(message)


def _row(row: dict[str, Any] | str, folder: Path, place: str, *, table: bool) -> ScoredRow | TruthRow:
    if not isinstance(row, dict):
        raise ValueError(row)  # noqa: TRY004  # why there is none; bad input, not a wrong call
    if "field" in row and "right" in row:
        return _scored(_cells(row) if table else row, place)
    if "path" in row:
        return _truth(_lists(row) if table else row, folder, place, table=table)
    message = 'neither "field" and "right" nor "path" is in it'
    raise ValueError(message)


def _cells(row: dict[str, Any]) -> dict[str, Any]:
    """The cells of a judged answer as JSON has them; what is no number or verdict stays a text, and is refused."""
    values = dict(row)
    for name in ("score", "confidence"):
        if name in row:
            with contextlib.suppress(ValueError):
                values[name] = float(row[name])
    return values | {"right": _WORDS.get(row["right"].strip().lower(), row["right"])}


def _lists(row: dict[str, Any]) -> dict[str, Any]:
    """The cells of a known truth, lists divided."""
    return row | {name: [word for word in row[name].split(";") if word.strip()] for name in LIST_FIELDS if name in row}


def _scored(row: dict[str, Any], place: str) -> ScoredRow:
    found = _Scored.model_validate(row)
    if found.field not in AudioMetadata.model_fields:
        message = f"there is no field {_short(found.field)}; there are {', '.join(AudioMetadata.model_fields)}"
        raise ValueError(message)
    label = Label(
        field=found.field,
        right=found.right,
        recording=found.recording or place,
        score=found.score,
        confidence=found.confidence,
        named=bool(found.recording),
    )
    identity = found.model_dump(include={"model", "model_version", "engine", "prompt_version"})
    return ScoredRow(place, label, identity, None if found.value is None else str(found.value))


def _truth(row: dict[str, Any], folder: Path, place: str, *, table: bool) -> TruthRow:
    path = row["path"]
    if not isinstance(path, str) or not path.strip() or "\0" in path:
        message = f"path: {_short(path)} is no path"
        raise ValueError(message)
    if not table and isinstance(row.get("tempo_bpm"), bool | str):
        message = f"tempo_bpm: {_short(row['tempo_bpm'])} is no number"
        raise ValueError(message)
    truth = Truth.model_validate({name: value for name, value in row.items() if name in Truth.model_fields})
    if all(value is None for _, value in truth):
        message = f"it says nothing about the recording; it can tell {', '.join(Truth.model_fields)}"
        raise ValueError(message)
    return TruthRow(place, folder / path, truth)


def _told(error: ValueError) -> str:
    """What is wrong with a row, in one line."""
    if isinstance(error, ValidationError):
        fault = error.errors(include_url=False)[0]
        place = ".".join(map(str, fault["loc"]))
        if fault["type"] == "value_error":  # ours, which says what it found
            return f"{place}: {fault['msg'].removeprefix('Value error, ')}"
        return f"{place}: {fault['msg']}, not {_short(fault['input'])}"
    return str(error)


def _short(value: object) -> str:
    return display(repr(value))[:SHOWN_CHARS]
