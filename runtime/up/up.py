"""``earmark up``: everything on one machine, each role a process that is started again if it ends.

::

    up ─┬─ api                 uvicorn; takes audio, answers
        ├─ router              uploads, batches, webhooks
        ├─ worker of high      warm, looks for jobs every few milliseconds
        ├─ worker of low       its models give way to everything else on the machine
        ├─ retention           once an hour
     └─ controller          shows Prometheus how queues, money and retention stand

The two workers are two processes so that a high job never waits for a batch of low ones, and the one's models give way
so that they hardly slow the other's.  All but retention serve figures, each on a port of its own; the API tells which.
"""

import ctypes
import json
import logging
import os
import random
import signal
import socket
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from rich.console import Console

from earmark.errors import ConfigurationError
from earmark.settings import PREFIX, Settings
from runtime import exit_status
from runtime.signals import handled
from runtime.up.alone import alone
from runtime.up.voice import Voice, logs_json
from runtime.wiring import connect

LOOK_S: Final = 0.2
"""Seconds between looks at the processes."""
AGAIN_S: Final = (0.2, 0.5, 1.0, 2.0, 5.0)
"""Seconds before a process that ended is started again, the last one from then on."""
STEADY_S: Final = 20.0
"""A process that lasted so long is as good as new."""
SPARE_S: Final = 15.0
"""Seconds beyond ``drain_s`` in which everything has ended, or is killed."""
GIVING_WAY: Final = 10
"""Times as long a batch may take for a model that others can keep from computing."""
HIGH_POLL_S: Final = 0.01
"""Seconds between looks of the worker that should answer at once; a look at an empty queue takes some microseconds."""
ANY_PORT: Final = "-1"
"""A port for figures that the process finds itself, so that no two can be after the same one."""
NO_PORT: Final = "0"
"""The API has a port already."""
_PAGE_BYTES: Final = 100_000
_PR_SET_PDEATHSIG: Final = 1
"""prctl(2)."""


@dataclass(slots=True)
class Role:
    """One process."""

    name: str
    arguments: Sequence[str]
    environment: Mapping[str, str] = field(default_factory=dict)
    quiet: bool = False
    """Whether what it prints is for programs, and left out here."""
    process: "subprocess.Popen[bytes] | None" = None
    started_at: float = 0.0
    due_at: float = 0.0
    ends: int = 0
    """How often it ended lately."""

    def start(self, command: Sequence[str]) -> None:
        """Start it; a signal of the terminal reaches only who supervises it."""
        self.started_at = time.monotonic()
        self.process = subprocess.Popen(  # noqa: S603  # our own command
            [*command, *self.arguments],
            env={**os.environ, f"{PREFIX}DATA_MUST_EXIST": "true", **self.environment},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL if self.quiet else None,
            process_group=0,
            preexec_fn=_end_with_parent,  # noqa: PLW1509  # this process has no other threads by then
        )


def roles(settings: Settings, port: int, host: str, *, retention: bool) -> list[Role]:
    """What is run, in the order in which it is ended."""
    own = {f"{PREFIX}METRICS_PORT": ANY_PORT}
    address = {f"{PREFIX}API_PORT": str(port), f"{PREFIX}API_HOST": host, f"{PREFIX}METRICS_PORT": NO_PORT}
    api = Role("api", ["api"], address)
    router = Role("router", ["route"], own, quiet=True)
    high = Role("worker of high", ["work", "--lane", "high", "--warm"], {**own, f"{PREFIX}POLL_S": str(HIGH_POLL_S)})
    giving_way = {"YIELDING": "true", "PREDICT_TIMEOUT_S": str(settings.predict_timeout_s * GIVING_WAY)}
    low = Role(
        "worker of low", ["work", "--lane", "low"], own | {PREFIX + name: value for name, value in giving_way.items()}
    )
    quietly = ["--json"] if logs_json() else []  # else it tells a person on standard error
    keeping = Role("retention", ["retention", "run", "--execute", "--every", "3600", *quietly], quiet=True)
    controller = Role("controller", ["controller"], own)
    return [api, router, high, low, *([keeping] if retention else []), controller]


