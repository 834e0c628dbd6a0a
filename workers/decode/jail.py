"""What a decoder gives up before it sees the first byte of a stranger's file.

Limits work on every Unix; the rest is Linux's and each part is skipped where the kernel refuses it.  A child
that breaks out of FFmpeg then finds no file, no network, no secret in its environment and no right to gain any.
"""

import contextlib
import ctypes
import fcntl
import os
import resource
import select
import signal
import sys

from workers.decode.limits import DecodeLimits

NOFILE = 32
"""Open descriptors: a handful are Python's own, two are the file's and the clip's, one FFmpeg duplicates."""

_PR_SET_NO_NEW_PRIVS = 38
_CAPABILITY_VERSION_3 = 0x20080522
_CLONE_NEWIPC, _CLONE_NEWUSER, _CLONE_NEWNET = 0x08000000, 0x10000000, 0x40000000
_LANDLOCK_CREATE_RULESET, _LANDLOCK_RESTRICT_SELF = 444, 446
"""System calls, the same numbers on every architecture: linux/include/uapi/asm-generic/unistd.h."""
_LANDLOCK_CREATE_RULESET_VERSION = 1
_LANDLOCK_FS_BITS = {1: 13, 2: 14, 3: 15, 4: 15}
"""How many file rights each Landlock version knows; 16 from version 5: linux/include/uapi/linux/landlock.h."""
_LANDLOCK_FS_BITS_NEWEST = 16
_LANDLOCK_NET_VERSION, _LANDLOCK_NET_BITS = 4, 2
_LANDLOCK_SCOPE_VERSION, _LANDLOCK_SCOPE_BITS = 6, 2


def die_with_parent(lifeline: int) -> None:
    """Have the kernel end this process when the other end of a pipe closes, however the parent died.

    Not ``PR_SET_PDEATHSIG``: that fires when the *thread* that started the child ends.  ``SIGIO`` ends a process
    by default, also one that is deep in C code, where no Python thread could act.
    """
    signal.signal(signal.SIGIO, signal.SIG_DFL)
    fcntl.fcntl(lifeline, fcntl.F_SETOWN, os.getpid())
    fcntl.fcntl(lifeline, fcntl.F_SETFL, fcntl.fcntl(lifeline, fcntl.F_GETFL) | os.O_ASYNC)
    watch = select.poll()
    watch.register(lifeline, select.POLLIN)
    if watch.poll(0):  # it closed before the kernel was asked to watch it
        os._exit(1)


def ignore_signals() -> None:
    """Leave Ctrl-C and shutdown to the worker: it decides what becomes of a file under way."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)


def limit_resources(limits: DecodeLimits) -> None:
    """Bound memory, file size and descriptors; no core dumps, no new processes."""
    bounds = {
        resource.RLIMIT_AS: limits.memory_bytes,
        resource.RLIMIT_FSIZE: limits.clip_bytes,
        resource.RLIMIT_NOFILE: NOFILE,
        resource.RLIMIT_CORE: 0,
        resource.RLIMIT_NPROC: 0,
    }
    for kind, value in bounds.items():
        # macOS refuses some of them; the parent's wall limit holds there all the same.
        with contextlib.suppress(ValueError, OSError):
            resource.setrlimit(kind, (value, value))


def allow_cpu(seconds: float) -> None:
    """Let the process compute for so much longer; the kernel ends it with ``SIGXCPU`` after that."""
    used = resource.getrusage(resource.RUSAGE_SELF)
    allowed = int(used.ru_utime + used.ru_stime + seconds) + 1
    hard = resource.getrlimit(resource.RLIMIT_CPU)[1]
    resource.setrlimit(resource.RLIMIT_CPU, (allowed if hard == resource.RLIM_INFINITY else min(allowed, hard), hard))


def confine() -> list[str]:
    """Give up privileges, network and file system; returns what took hold.  Descriptors already open stay."""
    if sys.platform != "linux":
        return []
    libc = ctypes.CDLL(None, use_errno=True)
    taken = []
    if libc.prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0:
        taken.append("no_new_privs")
    # Without a user namespace only root may have its own network; with one, root's powers end as well.
    for namespaces in (_CLONE_NEWUSER | _CLONE_NEWNET | _CLONE_NEWIPC, _CLONE_NEWNET | _CLONE_NEWIPC):
        if libc.unshare(namespaces) == 0:
            taken.append("namespaces")
            break
    if _landlock(libc):
        taken.append("landlock")
    # Last, for the namespace above made us all-powerful within it.
    header, none = (ctypes.c_uint32 * 2)(_CAPABILITY_VERSION_3, 0), (ctypes.c_uint32 * 6)()
    if libc.capset(header, none) == 0:
        taken.append("no_capabilities")
    return taken


class _Ruleset(ctypes.Structure):
    """``struct landlock_ruleset_attr``: the rights that are denied unless a rule grants them; we add no rule."""

    _fields_ = (("fs", ctypes.c_uint64), ("net", ctypes.c_uint64), ("scoped", ctypes.c_uint64))


def _landlock(libc: ctypes.CDLL) -> bool:
    version = libc.syscall(_LANDLOCK_CREATE_RULESET, None, ctypes.c_size_t(0), _LANDLOCK_CREATE_RULESET_VERSION)
    if version < 1:
        return False
    ruleset = _Ruleset(
        fs=(1 << _LANDLOCK_FS_BITS.get(version, _LANDLOCK_FS_BITS_NEWEST)) - 1,
        net=(1 << _LANDLOCK_NET_BITS) - 1 if version >= _LANDLOCK_NET_VERSION else 0,
        scoped=(1 << _LANDLOCK_SCOPE_BITS) - 1 if version >= _LANDLOCK_SCOPE_VERSION else 0,
    )
    # Older kernels know shorter structures and accept a longer one whose rest is zero.
    descriptor = libc.syscall(
        _LANDLOCK_CREATE_RULESET, ctypes.byref(ruleset), ctypes.c_size_t(ctypes.sizeof(ruleset)), 0
    )
    if descriptor < 0:
        return False
    confined = libc.syscall(_LANDLOCK_RESTRICT_SELF, descriptor, 0) == 0
    os.close(descriptor)
    return bool(confined)
