"""Temporary files of the tests in memory: they wait for thousands of syncs, which say nothing there about a disk."""

import os
import shutil
import tempfile
from pathlib import Path

DISK = Path("/dev/shm")  # noqa: S108  # what is made there has a name that nobody guesses
"""Where Linux has a file system in memory."""
ENOUGH_BYTES = 4 * 1024**3
"""A run leaves a few hundred MB; containers have 64 MiB there unless they are given more."""
_PREFIX = "earmark-tests-"


def chosen(disk: Path = DISK, enough_bytes: int = ENOUGH_BYTES) -> Path | None:
    """A new folder in memory; None where there is no room, or ``TMPDIR`` says where to go.

    Folders of runs that were killed are removed first, for nothing else gives their memory back.
    """
    if os.environ.get("TMPDIR") or not disk.is_dir():
        return None
    for left in disk.glob(f"{_PREFIX}*"):
        pid = left.name.removeprefix(_PREFIX).split("-")[0]
        if pid.isdigit() and not Path(f"/proc/{pid}").exists():
            shutil.rmtree(left, ignore_errors=True)
    if shutil.disk_usage(disk).free < enough_bytes:
        return None
    return Path(tempfile.mkdtemp(prefix=f"{_PREFIX}{os.getpid()}-", dir=disk))


def use(folder: Path) -> None:
    """Let this process, and all that it starts, put temporary files there."""
    os.environ["TMPDIR"] = str(folder)
    tempfile.tempdir = None
