"""``DecoderPool``: decodes files in child processes that can be lost.

What can go wrong with a file ends as one of three things: ``InputRejected`` (the file is at fault, and always
will be), ``TimedOut`` (it took too long, which a busy machine may be to blame for) or ``Unavailable`` (the
machine is at fault).  None of them reaches the worker's own process or another file.
"""

import contextlib
import errno
import logging
import os
import queue
import signal
import stat
import threading
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from pydantic import ValidationError

from earmark.domain import Clip, Technical
from earmark.errors import InputFault, InputRejected, TimedOut, Unavailable
from earmark.log import event, masked
from workers.decode.child import PROGRAM, Child, ChildDied, ChildSlow
from workers.decode.limits import OUT_OF_MEMORY, SAMPLE_BYTES, DecodeLimits
from workers.decode.scratch import Scratch

_log = logging.getLogger(__name__)

CRASHES_MAX = 2
"""Decoders a file may crash: the first may have been weakened by another file, the second was fresh."""
REASON_CHARS_MAX = 300
CODEC_CHARS_MAX = 64
"""Longest words taken from a child, which may be in a stranger's hands."""

_ABSENT = {errno.ENOENT, errno.ENOTDIR, errno.ELOOP, errno.ENAMETOOLONG}
_FORBIDDEN = {errno.EACCES, errno.EPERM}


class DecoderPool:
    """Up to ``size`` decoder processes, started when first needed; all methods may be called from any thread."""

    def __init__(self, size: int, limits: DecodeLimits, scratch: Path, *, program: Sequence[str] = PROGRAM) -> None:
        """Claim a sub-folder of ``scratch`` for the clips, and clear what dead processes left there.

        Args:
            size: decoders at work at once.
            limits: what one file may cost.
            scratch: a folder that several processes may share.
            program: what a child runs; tests have it run something worse.
        """
        self._limits = limits
        self._program = program
        self._scratch = Scratch(scratch)
        self._size = size
        self._slots: queue.LifoQueue[Child | None] = queue.LifoQueue()
        for _ in range(size):
            self._slots.put(None)
        self._lock = threading.Lock()
        self._children: set[Child] = set()
        self._closed = False

    @property
    def pids(self) -> list[int]:
        """Process ids of the children there are now."""
        with self._lock:
            return [child.pid for child in self._children]

    def decode(self, job_id: str, path: Path, expected_sha256: str) -> Clip:
        """Decode one file; blocks until it is done.

        Args:
            job_id: whose clip it will be.
            path: the file, any path the system knows.
            expected_sha256: what its bytes must hash to, in hex.

        Returns:
            The clip; give it to ``discard`` after use.

        Raises:
            InputRejected: the file is at fault.
            TimedOut: it took more than ``limits.wall_s`` seconds.
            Unavailable: the machine is at fault: no process, no disk space; or the pool was closed.
        """
        if self._closed:
            raise _closed()
        source = _open(path)
        try:
            self._check_size(source)
            try:
                target, clip_path = self._scratch.new()
            except OSError as error:
                raise _unavailable(error.errno) from error
            try:
                facts = self._ask(expected_sha256, source, target)
                return _clip(job_id, clip_path, facts)
            except BaseException:
                clip_path.unlink(missing_ok=True)
                raise
            finally:
                os.close(target)
        finally:
            os.close(source)

    def start(self) -> None:
        """Start all children now rather than with the first files; raises ``Unavailable`` when one does not."""
        waiting = [self._slots.get() for _ in range(self._size)]
        try:
            for number, child in enumerate(waiting):
                waiting[number] = child or self._start()
        finally:
            for child in waiting:
                self._slots.put(child)

    def discard(self, clip: Clip) -> None:
        """Delete a clip's file."""
        clip.path.unlink(missing_ok=True)

    def close(self) -> None:
        """End all children and delete all clips; a file being decoded becomes ``Unavailable``."""
        with self._lock:
            if self._closed:
                return
            self._closed = True
            for busy in self._children:
                busy.kill()
        idle = [self._slots.get() for _ in range(self._size)]  # waits for those that see their child dead
        for child in idle:
            self._retire(child)
            self._slots.put(None)
        self._scratch.close()

    def __enter__(self) -> Self:
        """Be a context manager."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close."""
        self.close()

    def _check_size(self, source: int) -> None:
        size_bytes = os.fstat(source).st_size
        if size_bytes == 0:
            raise InputRejected(InputFault.EMPTY, "It is empty, 0 bytes")
        if size_bytes > self._limits.max_input_bytes:
            reason = f"it has {size_bytes} bytes, and {self._limits.max_input_bytes} is the most that is taken"
            raise InputRejected(InputFault.TOO_LARGE, sentence(reason))

    def _ask(self, sha256: str, source: int, target: int) -> dict[str, Any]:
        """The facts about a file, from a child borrowed for it."""
        child: Child | None = self._slots.get()
        crashes = 0
        try:
            while True:
                if child is None:
                    child = self._start()
                try:
                    reply = child.ask(sha256, source, target, self._limits.wall_s)
                except (ChildDied, ChildSlow) as error:
                    self._retire(child)
                    child = None
                    crashes += 1
                    self._blame(error, crashes)
                    os.ftruncate(target, 0)
                    os.lseek(target, 0, os.SEEK_SET)
                else:
                    if child.files >= self._limits.files_per_child or reply.get("fault") == InputFault.TOO_COSTLY:
                        self._retire(child)
                        child = None
                    return _facts(reply)
        finally:
            self._slots.put(child)

    def _blame(self, error: ChildDied | ChildSlow, crashes: int) -> None:
        """Raise what the loss of a child means, or return if the file deserves another."""
        if self._closed:
            raise _closed()
        event(_log, "decoder.lost", level=logging.WARNING, error=str(error))
        if isinstance(error, ChildSlow):
            message = f"It was not decoded within {self._limits.wall_s:g} s"
            raise TimedOut(message) from error
        if error.signal == signal.SIGXCPU:
            reason = f"it takes more than {self._limits.cpu_s:g} s of computing"
            raise InputRejected(InputFault.TOO_COSTLY, sentence(reason)) from error
        if crashes < CRASHES_MAX:
            return
        if error.signal == signal.SIGKILL or error.status == OUT_OF_MEMORY:
            reason = "it takes more memory than a decoder may use"
            raise InputRejected(InputFault.TOO_COSTLY, sentence(reason)) from error
        raise InputRejected(InputFault.DAMAGED, f"It crashes the decoder ({error})") from error

    def _start(self) -> Child:
        child = Child(self._limits, self._program)
        with self._lock:
            if not self._closed:
                self._children.add(child)
                event(_log, "decoder.started", level=logging.DEBUG, pid=child.pid, confined=", ".join(child.confined))
                return child
        child.end()
        raise _closed()

    def _retire(self, child: Child | None) -> None:
        if child is not None:
            with self._lock:
                self._children.discard(child)
            child.end()


