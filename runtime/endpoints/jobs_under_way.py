"""``JobsUnderWay``: how many analyses of each customer, asked for one by one, wait or run now."""

import threading
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import count, islice
from typing import Final

from earmark.domain import record_name
from earmark.ports import Clock, ObjectStore

FOLDER: Final = "requests/"
"""Of objects ``requests/TENANT/JOB.json``, each written before its job is queued and removed once it has ended."""
LOOK_AGAIN: Final = timedelta(seconds=10)
"""After which the register is looked at again, for other processes write it too."""
LOOK_SOON: Final = timedelta(seconds=0.5)
"""The same while a customer has all that it may have."""
ENDED_LOOKS: Final = 64
"""Jobs, the oldest, whose results are looked for when a customer has all that it may have."""
CHANGES_KEPT: Final = 10_000
"""Most that are remembered while somebody looks at the register."""
PLACE: Final = timedelta(minutes=10)
"""After which a place that was taken for a job and never given back is free again."""


@dataclass(slots=True)
class _Known:
    jobs: dict[str, datetime] = field(default_factory=dict)
    """Those under way, with when each was asked for, the oldest first."""
    ended: dict[str, datetime] = field(default_factory=dict)
    """Those seen to have ended, which the register may still have, with when each was asked for."""
    places: dict[int, datetime] = field(default_factory=dict)
    """Taken for jobs that are not in the register yet."""
    changes: list[tuple[str, bool]] = field(default_factory=list)
    """Jobs queued (true) or ended (false) while somebody looked at the register."""
    looked_at: datetime | None = None

    def apply(self, job_id: str, now: datetime, *, queued: bool) -> bool:
        """Whether that changed anything."""
        if queued:
            self.ended.pop(job_id, None)
            self.jobs.setdefault(job_id, now)
        elif job_id in self.jobs:
            self.ended[job_id] = self.jobs.pop(job_id)
        else:
            return False
        return True


class JobsUnderWay:
    """Counts in memory, after the register in the state store; safe to use from several threads.

    Several processes together may admit some jobs too many, for each looks at the register only now and then.
    """

    def __init__(self, state: ObjectStore, results: ObjectStore, clock: Clock) -> None:
        """Take the stores of the register and of results, and the present."""
        self._state, self._results, self._clock = state, results, clock
        self._lock = threading.Lock()
        self._customers: dict[str, _Known] = {}
        self._numbers = count()

    def count(self, tenant: str) -> int:
        """How many there are, places among them."""
        with self._lock:
            known = self._of(tenant)
            return len(known.jobs) + len(known.places)

    def take(self, tenant: str, most: int) -> int | None:
        """Take a place for a job; gives its number, ``None`` = there is none free.

        Raises:
            Unavailable: the register cannot be reached.
        """
        if self._is_due(tenant, LOOK_AGAIN):
            self._look(tenant)
        if self.count(tenant) >= most and self._is_due(tenant, LOOK_SOON):
            self._look(tenant)
        if self.count(tenant) >= most:
            self._notice_ended(tenant)
        with self._lock:
            known, now = self._of(tenant), self._clock()
            for number in [number for number, at in known.places.items() if now - at > PLACE]:
                del known.places[number]
            if len(known.jobs) + len(known.places) >= most:
                return None
            number = next(self._numbers)
            known.places[number] = now
            return number

    def give_back(self, tenant: str, number: int) -> None:
        """Free a place, once."""
        with self._lock:
            self._of(tenant).places.pop(number, None)

    def queued(self, tenant: str, job_id: str) -> None:
        """A job is in the register from now on."""
        self._change(tenant, job_id, queued=True)

    def ended(self, tenant: str, job_id: str) -> bool:
        """A job has ended; False where it was not known to be under way."""
        return self._change(tenant, job_id, queued=False)

    def _change(self, tenant: str, job_id: str, *, queued: bool) -> bool:
        with self._lock:
            known = self._of(tenant)
            known.changes.append((job_id, queued))
            del known.changes[:-CHANGES_KEPT]
            return known.apply(job_id, self._clock(), queued=queued)

    def _of(self, tenant: str) -> _Known:
        return self._customers.setdefault(tenant, _Known())

    def _is_due(self, tenant: str, after: timedelta) -> bool:
        with self._lock:
            looked_at = self._of(tenant).looked_at
            return looked_at is None or not timedelta(0) <= self._clock() - looked_at < after

    def _look(self, tenant: str) -> None:
        """Take over what the register has; what changed meanwhile is applied to it."""
        with self._lock:
            known = self._of(tenant)
            known.changes.clear()
        folder = f"{FOLDER}{tenant}/"
        found = {
            info.name.removeprefix(folder).removesuffix(".json"): info.created_at for info in self._state.scan(folder)
        }
        with self._lock:
            now = self._clock()
            known.ended = {job_id: at for job_id, at in known.ended.items() if found.get(job_id) == at}
            known.jobs = dict(
                sorted(
                    ((job_id, at) for job_id, at in found.items() if job_id not in known.ended),
                    key=lambda each: each[1],
                )
            )
            for job_id, queued in known.changes:
                known.apply(job_id, now, queued=queued)
            known.looked_at = now

    def _notice_ended(self, tenant: str) -> None:
        """Look whether the oldest have results, which nobody may have asked for."""
        with self._lock:
            oldest = list(islice(self._of(tenant).jobs.items(), ENDED_LOOKS))
        for job_id, asked_at in oldest:
            info = self._results.stat(record_name(tenant, job_id))
            if info is not None and info.created_at >= asked_at:
                self.ended(tenant, job_id)
