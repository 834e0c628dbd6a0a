"""``Segment``: a file of looks on their way into the audit log, which belongs to whoever holds its lock."""

import fcntl
import json
import logging
import os
import uuid
from pathlib import Path
from typing import Final, Self

from pydantic import ValidationError

from earmark.audit import AuditEntry
from earmark.errors import Unavailable
from earmark.log import event

_log = logging.getLogger(__name__)
SUFFIX: Final = ".looks"
BEGUN: Final = ".begun"
"""Of the note beside a file: which of its entries are on their way, and behind which link they can be."""
ATTEMPTS: Final = 8


class Segment:
    """One file, locked from when it is made until it is removed; a lock ends with its process."""

    def __init__(self, path: Path, descriptor: int, *, durable: bool) -> None:
        """Take a file that is open and locked."""
        self._path, self._descriptor, self._durable = path, descriptor, durable

    @classmethod
    def make(cls, folder: Path, *, durable: bool) -> Self:
        """A new file.

        Raises:
            OSError: it cannot be made.
        """
        folder.mkdir(parents=True, exist_ok=True)
        for _ in range(ATTEMPTS):
            path = folder / f"{uuid.uuid4().hex}{SUFFIX}"
            descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_APPEND | os.O_CLOEXEC, 0o600)
            if _locked(descriptor):  # else somebody took it for one that a dead process left, and removes it
                if durable:
                    _sync_folder(folder)
                return cls(path, descriptor, durable=durable)
            os.close(descriptor)
        raise OSError(0, "the new file is taken away again and again")

    @classmethod
    def take_over(cls, path: Path) -> Self | None:
        """A file that a dead process left; ``None`` = it is gone, or its process lives."""
        try:
            descriptor = os.open(path, os.O_RDWR | os.O_APPEND | os.O_CLOEXEC)
        except FileNotFoundError:
            return None
        if _locked(descriptor):
            return cls(path, descriptor, durable=True)
        os.close(descriptor)
        return None

    def append(self, lines: bytes) -> None:
        """Write lines, all or, with an error, perhaps a part, after which nothing more may be appended.

        Raises:
            OSError: they could not be written.
        """
        while lines:
            lines = lines[os.write(self._descriptor, lines) :]
        if self._durable:
            os.fdatasync(self._descriptor)

    def entries(self) -> list[AuditEntry]:
        """What is in it; a last line that is half there was never acknowledged, and is left out.

        Raises:
            Unavailable: it cannot be read.
        """
        found = []
        try:
            content = self._path.read_bytes()
        except OSError as error:
            message = f"The access log cannot be read: {error.strerror}"
            raise Unavailable(message) from error
        for number, line in enumerate(content.split(b"\n"), start=1):
            try:
                found += [AuditEntry.model_validate_json(line)] if line else []
            except ValidationError:
                event(_log, "access.unreadable", level=logging.ERROR, file=self._path.name, line=number)
        return found

    def begun(self) -> tuple[int, int] | None:
        """The first of the entries that were about to go into a link, and a link that was there before it.

        Those before it are in the chain; ``None`` = none is.
        """
        try:
            lines = self._note.read_bytes().split(b"\n")[:-1]
            found = json.loads(lines[-1])
            return int(found["first"]), int(found["after"])
        except (OSError, IndexError, ValueError, KeyError, TypeError):
            return None

    def begin(self, first: int, after: int) -> None:
        """Note that entries are about to go into a link, and those before them did.

        Raises:
            Unavailable: it cannot be noted.
        """
        line = json.dumps({"first": first, "after": after}).encode() + b"\n"
        try:
            with self._note.open("ab") as note:
                note.write(line)
                note.flush()
                if self._durable:
                    os.fsync(note.fileno())
        except OSError as error:
            message = f"The access log cannot be written: {error.strerror}"
            raise Unavailable(message) from error

    def remove(self) -> None:
        """Remove the file, whose entries are in the chain, and let go of it."""
        try:
            self._path.unlink(missing_ok=True)  # first, for without it the note means nothing
            self._note.unlink(missing_ok=True)
        except OSError as error:
            message = f"The access log cannot be removed: {error.strerror}"
            raise Unavailable(message) from error
        os.close(self._descriptor)

    @property
    def _note(self) -> Path:
        return self._path.with_suffix(BEGUN)


def left_behind(folder: Path) -> list[Segment]:
    """The files of dead processes, locked for this one; notes without a file are removed."""
    if not folder.is_dir():
        return []
    found = []
    for path in sorted(folder.iterdir()):
        if path.suffix == SUFFIX:
            segment = Segment.take_over(path)
            found += [segment] if segment is not None else []
        elif path.suffix == BEGUN and not path.with_suffix(SUFFIX).exists():
            path.unlink(missing_ok=True)
    return found


def _locked(descriptor: int) -> bool:
    """Whether the lock of an open file is ours from now on, and the file is still there."""
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return os.fstat(descriptor).st_nlink > 0


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
