"""``Archiver``: old audio moves to the archive, a bucket of a colder and cheaper class, as FLAC where that saves.

Nothing about how long it is kept changes by that.  Each step leaves something true behind: the copy is written, then
its row, then the original is deleted in the generation that was copied, then its row says so.  Killed in between, the
next run copies again over what it left.
"""

import hashlib
import logging
import tempfile
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from pathlib import Path
from typing import IO, Final

from earmark.errors import ObjectHeld, ObjectMissing, PreconditionFailed, Unavailable
from earmark.log import event
from earmark.ports import Clock, ObjectInfo, ObjectStore
from earmark.rows import CatalogueRow
from earmark.vocabulary import ObjectState
from retention.catalogue import Catalogue, object_id
from retention.packing import CONTENT_TYPE, pack, unpack, unpacked_sha256

_log = logging.getLogger(__name__)

UPLOADS: Final = "uploads"
ARCHIVE: Final = "archive"
STAY: Final = timedelta(days=90)
"""What leaves sooner than this stays where it is: a cold class is paid for 90 days at least, and notices go ahead."""
SAVES: Final = 0.95
"""Packed only where no more than this part of the size is left."""
_OTHER_TYPE: Final = "application/octet-stream"


class Archiving(StrEnum):
    """What became of an object."""

    PACKED = "packed"
    """It is in the archive as FLAC."""
    COPIED = "copied"
    """It is in the archive as it came."""
    LEFT = "left"
    """It is held, changed, gone, or leaves too soon."""


@dataclass(frozen=True, slots=True)
class Archived:
    """An object and what became of it."""

    row: CatalogueRow
    archiving: Archiving
    size_bytes: int
    """It takes now."""


