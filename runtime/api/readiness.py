"""``Readiness``: whether the API can do its work, asked part by part, each within a time."""

import shutil
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from earmark.errors import EarmarkError
from earmark.vocabulary import Lane
from runtime.backend import Backend
from runtime.pulse import heard

WITHIN_S: Final = 2.0
"""Seconds in which a part must answer."""
FRESH_S: Final = 2.0
"""Seconds for which an answer stands, so that nobody can make work for us by asking."""
WAREHOUSE_FRESH_S: Final = 300.0
"""The same of the warehouse, where each question may cost money."""
ALIVE_S: Final = 15.0
"""Seconds in which a worker must have been heard of."""
LEAST_FREE_BYTES: Final = 1 << 30
NOBODY: Final = "readiness"
"""A name that no object of ours has."""


@dataclass(frozen=True, slots=True)
class Probe:
    """A question about one part."""

    name: str
    ask: Callable[[], str]
    """Says what is wrong; empty = nothing."""
    needed: bool = True
    """Whether nothing can be taken without the part."""
    fresh_s: float = FRESH_S


@dataclass(frozen=True, slots=True)
class Finding:
    """What a part answered."""

    name: str
    ok: bool
    needed: bool
    detail: str
    took_s: float


class Readiness:
    """Asks all parts side by side; a part that hangs is not asked again until it has answered."""

    def __init__(self, probes: Sequence[Probe], *, within_s: float = WITHIN_S) -> None:
        """Take the questions, and the seconds in which each must be answered."""
        self._probes, self._within_s = probes, within_s
        self._lock = threading.Lock()
        self._asked: dict[str, tuple[float, Future[Finding]]] = {}

    def look(self) -> list[Finding]:
        """What all parts answered; takes ``within_s`` at most."""
        deadline = time.monotonic() + self._within_s
        asked = [(probe, self._ask(probe)) for probe in self._probes]
        return [self._answer(probe, future, deadline) for probe, future in asked]

    def _ask(self, probe: Probe) -> Future[Finding]:
        with self._lock:
            at, future = self._asked.get(probe.name, (float("-inf"), None))
            if future is not None and (not future.done() or time.monotonic() - at < probe.fresh_s):
                return future
            future = Future()
            self._asked[probe.name] = time.monotonic(), future
        threading.Thread(target=_find, args=(probe, future), name=f"probe-{probe.name}", daemon=True).start()
        return future

    def _answer(self, probe: Probe, future: Future[Finding], deadline: float) -> Finding:
        try:
            return future.result(max(0.0, deadline - time.monotonic()))
        except TimeoutError:
            detail = f"no answer within {self._within_s:g} s"
            return Finding(probe.name, ok=False, needed=probe.needed, detail=detail, took_s=self._within_s)


def _find(probe: Probe, future: Future[Finding]) -> None:
    began = time.monotonic()
    try:
        detail = probe.ask()
    except EarmarkError as error:
        detail = f"cannot be reached: {error.kind}"  # what exactly is in the log, and not for everybody
    except Exception as error:  # noqa: BLE001  # whatever it is, the part does not work
        detail = f"fails: {type(error).__name__}"
    took_s = round(time.monotonic() - began, 4)
    future.set_result(Finding(probe.name, ok=not detail, needed=probe.needed, detail=detail, took_s=took_s))


def probes_of(backend: Backend, data: Path) -> list[Probe]:
    """The questions for a backend, and for this machine."""

    def store(name: str) -> Callable[[], str]:
        def ask() -> str:
            backend.bucket(name).stat(NOBODY)
            return ""

        return ask

    def queue() -> str:
        backend.depths[Lane.HIGH]()
        return ""

    def warehouse() -> str:
        backend.warehouse.query("analyses_of_customer", {"tenant": NOBODY, "most": 1})
        return ""

    def disk() -> str:
        free = shutil.disk_usage(data).free
        return "" if free >= LEAST_FREE_BYTES else f"{free} bytes are free; it takes {LEAST_FREE_BYTES}"

    def worker() -> str:
        ages = [each.age_s for each in heard(data)]
        if not ages:
            return "none was heard of on this machine"
        return "" if min(ages) <= ALIVE_S else f"none was heard of for {min(ages):.0f} s"

    return [
        Probe("queue", queue),
        Probe("results", store("results")),
        Probe("state", store("state")),
        Probe("uploads", store("uploads")),
        Probe("disk", disk),
        Probe("warehouse", warehouse, needed=False, fresh_s=WAREHOUSE_FRESH_S),
        Probe("worker", worker, needed=False),
    ]
