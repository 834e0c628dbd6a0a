"""``BatchSource``: what a person names for a batch: a manifest, a prefix or a folder."""

import json
import os
import stat
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Final

from earmark.errors import ConfigurationError
from earmark.named_file import printable
from earmark.sniff import SNIFF_BYTES, sniff
from runtime.analyzing.inputs import expand

STDIN: Final = "-"
_PREFIXES: Final = ("gs://", "uploads/")
_CHUNK_BYTES: Final = 1 << 20


@dataclass(frozen=True, slots=True)
class BatchSource:
    """One source."""

    prefix: str | None
    """An address under which everything is an entry; ``None`` = there is a manifest."""
    manifest: BinaryIO | None
    folder: str
    """Where relative paths of the manifest begin."""


@contextmanager
def open_source(text: str) -> Iterator[BatchSource]:
    """What a person named.

    Args:
        text: ``gs://BUCKET/PREFIX``, ``uploads/PREFIX``, ``-`` for a manifest on standard input, a folder, or a
            manifest.

    Raises:
        ConfigurationError: there is no such file, or it is none that can be read, or audio.
    """
    if text.startswith(_PREFIXES):
        yield BatchSource(text, None, "")
        return
    if text == STDIN:
        with _spooled(iter(lambda: sys.stdin.buffer.read(_CHUNK_BYTES), b"")) as file:
            yield BatchSource(None, file, str(Path.cwd()))
        return
    path = Path(text)
    try:
        folder = stat.S_ISDIR(path.stat().st_mode)
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else str(error)
        raise _unreadable(path, reason) from error
    if folder:
        with _spooled(_lines(path)) as file:
            yield BatchSource(None, file, "")
        return
    with _opened(path) as file:
        yield BatchSource(None, file, str(path.absolute().parent))


def _lines(folder: Path) -> Iterator[bytes]:
    """A line for each file of audio in a folder."""
    for found in expand([folder]):
        if not found.skipped:
            yield json.dumps({"path": os.path.abspath(found.path)}).encode() + b"\n"  # noqa: PTH100  # follows no links


@contextmanager
def _spooled(chunks: Iterator[bytes]) -> Iterator[BinaryIO]:
    with tempfile.TemporaryFile() as file:
        for chunk in chunks:
            file.write(chunk)
        file.seek(0)
        yield file


@contextmanager
def _opened(path: Path) -> Iterator[BinaryIO]:
    try:
        if not path.is_file():
            raise _unreadable(path, "it is no regular file")
        file = path.open("rb")
    except OSError as error:
        raise _unreadable(path, error.strerror) from error
    with file:
        if sniff(file.read(SNIFF_BYTES)) is not None:
            message = f"{printable(str(path))} is audio and no manifest.  `earmark route` takes single files."
            raise ConfigurationError(message)
        file.seek(0)
        yield file


def _unreadable(path: Path, reason: str | None) -> ConfigurationError:
    return ConfigurationError(f"Cannot read {printable(str(path))}: {reason}.  Name a manifest, a prefix or a folder.")
