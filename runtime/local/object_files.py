"""The file system's side of ``LocalObjectStore``: locks, safe folders, temporary files, one rename.

Everything works on paths of bytes, so that no locale has a say in what a name means.
"""
# pathlib knows no paths of bytes:
# ruff: noqa: PTH102, PTH104, PTH106, PTH108, PTH110, PTH114, PTH116, PTH118, PTH120

import contextlib
import errno
import fcntl
import os
import random
import secrets
import stat
import time
from collections.abc import Iterator
from typing import BinaryIO, Final, Self

from earmark.errors import InvalidName, Unavailable

CHUNK_BYTES: Final = 1 << 20
_WAIT_S: Final = 30.0
_PAUSE_S: Final = 0.002
_ATTEMPTS: Final = 100
"""Times a folder may vanish, tidied up by somebody else, before a file is in it."""
_STEPS_NS: Final = (1, 100, 1_000, 1_000_000, 2_000_000_000)
"""Steps in which file systems keep times: ext4, NTFS, …, down to the two seconds of FAT."""
_READ_FLAGS: Final = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC


@contextlib.contextmanager
def translated(what: str) -> Iterator[None]:
    """Turn the file system's errors into ours."""
    try:
        yield
    except OSError as error:
        if error.errno == errno.ENAMETOOLONG:
            message = f"{what} cannot be stored here: a part of its name is longer than this file system allows"
            raise InvalidName(message) from error
        message = f"{what} cannot be reached: {os.strerror(error.errno or errno.EIO)}"
        raise Unavailable(message) from error


class Chunks(Iterator[bytes]):
    """The bytes of an open file; closes it at the end, or when nobody wants the rest."""

    def __init__(self, descriptor: int, what: str) -> None:
        """Own the descriptor."""
        self._descriptor = descriptor
        self._what = what

    def __iter__(self) -> Self:
        """Itself."""
        return self

    def __next__(self) -> bytes:
        """The next chunk."""
        if self._descriptor < 0:
            raise StopIteration
        with translated(self._what):
            chunk = os.read(self._descriptor, CHUNK_BYTES)
        if not chunk:
            self.close()
            raise StopIteration
        return chunk

    def close(self) -> None:
        """Let go of the file."""
        descriptor, self._descriptor = self._descriptor, -1
        if descriptor >= 0:
            os.close(descriptor)

    def __del__(self) -> None:
        """Let go of the file."""
        self.close()


def open_regular(path: bytes) -> int | None:
    """Open a file to read; None where there is no regular file."""
    try:
        descriptor = os.open(path, _READ_FLAGS)
    except OSError as error:
        if error.errno in {errno.ENOENT, errno.ENOTDIR, errno.ENXIO}:
            return None
        if error.errno == errno.ELOOP and os.path.islink(path):
            return None
        raise
    if stat.S_ISREG(os.fstat(descriptor).st_mode):
        return descriptor
    os.close(descriptor)
    return None


def status_of(path: bytes) -> os.stat_result | None:
    """What the file system knows about a regular file; None where there is none."""
    try:
        status = os.stat(path, follow_symlinks=False)
    except (FileNotFoundError, NotADirectoryError):
        return None
    return status if stat.S_ISREG(status.st_mode) else None


@contextlib.contextmanager
def locked(path: bytes) -> Iterator[int]:
    """Hold a lock file alone, against threads and processes; gives its descriptor.  The wait is bounded."""
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o666)
    try:
        deadline = time.monotonic() + _WAIT_S
        while True:
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if time.monotonic() >= deadline:
                    message = f"{os.fsdecode(path)} was locked by another process for {_WAIT_S:.0f} seconds"
                    raise Unavailable(message) from None
                time.sleep(_PAUSE_S * random.uniform(0.5, 1.5))  # noqa: S311  # jitter, no secret
        yield descriptor
    finally:
        os.close(descriptor)


