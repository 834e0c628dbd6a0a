"""Runs of the real ``earmark`` command without the second that Python takes to load it.

A process that has imported the command line waits for orders, and forks for each: what it gives is a process of its
own with arguments, environment, folder, pipes and exit status as the installed script has them.  It imports nothing of
the tests, and no model: those are loaded by processes that the command starts itself, as ever.  Whether the script
itself starts, and how it takes a signal while it loads, ``Command.started`` and ``Command.run_anew`` tell.
"""

import atexit
import contextlib
import gc
import importlib
import json
import os
import pkgutil
import signal
import socket
import struct
import subprocess
import sys
import threading
import time
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path

LOADED = {"local": ("runtime", "runtime.local"), "gcp": ("runtime", "runtime.local", "runtime.gcp")}
"""Packages whose modules a process has imported, by what ``EARMARK_BACKEND`` says."""
_NUMBER = struct.Struct("!q")
_PIPES = 4  # standard input, output and error, and what the process came to


class WarmCommand:
    """One process that has loaded the command line."""

    def __init__(self, script: Path, packages: Sequence[str]) -> None:
        """Start it; it ends with this process."""
        self._orders, there = socket.socketpair()
        self._lock = threading.Lock()
        with there:
            self._process = subprocess.Popen(
                [sys.executable, "-P", __file__, str(there.fileno()), str(script), *packages],
                pass_fds=[there.fileno()],
                stdin=subprocess.DEVNULL,
                env={**os.environ, "OPENBLAS_NUM_THREADS": "1"},  # a process with threads had better not fork
                start_new_session=True,
            )

    def run(
        self, arguments: Sequence[str], environment: Mapping[str, str], given: str, timeout_s: float
    ) -> "subprocess.CompletedProcess[str]":
        """What ``subprocess.run`` gives of the script, with output as text.

        Raises:
            subprocess.TimeoutExpired: it took longer; it is killed.
        """
        order = json.dumps([list(arguments), dict(environment), str(Path.cwd())]).encode()
        pipes = [os.pipe() for _ in range(_PIPES)]
        ours = [pipes[0][1], *(reading for reading, _ in pipes[1:])]
        theirs = [pipes[0][0], *(writing for _, writing in pipes[1:])]
        with self._lock:
            socket.send_fds(self._orders, [_NUMBER.pack(len(order))], theirs)
            self._orders.sendall(order)
        for each in theirs:
            os.close(each)
        said: dict[int, str] = {}
        readers = [threading.Thread(target=_read, args=(each, said)) for each in ours[1:3]]
        for reader in readers:
            reader.start()
        with open(ours[3], "rb") as told:  # noqa: PTH123  # a file descriptor has no path
            [pid] = _NUMBER.unpack(told.read(_NUMBER.size))
            with contextlib.suppress(BrokenPipeError), open(ours[0], "w") as stdin:  # noqa: PTH123  # same
                stdin.write(given)
            ends = time.monotonic() + timeout_s
            for reader in readers:
                reader.join(max(0.0, ends - time.monotonic()))
            if any(reader.is_alive() for reader in readers):
                os.kill(pid, signal.SIGKILL)
                raise subprocess.TimeoutExpired(arguments, timeout_s)
            [status] = _NUMBER.unpack(told.read(_NUMBER.size))
        return subprocess.CompletedProcess([*arguments], status, said[ours[1]], said[ours[2]])

    def close(self) -> None:
        """End it."""
        self._orders.close()
        self._process.wait()


@cache
def warm_command(script: Path, backend: str) -> WarmCommand:
    """One process for the whole run of tests."""
    started = WarmCommand(script, LOADED[backend])
    atexit.register(started.close)
    return started


def _read(pipe: int, said: dict[int, str]) -> None:
    with open(pipe) as stream:  # a file descriptor has no path
        said[pipe] = stream.read()


def load(packages: Sequence[str]) -> None:
    """Import all modules of these packages."""
    for name in packages:
        package = importlib.import_module(name)
        for module in pkgutil.iter_modules(package.__path__):
            if not module.ispkg:
                importlib.import_module(f"{name}.{module.name}")
    gc.freeze()


def become_each(orders: socket.socket, script: str) -> None:
    """Wait for orders for ever; in the process that is forked for one, get everything ready and return."""
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # nobody waits for those who wait
    while True:
        size, pipes, *_ = socket.recv_fds(orders, _NUMBER.size, _PIPES)
        if not size:
            os._exit(0)
        [left] = _NUMBER.unpack(size)
        order = b""
        while left > len(order):
            order += orders.recv(left - len(order))
        if not os.fork():
            break
        for each in pipes:
            os.close(each)
    orders.close()
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    pid = os.fork()
    if pid:
        _wait_for(pid, pipes)
    for target, source in enumerate(pipes[:3]):
        os.dup2(source, target)
    for each in pipes:
        os.close(each)
    sys.stdin = sys.__stdin__ = open(0, closefd=False)  # noqa: SIM115  # a file descriptor has no path
    sys.stdout = sys.__stdout__ = open(1, "w", closefd=False)  # noqa: SIM115  # same
    sys.stderr = sys.__stderr__ = open(  # noqa: SIM115  # same
        2, "w", buffering=1, errors="backslashreplace", closefd=False
    )
    arguments, environment, folder = json.loads(order)
    os.environ.clear()
    os.environ.update(environment)
    os.chdir(folder)
    sys.argv = [script, *arguments]
    main = sys.modules["__main__"]
    main.__file__, main.__spec__ = script, None  # what processes that are started from here take for the program


def _wait_for(pid: int, pipes: Sequence[int]) -> None:
    """Tell which process it is and, when it has ended, its status, as ``subprocess`` counts it; then end."""
    for each in pipes[:3]:
        os.close(each)
    os.write(pipes[3], _NUMBER.pack(pid))
    _, status = os.waitpid(pid, 0)
    with contextlib.suppress(BrokenPipeError):
        os.write(pipes[3], _NUMBER.pack(os.waitstatus_to_exitcode(status)))
    os._exit(0)


if __name__ == "__main__":
    load(sys.argv[3:])
    become_each(socket.socket(fileno=int(sys.argv[1])), sys.argv[2])
    from runtime.start import main as run

    sys.exit(run())  # type: ignore[func-returns-value]  # as the script does
