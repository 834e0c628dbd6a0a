"""Inventory reports of Storage Insights: CSV files that list the objects of a bucket, so that nobody has to list them.

A report has a header and a line for each object; of its columns ``name``, ``generation``, ``size`` and ``timeCreated``
are needed (metadata fields of https://cloud.google.com/storage/docs/insights/inventory-reports), ``contentType`` and
``temporaryHold`` are used.  Large reports come in several files, in no order that is promised: they are sorted here, on
the disk.
"""

import csv
import heapq
import json
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack
from datetime import datetime
from itertools import islice
from pathlib import Path
from typing import IO, Final, TextIO

from earmark.errors import ConfigurationError
from earmark.named_file import printable
from earmark.ports import ObjectInfo

NEEDED: Final = ("name", "generation", "size", "timeCreated")
SORTED_AT_ONCE: Final = 100_000
"""Lines sorted in memory: some 50 MB."""
_OTHER_TYPE: Final = "application/octet-stream"
_Line = tuple[bytes, int, int, str, str, bool]


def read_reports(paths: Sequence[Path], *, sorted_at_once: int = SORTED_AT_ONCE) -> Iterator[ObjectInfo]:
    """The objects in the files of a report, in order of the UTF-8 bytes of their names, each name once.

    Of several generations of a name, as a bucket with versions has them, the latest one counts.

    Raises:
        ConfigurationError: a file cannot be read, lacks a column, or has a line that cannot be understood.
    """
    with ExitStack() as stack:
        runs = [stack.enter_context(run) for run in _sorted_runs(_lines(paths), sorted_at_once)]
        last: _Line | None = None
        for line in heapq.merge(*map(_read_back, runs)):
            if last is not None and line[0] != last[0]:
                yield _info(last)
            last = line
        if last is not None:
            yield _info(last)


def _lines(paths: Sequence[Path]) -> Iterator[_Line]:
    for path in paths:
        try:
            with path.open(newline="", encoding="utf-8") as file:
                yield from _parsed(file, path)
        except (OSError, UnicodeDecodeError) as error:
            message = f"Cannot read the inventory report {printable(str(path))}: {error}"
            raise ConfigurationError(message) from error


def _parsed(file: TextIO, path: Path) -> Iterator[_Line]:
    reader = csv.DictReader(file, restval="")
    lacking = [name for name in NEEDED if name not in (reader.fieldnames or ())]
    if lacking:
        message = (
            f"The inventory report {printable(str(path))} lacks {', '.join(lacking)}.  "
            f"Let its configuration include {', '.join(NEEDED)}, with a header."
        )
        raise ConfigurationError(message)
    try:
        for row in reader:
            came_at = datetime.fromisoformat(row["timeCreated"])
            if came_at.tzinfo is None:
                message = "timeCreated has no time zone"
                raise ValueError(message)  # noqa: TRY301  # as for the other faults of a line
            name, kind = row["name"].encode(), row.get("contentType") or _OTHER_TYPE
            held = (row.get("temporaryHold") or "").lower() == "true"
            yield name, int(row["generation"]), int(row["size"]), came_at.isoformat(), kind, held
    except (ValueError, csv.Error) as error:
        message = f"Line {reader.line_num} of the inventory report {printable(str(path))} is wrong: {error}"
        raise ConfigurationError(message) from error


def _sorted_runs(lines: Iterator[_Line], size: int) -> Iterator[IO[str]]:
    """Files without a name, each sorted, that go with the process however it ends."""
    while run := sorted(islice(lines, size)):
        file = tempfile.TemporaryFile("w+", encoding="utf-8")  # noqa: SIM115  # the caller closes it
        file.writelines(json.dumps([line[0].decode(), *line[1:]]) + "\n" for line in run)
        file.seek(0)
        yield file


def _read_back(file: Iterable[str]) -> Iterator[_Line]:
    for text in file:
        name, generation, size_bytes, came_at, kind, held = json.loads(text)
        yield name.encode(), generation, size_bytes, came_at, kind, held


def _info(line: _Line) -> ObjectInfo:
    name, generation, size_bytes, came_at, kind, held = line
    return ObjectInfo(name.decode(), generation, size_bytes, datetime.fromisoformat(came_at), kind, held)
