"""``WaitingRoom``: where requests wait for jobs to end, however many, on one thread.

The thread lives while anybody waits and looks whether records have appeared.  How often follows from what a look costs:
a file next door is looked for every 5 ms, a bucket far away every 50 ms or so, and many who wait at once share one
allowance of time, so that waiting takes nothing to speak of from what is waited for.
"""

import asyncio
import contextlib
import logging
import threading
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Final

from starlette.concurrency import run_in_threadpool

from earmark.domain import Record, record_name
from earmark.errors import EarmarkError
from earmark.log import event
from earmark.ports import ObjectStore
from workers.settle import read_record

_log = logging.getLogger(__name__)
LEAST_S: Final = 0.005
"""Seconds between two looks for the same job, at least."""
PATIENT_AFTER_S: Final = 2.0
"""Seconds of waiting after which looks become rare: whoever waits so long does not mind a tenth of a second."""
PATIENT_S: Final = 0.1
MOST_S: Final = 1.0
"""Seconds between two looks, at most."""
COMPUTING: Final = 20
"""Looks may compute for one part in so many of the time."""
AWAY: Final = 2
"""Looks may wait for a store far away for one part in so many of the time."""
FAR_S: Final = 0.004
"""Seconds for a look from which several are made side by side."""
LOOKERS: Final = 8
SEATS: Final = 4096
"""Most who wait at the same time; others are told at once that there is nothing yet."""


@dataclass(eq=False, slots=True)
class _Guest:
    """Somebody who waits."""

    tenant: str
    job_id: str
    after_generation: int | None
    loop: asyncio.AbstractEventLoop
    answer: "asyncio.Future[Record | None]"
    since: float = field(default_factory=time.monotonic)
    due: float = 0.0
    """When the next look is due, on the clock of ``time.monotonic``."""
    failed: bool = False
    """Whether the store could not be reached."""


class WaitingRoom:
    """Looks at the results store for those who wait."""

    def __init__(self, results: ObjectStore, *, seats: int = SEATS) -> None:
        """Take the results store, and how many may wait at the same time."""
        self._results = results
        self._seats = seats
        self._guests: list[_Guest] = []
        self._changed = threading.Condition()
        self._looking = False
        self._closed = False
        self._look_s = 0.0

    @property
    def waiting(self) -> int:
        """How many wait now."""
        return len(self._guests)

    @property
    def closed(self) -> bool:
        """Whether nobody may wait any more."""
        return self._closed

    async def settled(
        self, tenant: str, job_id: str, timeout_s: float, *, after_generation: int | None = None
    ) -> Record | None:
        """The record of a job once it has ended; ``None`` = it has not within ``timeout_s``.

        A store that cannot be reached meanwhile is asked again until the time is over.

        Args:
            tenant: whose job.
            job_id: its id.
            timeout_s: seconds to wait; 0 = one look.
            after_generation: of a record that was there before the job was queued again, which does not count.

        Raises:
            Unavailable: only for one look: the store cannot be reached.
        """
        if timeout_s <= 0 or self._closed or len(self._guests) >= self._seats:
            return await run_in_threadpool(self.look, tenant, job_id, after_generation)
        loop = asyncio.get_running_loop()
        guest = _Guest(tenant, job_id, after_generation, loop, loop.create_future())
        self._seat(guest)
        try:
            return await asyncio.wait_for(guest.answer, timeout_s)
        except TimeoutError:
            return None
        finally:
            self._leave([guest])

    def look(self, tenant: str, job_id: str, after_generation: int | None = None) -> Record | None:
        """One look: the record of a job that has ended.

        Raises:
            Unavailable: the store cannot be reached.
        """
        info = self._results.stat(record_name(tenant, job_id))
        if info is None or info.generation == after_generation:
            return None
        return read_record(self._results, tenant, job_id)

    def close(self) -> None:
        """Tell everybody that there is nothing yet, and from now on wait no more."""
        with self._changed:
            self._closed = True
            guests, self._guests = self._guests, []
            self._changed.notify_all()
        for guest in guests:
            _tell(guest, None)

    def _seat(self, guest: _Guest) -> None:
        with self._changed:
            self._guests.append(guest)
            if not self._looking:
                self._looking = True
                threading.Thread(target=self._run, name="waiting-room", daemon=True).start()
            self._changed.notify_all()

    def _leave(self, guests: Sequence[_Guest]) -> None:
        gone = set(guests)
        with self._changed:
            self._guests = [each for each in self._guests if each not in gone]

    def _run(self) -> None:
        with ThreadPoolExecutor(LOOKERS, "waiting-room") as lookers:
            while due := self._next():
                self._round(due, lookers)

    def _next(self) -> list[_Guest]:
        """Those for whom a look is due, once there are any; empty = nobody waits, and the thread ends."""
        with self._changed:
            while self._guests:
                now = time.monotonic()
                due = [each for each in self._guests if each.due <= now]
                if due:
                    return due
                self._changed.wait(min(each.due for each in self._guests) - now)
            self._looking = False
            return []

    def _round(self, due: Sequence[_Guest], lookers: ThreadPoolExecutor) -> None:
        began, computed = time.monotonic(), time.thread_time()
        side_by_side = self._look_s > FAR_S and len(due) > 1
        found = list(lookers.map(self._try, due) if side_by_side else map(self._try, due))
        took_s, computed_s = time.monotonic() - began, time.thread_time() - computed
        self._look_s = took_s / len(due) * (min(LOOKERS, len(due)) if side_by_side else 1)
        settled = [guest for guest, record in zip(due, found, strict=True) if record is not None]
        self._leave(settled)
        for guest, record in zip(due, found, strict=True):
            if record is not None:
                _tell(guest, record)
        now = time.monotonic()
        pause_s = max(LEAST_S, computed_s * COMPUTING, took_s * AWAY)
        for guest in due:
            patient = guest.failed or now - guest.since > PATIENT_AFTER_S
            guest.due = now + min(max(pause_s, PATIENT_S) if patient else pause_s, MOST_S)

    def _try(self, guest: _Guest) -> Record | None:
        try:
            return self.look(guest.tenant, guest.job_id, guest.after_generation)
        except EarmarkError as error:
            if not guest.failed:
                event(_log, "waiting.failed", level=logging.WARNING, job_id=guest.job_id, error=str(error))
            guest.failed = True
            return None


def _tell(guest: _Guest, record: Record | None) -> None:
    def answer() -> None:
        if not guest.answer.done():
            guest.answer.set_result(record)

    with contextlib.suppress(RuntimeError):  # its loop has ended, and it with it
        guest.loop.call_soon_threadsafe(answer)
