"""``CancelledJobs``: which jobs nobody wants any more, because the batch that they are of was cancelled."""

import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from contextlib import suppress
from typing import Final

from earmark.domain import Job
from earmark.errors import PreconditionFailed
from earmark.ports import ObjectStore, Warehouse
from router.batches.batch import BatchState
from router.batches.batches import Batches

FRESH_S: Final = 2.0
"""Seconds for which it is remembered whether a batch was cancelled."""
DECIDED_S: Final = 60.0
"""For which a job that was dropped stays dropped, so that whoever leases and whoever settles it are of one mind."""
KEPT: Final = 10_000


class CancelledJobs:
    """Says at lease which jobs to drop; safe to use from several threads.

    A job bears the batch that queued it first.  It is heard all the same when somebody else asked for it: through the
    API, by putting its audio into the upload bucket, or with another batch that is not over.
    """

    def __init__(
        self,
        batches: Batches,
        state: ObjectStore,
        warehouse: Warehouse,
        *,
        marks_of: Callable[[Job], list[str]],
        monotonic: Callable[[], float] = time.monotonic,
        fresh_s: float = FRESH_S,
    ) -> None:
        """Take the register of batches, the state store and the warehouse.

        ``marks_of`` names the objects of the state store that are there if somebody else asked for a job.
        """
        self._batches, self._state, self._warehouse = batches, state, warehouse
        self._marks_of, self._monotonic, self._fresh_s = marks_of, monotonic, fresh_s
        self._lock = threading.Lock()
        self._seen: OrderedDict[tuple[str, str], tuple[bool, float]] = OrderedDict()
        self._dropped: OrderedDict[str, float] = OrderedDict()

    def dropped(self, job: Job) -> bool:
        """Whether nobody wants this job.

        Raises:
            Unavailable: the register cannot be reached.
        """
        batch = job.upload.batch
        if batch is None or not self._cancelled(job.upload.tenant, batch):
            return False
        now = self._monotonic()
        with self._lock:
            if now - self._dropped.get(job.id, float("-inf")) < DECIDED_S:
                return True
        if self._wanted(job, batch):
            return False
        self._forget_claim(job)
        with self._lock:
            self._dropped[job.id] = now
            while len(self._dropped) > KEPT:
                self._dropped.popitem(last=False)
        return True

    def _cancelled(self, tenant: str, batch_id: str) -> bool:
        now, place = self._monotonic(), (tenant, batch_id)
        with self._lock:
            cancelled, at = self._seen.get(place, (False, float("-inf")))
        if cancelled or now - at < self._fresh_s:  # what was cancelled stays so
            return cancelled
        found = self._batches.find(tenant, batch_id)
        cancelled = found is not None and found.batch.state is BatchState.CANCELLED
        with self._lock:
            self._seen[place] = (cancelled, now)
            while len(self._seen) > KEPT:
                self._seen.popitem(last=False)
        return cancelled

    def _wanted(self, job: Job, batch: str) -> bool:
        """Whether somebody else asked for a job."""
        if any(self._state.stat(name) is not None for name in self._marks_of(job)):
            return True
        others = {other for _, other in self._batches.open(job.upload.tenant)} - {batch}
        if not others:
            return False
        rows = self._warehouse.query("batches_of_job", {"tenant": job.upload.tenant, "job": job.id})
        return any(row["batch"] in others for row in rows)

    def _forget_claim(self, job: Job) -> None:
        """Let the job be queued anew when its audio is sent again, where that takes a claim."""
        name = f"claims/{job.upload.tenant}/{job.id}.json"
        info = self._state.stat(name)
        if info is not None:
            with suppress(PreconditionFailed):
                self._state.delete(name, if_generation=info.generation)
