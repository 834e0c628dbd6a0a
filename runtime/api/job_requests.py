"""``JobRequests``: which jobs customers asked for through the API and have not seen ended.

``requests/TENANT/JOB.json`` in the state store is written when the job is queued, before anybody is told of it.  It
tells an id that waits from one that does not exist, and counts towards the customer's jobs at the same time.  It goes
when somebody sees that the job has ended, at the latest with a sweep, which also queues again what no queue seems to
know any more.
"""

from collections.abc import Callable, Iterator
from contextlib import suppress
from datetime import timedelta
from typing import Final

from pydantic import AwareDatetime, ValidationError

from earmark.domain import JobId, Upload, record_name
from earmark.errors import InputRejected, ObjectMissing, PreconditionFailed, Unavailable
from earmark.metadata import Frozen
from earmark.ports import Clock, ObjectInfo, ObjectStore

FOLDER: Final = "requests"
STUCK: Final = timedelta(minutes=10)
"""Age from which a job that has not ended is queued again, which changes nothing where a queue still has it."""
KEPT: Final = timedelta(days=7)
"""Age at which a request is given up; dead letters are kept as long."""


class JobRequest(Frozen):
    """A job that was asked for."""

    job_id: JobId
    upload: Upload
    asked_at: AwareDatetime
    after_generation: int | None = None
    """Of the record that an earlier try of this content left; the job has ended once there is another."""


class JobRequests:
    """The register; safe to use from several threads and processes."""

    def __init__(self, state: ObjectStore, results: ObjectStore, clock: Clock) -> None:
        """Take the store it is in, the one that tells which jobs have ended, and the present."""
        self._state, self._results, self._clock = state, results, clock

    def before(self, tenant: str, job_id: str) -> int | None:
        """The generation of the record that an earlier try of a content left, to be looked at before it is queued.

        Raises:
            Unavailable: the store cannot be reached.
        """
        info = self._results.stat(record_name(tenant, job_id))
        return info.generation if info else None

    def add(self, job_id: str, upload: Upload, before: int | None) -> JobRequest:
        """Write down that a job is about to be queued.

        Args:
            job_id: its id.
            upload: what it hears.
            before: what ``before`` said.

        Raises:
            Unavailable: the store cannot be reached.
        """
        request = JobRequest(
            job_id=job_id,
            upload=upload,
            asked_at=self._clock(),
            after_generation=before,
        )
        name, content = _name(upload.tenant, job_id), request.model_dump_json().encode()
        try:
            self._state.write(name, content, content_type="application/json", if_generation=0)
        except PreconditionFailed:
            present = self.find(upload.tenant, job_id)
            if present is not None and present.after_generation == request.after_generation:
                return present  # somebody else waits for the same
            self._state.write(name, content, content_type="application/json")
        return request

    def find(self, tenant: str, job_id: str) -> JobRequest | None:
        """The request for a job that has not been seen to have ended.

        Raises:
            Unavailable: the store cannot be reached.
        """
        with suppress(ObjectMissing, ValidationError):
            return JobRequest.model_validate_json(b"".join(self._state.read(_name(tenant, job_id))))
        return None

    def ended(self, tenant: str, job_id: str) -> None:
        """Forget a job that has ended; what cannot be forgotten now is left to the sweep."""
        with suppress(Unavailable):
            info = self._state.stat(_name(tenant, job_id))
            if info is not None:
                self._remove(info)

    def sweep(self, queue: Callable[[Upload], object]) -> int:
        """Forget what has ended, and have queued again what has not for long; returns how many were forgotten.

        Args:
            queue: routes an upload; what waits in a queue already must not be queued twice.

        Raises:
            Unavailable: a store or queue cannot be reached.
        """
        forgotten = 0
        for info, request in self._each(f"{FOLDER}/"):
            age = self._clock() - request.asked_at
            if self._has_ended(request, info):
                forgotten += 1
            elif age > KEPT:
                self._remove(info)
                forgotten += 1
            elif age > STUCK:
                try:
                    queue(request.upload)
                except InputRejected:
                    self._remove(info)
                    forgotten += 1
        return forgotten

    def _each(self, prefix: str) -> Iterator[tuple[ObjectInfo, JobRequest]]:
        for info in self._state.scan(prefix):
            _, tenant, name = info.name.split("/")
            request = self.find(tenant, name.removesuffix(".json"))
            if request is not None:
                yield info, request

    def _has_ended(self, request: JobRequest, info: ObjectInfo) -> bool:
        """Whether the job has; forgets it if so."""
        record = self._results.stat(record_name(request.upload.tenant, request.job_id))
        if record is None or record.generation == request.after_generation:
            return False
        self._remove(info)
        return True

    def _remove(self, info: ObjectInfo) -> None:
        with suppress(PreconditionFailed):  # it was asked for again
            self._state.delete(info.name, if_generation=info.generation)


def _name(tenant: str, job_id: str) -> str:
    return f"{FOLDER}/{tenant}/{job_id}.json"