class Archiver:
    """Moves objects, one after another."""

    def __init__(
        self,
        *,
        catalogue: Catalogue,
        uploads: ObjectStore,
        archive: ObjectStore,
        scratch: Path,
        clock: Clock,
        stays_until: Callable[[CatalogueRow], datetime | None],
        dated: Callable[[str, CatalogueRow], None] = lambda _bucket, _row: None,
    ) -> None:
        """Take the rows, both buckets and a folder for a copy at a time.

        ``stays_until`` gives when an object expires, or ``None`` for one that is held; ``dated`` hears of a new row in
        a bucket, to tell the store when nobody needs it any more.
        """
        self._catalogue = catalogue
        self._uploads = uploads
        self._archive = archive
        self._scratch = scratch
        self._clock = clock
        self._stays_until = stays_until
        self._dated = dated

    def archive(self, rows: Iterable[CatalogueRow]) -> Iterator[Archived]:
        """Move objects of the upload bucket; what cannot be moved now is left, and the next one taken.

        Raises:
            Unavailable: a store or the rows cannot be reached; what was moved is moved.
        """
        for row in rows:
            if row.bucket == UPLOADS and row.state == ObjectState.ACTIVE:
                yield self._one(row)

    def _one(self, row: CatalogueRow) -> Archived:
        until = self._stays_until(row)
        info = self._uploads.stat(row.name)
        leaves = until is None or until <= self._clock() + STAY
        if leaves or info is None or info.generation != row.generation or info.held:
            return Archived(row, Archiving.LEFT, row.size_bytes)
        try:
            with ExitStack() as stack:
                self._scratch.mkdir(parents=True, exist_ok=True)
                copy, smaller = (stack.enter_context(self._temporary()) for _ in range(2))
                return self._move(row, info, copy, smaller)
        except (ObjectMissing, PreconditionFailed, ObjectHeld):
            return Archived(row, Archiving.LEFT, row.size_bytes)
        except OSError as error:
            message = f"There is no room to pack audio in: {error.strerror or error}"
            raise Unavailable(message) from error

    def _move(self, row: CatalogueRow, info: ObjectInfo, copy: IO[bytes], smaller: IO[bytes]) -> Archived:
        digest = hashlib.sha256()
        for chunk in self._uploads.read(row.name, generation=row.generation):
            digest.update(chunk)
            copy.write(chunk)
        content, packed = copy, _packed(copy, info.size_bytes, smaller, digest.hexdigest())
        content_type = info.content_type if info.content_type != CONTENT_TYPE else _OTHER_TYPE
        if packed:
            content, content_type = smaller, CONTENT_TYPE
        content.seek(0)
        present = self._archive.stat(row.name)
        written = self._archive.write(
            row.name,
            content,  # type: ignore[arg-type]  # an open file has all that is read of it
            content_type=content_type,
            if_generation=present.generation if present else 0,
        )
        now = self._clock()
        older = [
            each.model_copy(update={"state": ObjectState.REPLACED.value, "at": now})
            for each in self._catalogue.find(ARCHIVE, row.name)
            if each.state in {ObjectState.ACTIVE, ObjectState.NOTICED} and each.generation != written.generation
        ]
        new = row.model_copy(
            update={
                "row_id": object_id(ARCHIVE, row.name, written.generation),
                "at": now,
                "bucket": ARCHIVE,
                "generation": written.generation,
                "size_bytes": written.size_bytes,
                "content_type": content_type,
                "content_sha256": digest.hexdigest(),
                "state": ObjectState.ACTIVE.value,
                "notice": None,
                "delete_after": None,
                "packed": packed,
            }
        )
        self._catalogue.record([*older, new])
        self._dated(ARCHIVE, new)
        try:
            self._uploads.delete(row.name, if_generation=row.generation)
        except (PreconditionFailed, ObjectHeld):
            self._archive.delete(row.name, if_generation=written.generation)
            self._catalogue.record([new.model_copy(update={"state": ObjectState.REPLACED.value, "at": self._clock()})])
            raise
        self._catalogue.record([row.model_copy(update={"state": ObjectState.ARCHIVED.value, "at": self._clock()})])
        event(_log, "object.archived", object_id=row.row_id, tenant=row.tenant, packed=packed,
              size_bytes=row.size_bytes, left_bytes=written.size_bytes)  # fmt: skip
        return Archived(row, Archiving.PACKED if packed else Archiving.COPIED, written.size_bytes)

    def _temporary(self) -> IO[bytes]:
        return tempfile.NamedTemporaryFile(dir=self._scratch, prefix="archive-")


def _packed(copy: IO[bytes], size_bytes: int, smaller: IO[bytes], sha256: str) -> bool:
    """Whether ``smaller`` now holds all of it in less space; what does not come back byte for byte is not packed."""
    try:
        if not pack(copy, size_bytes, smaller):  # type: ignore[arg-type]  # an open file
            return False
        left_bytes = smaller.seek(0, 2)
        return left_bytes <= SAVES * size_bytes and unpacked_sha256(smaller) == sha256  # type: ignore[arg-type]  # same
    except ValueError as error:
        event(_log, "object.not_packed", level=logging.WARNING, error=str(error))
        return False


def read_archived(archive: ObjectStore, name: str, scratch: Path) -> Iterator[bytes]:
    """The bytes of an archived object as they came to us, in chunks.

    Raises:
        ObjectMissing: there is none of that name in the archive.
        Unavailable: the archive cannot be reached, there is no room, or what lies there is damaged.
    """
    info = archive.stat(name)
    if info is None:
        message = f"There is no object {name} in the archive"
        raise ObjectMissing(message)
    chunks = archive.read(name, generation=info.generation)
    if info.content_type != CONTENT_TYPE:
        yield from chunks
        return
    try:
        scratch.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile(dir=scratch, prefix="archive-") as file:
            for chunk in chunks:
                file.write(chunk)
            file.flush()
            yield from unpack(file)  # type: ignore[arg-type]  # an open file
    except (OSError, ValueError) as error:
        message = f"The archived object {name} cannot be unpacked: {error}"
        raise Unavailable(message) from error
