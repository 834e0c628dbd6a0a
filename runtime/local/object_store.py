"""``LocalObjectStore``: objects as files that a person can open, ``root/bucket/name``.

An object's generation is the modification time of its file in nanoseconds, set by us so that it always grows:
each of a few lock files remembers the last one given, also to objects deleted since.  Whoever writes or deletes
holds the lock file of that name; readers need no lock, for a file is replaced by one rename.  What is not an
object (locks, half-written files, holds, the few content types that do not follow from the name) lies in
``root/.earmark``, outside of every bucket.

Two things differ from a store in a cloud, and raise ``InvalidName``: a segment over 255 bytes, and a name that
is the folder of another (``a`` beside ``a/b``).
"""
# pathlib knows no paths of bytes:
# ruff: noqa: PTH103, PTH108, PTH112, PTH116, PTH118, PTH120, PTH122, PTH123

import contextlib
import hashlib
import os
import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import BinaryIO, Final

from earmark.clock import utc_now
from earmark.errors import ConfigurationError, InvalidName, ObjectHeld, ObjectMissing, PreconditionFailed, Unavailable
from earmark.object_names import checked_name
from earmark.ports import Clock, ObjectInfo
from runtime.local.object_files import (
    Chunks,
    Temporary,
    locked,
    open_regular,
    prune,
    status_of,
    sweep,
    sync_folder,
    translated,
)

_LOCKS: Final = 16
_MAX_SEGMENT_BYTES: Final = 255
"""What a file name may have on ext4, XFS, Btrfs, APFS and NTFS."""
_BUCKET: Final = re.compile(r"[a-z0-9][a-z0-9._-]{1,61}[a-z0-9]")
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND: Final = timedelta(microseconds=1)

_TYPE_OF_SUFFIX: Final = {
    b".csv": "text/csv",
    b".flac": "audio/flac",
    b".html": "text/html",
    b".json": "application/json",
    b".jsonl": "application/jsonl",
    b".mp3": "audio/mpeg",
    b".txt": "text/plain",
    b".wav": "audio/wav",
}
"""Content types that need no note beside the object.  Never change a line: old objects rely on it."""
_OTHER_TYPE: Final = "application/octet-stream"