class Up:
    """Sees to it that every role runs, until it is told to stop."""

    def __init__(self, parts: Sequence[Role], command: Sequence[str], *, drain_s: float, console: Console) -> None:
        """Take the roles, how Earmark is started, and how long they may take to end."""
        self._roles, self._command, self._drain_s, self._voice = parts, command, drain_s, Voice(console)

    def run(self, stop: threading.Event) -> int:
        """Start everything, start again what ends, and end everything; returns the exit status.

        A role that says its settings are wrong ends all of them, with its status.
        """
        status = 0
        try:
            for role in self._roles:
                role.start(self._command)
            while not stop.wait(LOOK_S) and not status:
                status = self._look()
        finally:
            self._end()
        return status

    def hurry(self) -> None:
        """Ask all that still run once more, which has workers hand back what they are at."""
        for role in self._roles:
            _signal(role, signal.SIGTERM)

    def _look(self) -> int:
        now = time.monotonic()
        for role in self._roles:
            ended = role.process.poll() if role.process is not None else None
            if ended is not None:
                role.process = None
                if ended == exit_status.USAGE:
                    told = f"earmark up: {role.name} ended with status {ended}; nothing runs without it"
                    self._voice.say(told, "role.refused", logging.ERROR, role=role.name, status=ended)
                    return ended
                role.ends = 0 if now - role.started_at > STEADY_S else role.ends + 1
                pause_s = AGAIN_S[min(role.ends, len(AGAIN_S) - 1)] * random.uniform(0.75, 1.25)  # noqa: S311  # jitter
                role.due_at = now + pause_s
                told = f"earmark up: {role.name} ended with status {ended}; started again in {pause_s:.1f} s"
                self._voice.say(told, "role.ended", role=role.name, status=ended, pause_s=round(pause_s, 1))
            elif role.process is None and now >= role.due_at:
                role.start(self._command)
        return 0

    def _end(self) -> None:
        for role in self._roles:
            _signal(role, signal.SIGTERM)
        deadline = time.monotonic() + self._drain_s + SPARE_S
        for role in self._roles:
            if role.process is None:
                continue
            try:
                role.process.wait(max(0.1, deadline - time.monotonic()))
            except subprocess.TimeoutExpired:
                self._voice.say(f"earmark up: {role.name} did not end; it is killed", "role.killed", role=role.name)
                role.process.kill()
                role.process.wait()


def run_up(settings: Settings, *, host: str, port: int, retention: bool) -> int:
    """Run everything until SIGTERM or Ctrl-C; returns the exit status."""
    console = Console(stderr=True, highlight=False)
    port = port or _free_port(host)
    if not _free(host, port):
        message = f"Port {port} of {host} is taken.  Choose another with --port, or 0 for any that is free."
        raise ConfigurationError(message)
    connect(settings)  # makes the data folder, once: what starts again later must find it
    up = Up(roles(settings, port, host, retention=retention), _command(), drain_s=settings.drain_s, console=console)
    stop = threading.Event()

    def ask() -> None:
        if stop.is_set():
            up.hurry()
        stop.set()

    with alone(settings.data), handled(ask):
        threading.Thread(target=_tell, args=(host, port, stop, Voice(console)), name="ready", daemon=True).start()
        return up.run(stop)


def _tell(host: str, port: int, stop: threading.Event, voice: Voice) -> None:
    """Say when everything is ready, and what it waits for if that takes long."""
    address = f"http://{'127.0.0.1' if host in {'0.0.0.0', '::'} else host}:{port}"  # noqa: S104  # compared only
    before, began = "", time.monotonic()
    while not stop.wait(0.5):
        reasons = _reasons(address)
        if not reasons:
            told = f"Earmark is up: {address} (its page: {address}/docs).  Ctrl-C ends it."
            voice.say(told, "up.ready", logging.INFO, address=address)
            return
        if reasons != before and time.monotonic() - began > 10:  # noqa: PLR2004  # as long as models take to load
            before = reasons
            voice.say(f"earmark up: not ready yet: {reasons}", "up.waiting", logging.INFO, reasons=reasons)


def _reasons(address: str) -> str:
    """What keeps the service from being ready; empty = nothing."""
    try:
        with urllib.request.urlopen(f"{address}/readyz", timeout=5) as answer:  # noqa: S310  # our own
            content = answer.read(_PAGE_BYTES)
    except urllib.error.HTTPError as error:
        with error:
            content = error.read(_PAGE_BYTES)
    except OSError as error:
        return f"the API does not answer: {error}"
    try:
        return "; ".join(map(str, json.loads(content)["reasons"]))
    except (ValueError, KeyError, TypeError):
        return "the API's answer cannot be read"


def _command() -> list[str]:
    """How this very Earmark is started."""
    script = Path(sys.argv[0])
    return [str(script)] if os.access(script, os.X_OK) and script.is_file() else [sys.executable, str(script)]


def _free_port(host: str) -> int:
    with socket.create_server((host, 0)) as server:
        return int(server.getsockname()[1])


def _free(host: str, port: int) -> bool:
    try:
        with socket.create_server((host, port)):
            return True
    except OSError:
        return False


def _signal(role: Role, number: signal.Signals) -> None:
    if role.process is not None and role.process.poll() is None:
        role.process.send_signal(number)


def _end_with_parent() -> None:
    """Have the kernel end a child whose parent was killed; elsewhere than on Linux it goes on by itself."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)
