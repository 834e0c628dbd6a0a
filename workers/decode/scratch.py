"""``Scratch``: a folder that belongs to one pool for as long as its process lives, and is swept up after it."""

import contextlib
import fcntl
import os
import shutil
import tempfile
from pathlib import Path

_LOCK = ".lock"


class Scratch:
    """A sub-folder of a shared one.

    Its owner holds a lock on a file beside it, which the kernel gives up however the owner dies.  Unlike a
    process id in the name, a lock cannot be mistaken for that of a later process or of one in another container.
    """

    def __init__(self, root: Path) -> None:
        """Sweep up after the dead, then make a folder of our own in ``root``, which is made if need be.

        Raises:
            OSError: the folder cannot be written.
        """
        root.mkdir(parents=True, exist_ok=True)
        sweep(root)
        self._lock, self.folder = _claim(root)

    def new(self) -> tuple[int, Path]:
        """An empty file nobody else has: a descriptor open for writing, and its path.

        Raises:
            OSError: the folder cannot be written.
        """
        descriptor, name = tempfile.mkstemp(".f32", "clip-", self.folder)
        return descriptor, Path(name)

    def close(self) -> None:
        """Remove the folder with all that is in it."""
        if self._lock >= 0:
            shutil.rmtree(self.folder, ignore_errors=True)
            lock = self.folder.with_suffix(_LOCK)
            lock.unlink(missing_ok=True)
            os.close(self._lock)
            self._lock = -1


def sweep(root: Path) -> None:
    """Remove the folders in ``root`` whose owners are dead."""
    for lock in root.glob("*" + _LOCK):
        with contextlib.suppress(OSError):  # its owner, or another sweeper, was quicker
            descriptor = os.open(lock, os.O_RDWR)
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                shutil.rmtree(lock.with_suffix(""), ignore_errors=True)
                lock.unlink(missing_ok=True)
            finally:
                os.close(descriptor)


def _claim(root: Path) -> tuple[int, Path]:
    while True:
        descriptor, name = tempfile.mkstemp(_LOCK, f"{os.getpid()}-", root)
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        if os.fstat(descriptor).st_nlink:  # else a sweeper came between the two lines above and took it away
            break
        os.close(descriptor)
    folder = Path(name).with_suffix("")
    folder.mkdir(mode=0o700)
    return descriptor, folder
