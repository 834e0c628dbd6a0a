"""``AwaitedJobs``: which jobs customers may ask about though they have not ended, however they came.

Those asked for one by one are in the register of requests.  Those of batches are among the entries of the batches that
are under way, which is looked at only where there is no request: a customer without such a batch costs no query.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from earmark.ports import Warehouse
from router.batches.batch import made_at_of
from router.batches.batches import Batches
from runtime.api.job_requests import JobRequest, JobRequests

_CLOCKS: Final = timedelta(hours=1)
"""By which the clock of whoever feeds a batch may be behind that of whoever made it."""


@dataclass(frozen=True, slots=True)
class AwaitedJob:
    """A job that has not ended."""

    tenant: str
    job_id: str
    created_at: datetime
    """When its audio came."""
    after_generation: int | None = None
    """Of the record that an earlier try of this content left; the job has ended once there is another."""
    batch: str | None = None
    """The batch that it is of; ``None`` = it was asked for by itself."""

    @classmethod
    def of(cls, request: JobRequest) -> "AwaitedJob":
        """One that was asked for by itself."""
        upload = request.upload
        return cls(upload.tenant, request.job_id, upload.received_at, request.after_generation)


class AwaitedJobs:
    """Looks for them; safe to use from several threads."""

    def __init__(self, requests: JobRequests, batches: Batches, warehouse: Warehouse) -> None:
        """Take the registers of requests and of batches, and the warehouse, which has the entries of batches."""
        self._requests, self._batches, self._warehouse = requests, batches, warehouse

    def find(self, tenant: str, job_id: str) -> AwaitedJob | None:
        """A job of a customer's that has not been seen to have ended; ``None`` = there is none.

        Raises:
            Unavailable: the state store or the warehouse cannot be reached.
        """
        return self.requested(tenant, job_id) or self.in_batch(tenant, job_id)

    def requested(self, tenant: str, job_id: str) -> AwaitedJob | None:
        """One that was asked for by itself; see ``find``."""
        request = self._requests.find(tenant, job_id)
        return None if request is None else AwaitedJob.of(request)

    def in_batch(self, tenant: str, job_id: str) -> AwaitedJob | None:
        """One that a batch under way waits for; see ``find``."""
        under_way = {batch for _, batch in self._batches.open(tenant)}
        if not under_way:
            return None
        since = min(map(made_at_of, under_way)) - _CLOCKS
        for row in self._warehouse.query("batch_job", {"tenant": tenant, "job": job_id, "since": since}):
            if row["batch"] in under_way:
                queued_at = datetime.fromisoformat(str(row["queued_at"]))
                return AwaitedJob(tenant, job_id, queued_at, batch=str(row["batch"]))
        return None

    def stands(self, job: AwaitedJob) -> bool:
        """Whether somebody still waits for a job, as far as a look without a query tells.

        Raises:
            Unavailable: the state store cannot be reached.
        """
        if job.batch is None:
            return self._requests.find(job.tenant, job.job_id) is not None
        return self._batches.is_marked(job.tenant, job.batch)
