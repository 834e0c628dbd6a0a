"""``Child``: one decoder process as the worker sees it."""

import contextlib
import dataclasses
import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Sequence
from typing import Any

from earmark.errors import Unavailable
from workers.decode.limits import DecodeLimits

PROGRAM = ("-P", "-m", "workers.decode.decoder")
"""Arguments of the interpreter; ``-P`` keeps modules of the working folder out."""
START_S = 30.0
"""Seconds a child may take until it is ready; it takes half of one, or several on a machine that is starting up."""
DEATH_S = 2.0
"""Seconds in which a child that hung up is gone, if it is dying."""
REPLY_BYTES_MAX = 1 << 16
"""Longest answer read from a child, which may be in a stranger's hands."""
COMPLAINT_CHARS_MAX = 500
"""What is passed on of a child that does not start."""
KEPT_ENVIRONMENT = ("PATH", "LANG", "LC_ALL", "LC_CTYPE", "TZ", "LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH", "PYTHONHOME")
"""All that a child inherits: no key, no token, no proxy."""


class ChildDied(Exception):
    """The process ended, or spoke nonsense and was ended."""

    def __init__(self, status: int) -> None:
        """Take the exit status, negative for a signal, as ``subprocess`` has it."""
        super().__init__(f"signal {signal.Signals(-status).name}" if status < 0 else f"exit status {status}")
        self.status = status
        self.signal = -status if status < 0 else 0


class ChildSlow(Exception):
    """No answer in time; the process was ended."""


class Child:
    """A decoder process, used for one file at a time."""

    def __init__(self, limits: DecodeLimits, program: Sequence[str] = PROGRAM) -> None:
        """Start it and wait until it is ready.

        Raises:
            Unavailable: it did not start.
        """
        self.files = 0
        """Orders given so far."""
        ours, theirs = socket.socketpair()
        arguments = [json.dumps(dataclasses.asdict(limits)), str(theirs.fileno())]
        try:
            self._process = subprocess.Popen(  # noqa: S603  # our own interpreter and module
                [sys.executable, *program, *arguments],
                stdin=subprocess.PIPE,  # the lifeline: closes when we die
                stdout=subprocess.DEVNULL,
                stderr=subprocess.PIPE,
                env=_environment(),
                pass_fds=(theirs.fileno(),),
                process_group=0,  # a terminal's Ctrl-C is for the worker, also while a child is still starting
            )
        except OSError as error:
            ours.close()
            message = f"No decoder process could be started: {error.strerror}"
            raise Unavailable(message) from error
        finally:
            theirs.close()
        self._socket = ours
        self.confined = self._greet()
        """What the child gave up, in words; see ``jail.confine``."""

    @property
    def pid(self) -> int:
        """Its process id."""
        return self._process.pid

    def ask(self, sha256: str, source: int, clip: int, wall_s: float) -> dict[str, Any]:
        """Have it decode a file and return its answer, which is not to be trusted.

        Raises:
            ChildDied: it crashed.
            ChildSlow: ``wall_s`` seconds went by.
        """
        self.files += 1
        try:
            socket.send_fds(self._socket, [json.dumps({"sha256": sha256}).encode() + b"\n"], [source, clip])
        except OSError:
            raise self._died() from None
        return self._reply(wall_s)

    def end(self) -> None:
        """Kill it and wait for it; may be called twice."""
        self._process.kill()
        self._process.wait()
        self._socket.close()
        for pipe in (self._process.stdin, self._process.stderr):
            if pipe is not None:
                with contextlib.suppress(OSError):
                    pipe.close()

    def kill(self) -> None:
        """Have the thread that waits for it see it die."""
        self._process.kill()

    def _greet(self) -> tuple[str, ...]:
        stderr = self._process.stderr
        assert stderr is not None  # noqa: S101  # it is a pipe
        try:
            ready = self._reply(START_S).get("ready")
        except (ChildDied, ChildSlow) as error:
            complaint = stderr.read(REPLY_BYTES_MAX).decode(errors="replace").strip()[-COMPLAINT_CHARS_MAX:]
            self.end()
            message = f"A decoder process did not start, {error}: {complaint}"
            raise Unavailable(message) from error
        stderr.close()
        return tuple(map(str, ready)) if isinstance(ready, list) else ()

    def _reply(self, wall_s: float) -> dict[str, Any]:
        deadline = time.monotonic() + wall_s
        content = b""
        while not content.endswith(b"\n"):
            remaining_s = deadline - time.monotonic()
            if remaining_s <= 0:
                raise self._slow(wall_s)
            self._socket.settimeout(remaining_s)
            try:
                chunk = self._socket.recv(REPLY_BYTES_MAX)
            except TimeoutError:
                raise self._slow(wall_s) from None
            except OSError:
                chunk = b""
            if not chunk:
                raise self._died()
            content += chunk
            if len(content) > REPLY_BYTES_MAX:
                raise self._nonsense()
        try:
            reply = json.loads(content)
        except ValueError:
            reply = None
        if not isinstance(reply, dict):
            raise self._nonsense()
        return reply

    def _slow(self, wall_s: float) -> ChildSlow:
        self._process.kill()
        return ChildSlow(f"no answer in {wall_s:g} s")

    def _nonsense(self) -> ChildDied:
        self._process.kill()
        return ChildDied(0)

    def _died(self) -> ChildDied:
        try:
            return ChildDied(self._process.wait(DEATH_S))
        except subprocess.TimeoutExpired:  # it hung up and lives
            return self._nonsense()


def _environment() -> dict[str, str]:
    kept = {name: os.environ[name] for name in KEPT_ENVIRONMENT if name in os.environ}
    path = os.pathsep.join(os.path.abspath(folder) for folder in sys.path)  # noqa: PTH100  # "" is the working folder
    # One thread each: the worker runs as many decoders as it wants cores used, and spinning threads cost ten
    # times what they give on products this small.
    return {**kept, "PYTHONPATH": path, "OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"}
