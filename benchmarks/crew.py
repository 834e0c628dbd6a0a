"""The worker processes that ``chaos.py`` attacks: kills them, kills their models, stops them past their leases."""

import os
import random
import signal
import time
from collections import Counter
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Final

from benchmarks.scripted import SPAWN, Plan, end_all, work

ATTACKS: Final = {"worker killed": 0.5, "model killed": 0.3, "worker stopped": 0.2}
"""How often each is done, as shares."""


class Crew:
    """The worker processes, and what is done to them."""

    def __init__(self, plan: Plan, count: int) -> None:
        """Start them."""
        self._plan = plan
        self._processes: list[BaseProcess] = [self._start() for _ in range(count)]
        self._stopped: dict[int, float] = {}
        """When each stopped worker goes on, by process id."""
        self.attacks: Counter[str] = Counter()

    def tend(self) -> None:
        """Start new workers for the dead, and let the stopped go on in time."""
        for number, process in enumerate(self._processes):
            if not process.is_alive():
                self._stopped.pop(process.pid or 0, None)
                self._processes[number] = self._start()
        for pid, until in list(self._stopped.items()):
            if time.monotonic() >= until:
                self._signal(pid, signal.SIGCONT)
                del self._stopped[pid]

    def attack(self) -> None:
        """Do something to a running worker."""
        running = [process.pid for process in self._processes if process.pid and process.pid not in self._stopped]
        if not running:
            return
        pid = random.choice(running)
        what = random.choices(list(ATTACKS), list(ATTACKS.values()))[0]
        if what == "model killed":
            models = children(pid)
            if not models:
                return
            self._signal(random.choice(models), signal.SIGKILL)
        elif what == "worker stopped":
            self._stopped[pid] = time.monotonic() + self._plan.settings.lease_s + random.uniform(0.5, 3.0)
            self._signal(pid, signal.SIGSTOP)
        else:
            self._signal(pid, signal.SIGKILL)
        self.attacks[what] += 1

    def relent(self) -> None:
        """Let all go on."""
        for pid in self._stopped:
            self._signal(pid, signal.SIGCONT)
        self._stopped.clear()

    def close(self) -> None:
        """End them."""
        self.relent()
        end_all(self._processes)

    def _start(self) -> BaseProcess:
        process = SPAWN.Process(target=work, args=(self._plan,), name="worker")
        process.start()
        return process

    @staticmethod
    def _signal(pid: int, number: signal.Signals) -> None:
        try:
            os.kill(pid, number)
        except ProcessLookupError:
            return


def children(pid: int) -> list[int]:
    """The model processes of a worker (proc(5)); Python's own helper process is none."""
    found = []
    for thread in Path(f"/proc/{pid}/task").glob("*/children"):
        for child in thread.read_text().split():
            try:
                command = Path(f"/proc/{child}/cmdline").read_bytes()
            except OSError:
                continue
            if b"spawn_main" in command:
                found.append(int(child))
    return found
