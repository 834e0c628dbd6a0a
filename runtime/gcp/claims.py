"""``BucketClaims``: which router queues a job, agreed on in a bucket, since Pub/Sub takes the same job twice.

``claims/<tenant>/<job>.json`` says ``claimed`` while a router is at it and ``queued`` once the message is published.
A router that dies in between leaves a claim that the next one takes over.
"""

import json
from datetime import UTC, datetime
from typing import Final

from tenacity import Retrying, retry_if_exception_type, stop_after_delay, wait_random_exponential

from earmark.domain import Job, record_name
from earmark.errors import ObjectMissing, PreconditionFailed, Unavailable
from earmark.ports import Clock, ObjectInfo, ObjectStore

TAKEN_OVER_S: Final = 30.0
"""Age of a claim whose router must be dead by now: publishing takes well under a second, and is given up after 20."""
QUEUED_S: Final = 3600.0
"""Age of a queued job from which it is queued again when its content is sent again: one that waits so long, or whose
record was deleted meanwhile, may cost a second inference; it never hangs."""
WAIT_S: Final = 5.0
CHANGES_MAX: Final = 5


class BucketClaims:
    """See ``router.claims.Claims`` for what it promises; safe to use from several threads."""

    def __init__(self, state: ObjectStore, results: ObjectStore, *, clock: Clock, wait_s: float = WAIT_S) -> None:
        """Take the bucket of claims and that of records, whose presence ends a claim.

        Where another router is at the same job, ``take`` waits up to ``wait_s`` seconds for it.
        """
        self._state = state
        self._results = results
        self._clock = clock
        self._waiting = Retrying(
            retry=retry_if_exception_type(Unavailable),
            stop=stop_after_delay(wait_s),
            wait=wait_random_exponential(multiplier=0.05, max=1),
            reraise=True,
        )
        self._generations: dict[str, int] = {}

    def take(self, job: Job) -> bool:
        """Whether the job is ours to queue."""
        return self._waiting(self._take, job)

    def _take(self, job: Job) -> bool:
        name = _name(job)
        for _ in range(CHANGES_MAX):
            info = self._state.stat(name)
            if info is not None and not self._is_over(job, info):
                return False
            try:
                self._generations[name] = self._write(name, "claimed", info.generation if info else 0)
            except PreconditionFailed:
                continue
            return True
        message = f"Several routers are at job {job.id}"
        raise Unavailable(message)

    def confirm(self, job: Job) -> None:
        """Note that the message is published; should somebody have taken the claim over, theirs stands."""
        name = _name(job)
        try:
            self._write(name, "queued", self._generations.pop(name))
        except (PreconditionFailed, KeyError):
            return  # somebody took it over, perhaps another thread of ours

    def _is_over(self, job: Job, info: ObjectInfo) -> bool:
        """Whether a claim means nothing any more."""
        try:
            claim = json.loads(b"".join(self._state.read(info.name, generation=info.generation)))
            at = datetime.fromisoformat(claim["at"])
            queued = claim["state"] == "queued"
        except ObjectMissing:
            return True  # writing says who was quicker
        except (ValueError, KeyError, TypeError, RecursionError):
            return True
        age_s = (self._clock() - at).total_seconds()
        if not queued and age_s < TAKEN_OVER_S:
            message = f"Another router is at job {job.id}"
            raise Unavailable(message)
        if not queued or age_s > QUEUED_S:
            return True
        record = self._results.stat(record_name(job.upload.tenant, job.id))
        return record is not None and record.created_at > at

    def _write(self, name: str, state: str, generation: int) -> int:
        content = json.dumps({"state": state, "at": self._clock().astimezone(UTC).isoformat()}).encode()
        info = self._state.write(name, content, content_type="application/json", if_generation=generation)
        return info.generation


def _name(job: Job) -> str:
    return f"claims/{job.upload.tenant}/{job.id}.json"
