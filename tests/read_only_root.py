"""Runs a command that may write below some folders only, as in a container whose root is read-only: Landlock(7).

    python tests/read_only_root.py FOLDER… -- COMMAND…

Reading stays as it is.  Exit status 77: the kernel has no Landlock.
"""

import ctypes
import os
import sys
from typing import Final

NO_LANDLOCK: Final = 77
_CREATE, _ADD, _RESTRICT = 444, 445, 446
"""System calls: linux/include/uapi/asm-generic/unistd.h."""
_WRITE_FILE, _REFER, _TRUNCATE = 1 << 1, 1 << 13, 1 << 14
_MAKING = sum(1 << bit for bit in range(4, 13))
"""Removing and making of files and folders of all kinds: linux/include/uapi/linux/landlock.h."""
_BENEATH = 1
_DEVICES = ("/dev", "/proc/self")
"""Writable in containers too: /dev/null, and what a process says about itself."""


class _Ruleset(ctypes.Structure):
    _fields_ = (("fs", ctypes.c_uint64),)


class _Beneath(ctypes.Structure):
    _pack_ = 1
    _fields_ = (("allowed", ctypes.c_uint64), ("parent", ctypes.c_int32))


def confine(folders: list[str]) -> bool:
    """Give up all writing but below the folders; returns whether the kernel could."""
    libc = ctypes.CDLL(None, use_errno=True)
    version = libc.syscall(_CREATE, None, ctypes.c_size_t(0), 1)
    if version < 1:
        return False
    # Versions 2 and 3 brought one right each; without the first no file could be moved to another folder.
    rights = _WRITE_FILE | _MAKING | (_REFER if version > 1 else 0) | (_TRUNCATE if version > 2 else 0)
    rules = _Ruleset(fs=rights)
    descriptor = libc.syscall(_CREATE, ctypes.byref(rules), ctypes.c_size_t(ctypes.sizeof(rules)), 0)
    for folder in (*folders, *_DEVICES):
        parent = os.open(folder, os.O_PATH)
        rule = _Beneath(allowed=rights, parent=parent)
        if libc.syscall(_ADD, descriptor, _BENEATH, ctypes.byref(rule), 0) != 0:
            return False
        os.close(parent)
    return bool(libc.prctl(38, 1, 0, 0, 0) == 0 and libc.syscall(_RESTRICT, descriptor, 0) == 0)


if __name__ == "__main__":
    at = sys.argv.index("--")
    if not confine(sys.argv[1:at]):
        sys.exit(NO_LANDLOCK)
    os.execvp(sys.argv[at + 1], sys.argv[at + 1 :])  # noqa: S606  # the command that was asked for
