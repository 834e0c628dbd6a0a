"""Which files a person meant: the ones named, and the audio in the folders named."""

import os
import stat
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from earmark.sniff import SNIFF_BYTES, sniff

AUDIO_SUFFIXES = frozenset(
    [
        ".aac",
        ".ac3",
        ".aif",
        ".aifc",
        ".aiff",
        ".amr",
        ".ape",
        ".asf",
        ".au",
        ".caf",
        ".dsf",
        ".dts",
        ".flac",
        ".m4a",
        ".m4b",
        ".mka",
        ".mp3",
        ".mp4",
        ".mpc",
        ".oga",
        ".ogg",
        ".opus",
        ".rf64",
        ".snd",
        ".spx",
        ".tak",
        ".tta",
        ".w64",
        ".wav",
        ".weba",
        ".webm",
        ".wma",
        ".wv",
    ]
)
"""A file in a folder that carries one of these says it is audio, so that its being none is worth telling."""


@dataclass(frozen=True, slots=True)
class Found:
    """One input, in the order in which its record is printed."""

    path: Path
    skipped: Literal["not audio", "linked folder"] | None = None
    """In a folder, neither audio by content nor named like audio, or a link to a folder: no input, only counted."""


def expand(paths: Sequence[Path]) -> Iterator[Found]:
    """Files as named; folders recursively in order of name, not through linked folders.

    A named file is always an input.  In a folder a file is one when its content is audio or its name says so.
    """
    for path in paths:
        if _is_folder(path):
            yield from _folder(path)
        else:
            yield Found(path)


def _is_folder(path: str | os.PathLike[str], *, follow_symlinks: bool = True) -> bool:
    """Whether it is a folder; what cannot be looked at is none, and its record will say why."""
    try:
        return stat.S_ISDIR(os.stat(path, follow_symlinks=follow_symlinks).st_mode)  # noqa: PTH116  # as Path.is_dir, without raising
    except (OSError, ValueError):
        return False


def _folder(folder: Path) -> Iterator[Found]:
    try:
        entries = sorted(os.scandir(folder), key=lambda entry: os.fsencode(entry.name))
    except OSError:
        yield Found(folder)  # its record says why it cannot be read
        return
    for entry in entries:
        if _is_folder(entry.path, follow_symlinks=False):
            yield from _folder(Path(entry.path))
        else:
            yield _file(Path(entry.path))


def _file(path: Path) -> Found:
    if path.suffix.lower() in AUDIO_SUFFIXES or _sounds(path):
        return Found(path)
    return Found(path, skipped="linked folder" if _is_folder(path) else "not audio")


def _sounds(path: Path) -> bool:
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError:
        return False
    try:
        return stat.S_ISREG(os.fstat(descriptor).st_mode) and sniff(os.read(descriptor, SNIFF_BYTES)) is not None
    except OSError:
        return False
    finally:
        os.close(descriptor)