class LocalObjectStore:
    """One bucket; see ``earmark.ports.ObjectStore`` for what it promises."""

    def __init__(self, root: Path, bucket: str, *, clock: Clock = utc_now) -> None:
        """Open a bucket, made the first time, and remove what dead writers left half written.

        One that was there and is gone, say with its disk, is not made again: an empty one in its place would say of
        every object that there is none.

        Raises:
            ConfigurationError: the bucket has no proper name.
            Unavailable: the folders cannot be made.
        """
        if not _BUCKET.fullmatch(bucket):
            message = f"{bucket!r} names no bucket: use 3 to 63 of a-z, 0-9, dot, dash and underscore"
            raise ConfigurationError(message)
        self._clock = clock
        top = os.fsencode(root.absolute())
        self._bucket = os.path.join(top, bucket.encode())
        own = os.path.join(top, b".earmark", bucket.encode())
        self._locks, self._temporary, self._types, self._holds = (
            os.path.join(own, part) for part in (b"locks", b"new", b"types", b"holds")
        )
        with translated(f"The bucket {bucket}"):
            if not os.path.isdir(own):
                os.makedirs(self._bucket, exist_ok=True)
            for folder in (self._locks, self._temporary, self._types, self._holds):
                os.makedirs(folder, exist_ok=True)
            sweep(self._temporary)

    def read(self, name: str, *, generation: int | None = None) -> Iterator[bytes]:
        """The bytes in chunks of at most one MiB, from the file that bears the name now."""
        path = self._path(name)
        with translated(name):
            descriptor = open_regular(path)
            if descriptor is None:
                self._find_bucket()
                message = f"There is no object {name}"
                raise ObjectMissing(message)
            chunks = Chunks(descriptor, name)
            present = os.fstat(descriptor).st_mtime_ns
        if generation not in {None, present}:
            chunks.close()
            message = f"{name} has generation {present}, not {generation}"
            raise ObjectMissing(message)
        return chunks

    def write(
        self, name: str, content: bytes | BinaryIO, *, content_type: str, if_generation: int | None = None
    ) -> ObjectInfo:
        """Store bytes: filled and synced aside, moved into place by one rename, the folder synced."""
        path = self._path(name)
        self._find_bucket()
        with translated(name), Temporary(self._temporary) as temporary:
            temporary.fill(content)
            with locked(self._lock_of(name)) as lock:
                present = status_of(path)
                if if_generation is not None:
                    _demand(name, if_generation, present)
                self._demand_free(name, path, present)
                before_ns = 0 if present is None else present.st_mtime_ns
                generation = temporary.stamp(self._now_ns(), max(before_ns, _last(lock)))
                _remember(lock, generation)
                self._note_type(path, generation, content_type)
                temporary.move(path, self._bucket)
                if present is not None:
                    self._forget_type(path, before_ns)
            size_bytes = os.fstat(temporary.descriptor).st_size
        return ObjectInfo(name, generation, size_bytes, _time(generation), content_type)

    def stat(self, name: str) -> ObjectInfo | None:
        """What is known about the file that bears the name now."""
        path = self._path(name)
        with translated(name):
            info = self._info(name, path)
            if info is None:
                self._find_bucket()
        return info

    def scan(self, prefix: str = "", *, start_after: str = "") -> Iterator[ObjectInfo]:
        """Walk the folders in order; what comes or goes meanwhile may be seen or not."""
        self._find_bucket()
        wanted, after = (text.encode("utf-8", "surrogatepass") for text in (prefix, start_after))
        for name in self._walk(b"", wanted, after):
            try:
                text = name.decode()
                path = self._path(text)
            except (UnicodeDecodeError, InvalidName):
                continue  # a file that somebody else put here
            with translated(text):
                info = self._info(text, path)
            if info is not None:
                yield info

    def delete(self, name: str, *, if_generation: int) -> bool:
        """Remove the file, and the folders that are empty without it."""
        path = self._path(name)
        with translated(name), locked(self._lock_of(name)) as lock:
            present = status_of(path)
            if present is None:
                return False
            _demand(name, if_generation, present)
            self._demand_free(name, path, present)
            _remember(lock, max(_last(lock), present.st_mtime_ns))
            os.unlink(path)
            folder = os.path.dirname(path)
            sync_folder(folder)
            self._forget_type(path, present.st_mtime_ns)
            prune(folder, self._bucket)
        return True

    def protect(
        self, name: str, *, if_generation: int, held: bool | None = None, not_needed_after: datetime | None = None
    ) -> bool:
        """Note a hold beside the file; nothing here is cleaned up by itself, so ``not_needed_after`` needs no note."""
        del not_needed_after
        path = self._path(name)
        with translated(name), locked(self._lock_of(name)):
            present = status_of(path)
            if present is None:
                return False
            _demand(name, if_generation, present)
            if held is not None and held != self._is_held(path, if_generation):
                note = self._note(self._holds, path, if_generation)
                if held:
                    os.close(os.open(note, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o666))
                else:
                    os.unlink(note)
                sync_folder(self._holds)
        return True

    @property
    def folder(self) -> Path:
        """Where the files are."""
        return Path(os.fsdecode(self._bucket))

    def strangers(self, prefix: str = "") -> Iterator[Path]:
        """Files that no name can reach, by the signs in theirs or because they are links or no plain files.

        ``scan`` passes them over: somebody put them here, and nobody hears, expires or deletes them.
        """
        self._find_bucket()
        for name in self._walk(b"", prefix.encode("utf-8", "surrogatepass"), b""):
            path = os.path.join(self._bucket, name)
            with translated(os.fsdecode(name)):
                if os.path.lexists(path) and not (status_of(path) is not None and self._can_name(name)):
                    yield Path(os.fsdecode(path))

    def remove_stranger(self, path: Path) -> bool:
        """Remove a file that ``strangers`` gave, and the folders that are empty without it; False = it is gone."""
        name = os.fsencode(path)
        with translated(os.fsdecode(name)):
            try:
                os.unlink(name)
            except FileNotFoundError:
                return False
            folder = os.path.dirname(name)
            sync_folder(folder)
            prune(folder, self._bucket)
        return True

    def _can_name(self, name: bytes) -> bool:
        """Whether an object can have this name."""
        try:
            self._path(name.decode())
        except (UnicodeDecodeError, InvalidName):
            return False
        return True

    def _info(self, name: str, path: bytes) -> ObjectInfo | None:
        status = status_of(path)
        while status is not None:
            generation = status.st_mtime_ns
            noted = self._noted_type(path, generation)
            status_after = status if noted is not None else status_of(path)
            if status_after is not None and status_after.st_mtime_ns == generation:
                held = self._is_held(path, generation)
                return ObjectInfo(name, generation, status.st_size, _time(generation), noted or _type_of(path), held)
            status = status_after  # overwritten in between, and the note went with the old generation
        return None

    def _walk(self, folder: bytes, prefix: bytes, after: bytes) -> Iterator[bytes]:
        """Names below a folder (ends with a slash or is empty) that match, in order of their bytes."""
        with translated(os.fsdecode(folder) or "The bucket"):
            try:
                entries = list(os.scandir(os.path.join(self._bucket, folder)))
            except FileNotFoundError:
                return
            # A folder sorts as its name with the slash, since that is how the names below it go on.
            names = sorted(
                path + (b"/" if entry.is_dir(follow_symlinks=False) else b"")
                for entry in entries
                if (path := folder + entry.name).startswith(prefix) or prefix.startswith(path)
            )
        for name in names:
            if name.endswith(b"/"):
                may_match = name.startswith(prefix) or prefix.startswith(name)
                if may_match and (name > after or after.startswith(name)):
                    yield from self._walk(name, prefix, after)
            elif name.startswith(prefix) and name > after:
                yield name

    def _find_bucket(self) -> None:
        """Raise when the bucket itself is gone, say with its disk, for then nothing is known about objects."""
        try:
            os.stat(self._bucket)
        except FileNotFoundError as error:
            message = (
                f"The bucket {self.folder.name} cannot be reached: its folder "
                f"{self.folder} is gone.  Bring it back, or make it anew if nothing of it is wanted."
            )
            raise Unavailable(message) from error

    def _path(self, name: str) -> bytes:
        checked = checked_name(name)
        if any(len(segment) > _MAX_SEGMENT_BYTES for segment in checked.split(b"/")):
            message = f"{name[:80]!r}… cannot be stored here: a segment has more than {_MAX_SEGMENT_BYTES} bytes"
            raise InvalidName(message)
        return os.path.join(self._bucket, checked)

    def _lock_of(self, name: str) -> bytes:
        number = hashlib.sha256(name.encode()).digest()[0] % _LOCKS
        return os.path.join(self._locks, str(number).encode())

    def _note(self, folder: bytes, path: bytes, generation: int) -> bytes:
        """The file that says something about one generation of an object: its content type, or that it is held."""
        digest = hashlib.sha256(path.removeprefix(self._bucket + b"/")).hexdigest()[:32]
        return os.path.join(folder, f"{digest}-{generation}".encode())

    def _is_held(self, path: bytes, generation: int) -> bool:
        return os.path.lexists(self._note(self._holds, path, generation))

    def _demand_free(self, name: str, path: bytes, present: os.stat_result | None) -> None:
        """Raise where a hold is on what would be lost."""
        if present is not None and self._is_held(path, present.st_mtime_ns):
            message = f"{name} is held"
            raise ObjectHeld(message)

    def _noted_type(self, path: bytes, generation: int) -> str | None:
        try:
            with open(self._note(self._types, path, generation), encoding="utf-8") as note:
                return note.read()
        except FileNotFoundError:
            return None

    def _note_type(self, path: bytes, generation: int, content_type: str) -> None:
        """Write the note before there is such a generation, so that nobody ever sees one without the other."""
        if content_type == _type_of(path):
            return
        with open(
            self._note(self._types, path, generation), "w", encoding="utf-8"
        ) as note:  # no reader before the rename
            note.write(content_type)
            note.flush()
            os.fsync(note.fileno())
        sync_folder(self._types)

    def _forget_type(self, path: bytes, generation: int) -> None:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(self._note(self._types, path, generation))

    def _now_ns(self) -> int:
        return (self._clock() - _EPOCH) // _MICROSECOND * 1000


def _type_of(path: bytes) -> str:
    return _TYPE_OF_SUFFIX.get(os.path.splitext(path)[1], _OTHER_TYPE)


def _time(generation: int) -> datetime:
    return _EPOCH + timedelta(microseconds=generation // 1000)


def _demand(name: str, generation: int, present: os.stat_result | None) -> None:
    """Raise unless the object has this generation; 0 means that there is none."""
    found = 0 if present is None else present.st_mtime_ns
    if found != generation:
        message = f"{name} has generation {found}, not {generation}" if found else f"There is no object {name}"
        raise PreconditionFailed(message)


def _last(lock: int) -> int:
    """The last generation given under a lock; 0 = none yet."""
    text = os.pread(lock, 32, 0)
    return int(text) if text.strip().isdigit() else 0


def _remember(lock: int, generation: int) -> None:
    os.pwrite(lock, b"%031d\n" % generation, 0)