class Temporary:
    """A file being filled, which becomes an object by one rename or disappears.

    Its lock says that somebody is at work; ``sweep`` removes those whose owner died.
    """

    def __init__(self, folder: bytes) -> None:
        """Make it.  A sweeper may see it before it is locked, so look again once it is."""
        while True:
            self.path = os.path.join(folder, secrets.token_hex(16).encode())
            self.descriptor = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o666)
            fcntl.flock(self.descriptor, fcntl.LOCK_EX)
            if os.path.exists(self.path):
                return
            os.close(self.descriptor)

    def __enter__(self) -> Self:
        """Itself."""
        return self

    def __exit__(self, *_: object) -> None:
        """Close it, and remove it unless it was moved."""
        with contextlib.suppress(FileNotFoundError):
            os.unlink(self.path)
        os.close(self.descriptor)

    def fill(self, content: bytes | BinaryIO) -> None:
        """Write all of the content and sync it to the disk."""
        chunks = [content] if isinstance(content, bytes) else iter(lambda: content.read(CHUNK_BYTES), b"")
        for chunk in chunks:
            rest = memoryview(chunk)
            while rest:
                rest = rest[os.write(self.descriptor, rest) :]
        os.fsync(self.descriptor)

    def stamp(self, now_ns: int, later_than_ns: int) -> int:
        """Set its time to the present, but later than the given one; returns the time the file system kept."""
        for step in _STEPS_NS:
            at_ns = (max(now_ns, later_than_ns + 1) + step - 1) // step * step
            os.utime(self.descriptor, ns=(at_ns, at_ns))
            kept_ns = os.fstat(self.descriptor).st_mtime_ns
            if kept_ns == at_ns:
                return kept_ns
        message = "The file system does not keep the times of files, by which generations are told apart"
        raise Unavailable(message)

    def move(self, target: bytes, top: bytes) -> None:
        """Become ``target``, in folders below ``top`` that are made as needed, and sync that to the disk."""
        folder = os.path.dirname(target)
        for _ in range(_ATTEMPTS):
            try:
                make_folders(folder, top)
                os.rename(self.path, target)
            except FileNotFoundError:
                continue  # somebody tidied up the empty folder in between
            except (NotADirectoryError, FileExistsError):
                message = f"{os.fsdecode(target)} cannot be stored: a part of its path is an object here"
                raise InvalidName(message) from None
            except IsADirectoryError:
                if remove_empty(target):
                    continue
                message = f"{os.fsdecode(target)} cannot be stored: other objects lie below that name"
                raise InvalidName(message) from None
            sync_folder(folder)
            return
        message = f"The folder {os.fsdecode(folder)} keeps vanishing"
        raise Unavailable(message)


def sweep(folder: bytes) -> int:
    """Remove the temporary files whose owner died; returns how many."""
    removed = 0
    for entry in os.scandir(folder):
        try:
            descriptor = os.open(entry.path, os.O_RDWR | os.O_CLOEXEC)
        except FileNotFoundError:
            continue
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            os.unlink(entry.path)
            removed += 1
        except (BlockingIOError, FileNotFoundError):
            pass
        finally:
            os.close(descriptor)
    return removed


def make_folders(folder: bytes, top: bytes) -> None:
    """Make the folders below ``top`` down to ``folder``, each durably."""
    if folder == top:
        return
    parent = os.path.dirname(folder)
    make_folders(parent, top)
    try:
        os.mkdir(folder)
    except FileExistsError:
        if not stat.S_ISDIR(os.stat(folder).st_mode):
            raise
    else:
        sync_folder(parent)


def prune(folder: bytes, top: bytes) -> None:
    """Remove ``folder`` and those above it, up to but without ``top``, for as long as they are empty."""
    while folder != top:
        try:
            os.rmdir(folder)
        except OSError:
            return
        folder = os.path.dirname(folder)


def remove_empty(folder: bytes) -> bool:
    """Remove a folder in which there is nothing but empty folders; False where there is more."""
    for place, _, _ in os.walk(folder, topdown=False):
        with contextlib.suppress(OSError):
            os.rmdir(place)
    return not os.path.lexists(folder)


def sync_folder(folder: bytes) -> None:
    """Make the names in a folder durable; a folder that is gone needs it no more."""
    try:
        descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    except FileNotFoundError:
        return
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