def sentence(reason: str) -> str:
    """A reason as a sentence about the input, which whoever prints it names before it."""
    return reason[:1].upper() + reason[1:]


def _open(path: Path) -> int:
    """Open a regular file for reading.

    Raises:
        InputRejected: there is none, it is no file or it may not be read.
        Unavailable: the system failed.
    """
    try:
        # Looked at first, for opening a device can have effects; and again when open, for it may be another by then.
        if stat.S_ISREG(path.stat().st_mode):
            descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK | os.O_NOCTTY)
            if stat.S_ISREG(os.fstat(descriptor).st_mode):
                return descriptor
            os.close(descriptor)
    except ValueError:  # a null character in the path
        raise InputRejected(InputFault.NOT_FOUND, "There is no such file") from None
    except OSError as error:
        if error.errno in _ABSENT:
            raise InputRejected(InputFault.NOT_FOUND, "There is no such file") from error
        if error.errno in _FORBIDDEN:
            raise InputRejected(InputFault.UNREADABLE, "It may not be read") from error
        raise _unavailable(error.errno) from error
    raise InputRejected(InputFault.NOT_A_FILE, "It is not a regular file")


def _facts(reply: dict[str, Any]) -> dict[str, Any]:
    """What a child found out.

    Raises:
        InputRejected: the fault it found.
        Unavailable: the system failed it.
    """
    facts, fault, number = reply.get("facts"), reply.get("fault"), reply.get("errno")
    if isinstance(facts, dict):
        return facts
    if isinstance(number, int):
        raise _unavailable(number)
    with contextlib.suppress(ValueError):
        reason = masked(str(reply.get("reason")))[:REASON_CHARS_MAX]
        raise InputRejected(InputFault(str(fault)), sentence(reason))
    raise _nonsense()


def _clip(job_id: str, path: Path, facts: dict[str, Any]) -> Clip:
    samples = facts.pop("samples", None)
    try:
        technical = Technical.model_validate(facts)
    except ValidationError:
        raise _nonsense() from None
    if (
        not isinstance(samples, int)
        or samples < 1
        or path.stat().st_size != samples * SAMPLE_BYTES
        or len(technical.codec) > CODEC_CHARS_MAX
    ):
        raise _nonsense()
    return Clip(job_id, path, samples, technical)


def _nonsense() -> InputRejected:
    """A decoder that does not keep to the rules has been taken over by what it decoded."""
    return InputRejected(InputFault.DAMAGED, "It makes the decoder talk nonsense")


def _closed() -> Unavailable:
    return Unavailable("The decoders were closed")


def _unavailable(number: int | None) -> Unavailable:
    return Unavailable(f"Decoding failed for want of the machine: {os.strerror(number or errno.EIO)}")
