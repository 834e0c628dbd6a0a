"""``Limiting``: how much a customer may ask for, and what is left of it.

Answers say so with the fields ``RateLimit-Policy`` and ``RateLimit`` of draft-ietf-httpapi-ratelimit-headers-10:
``q`` a quota, ``w`` its window in seconds, ``r`` what is left, ``t`` seconds until all of it is there again.
"""

import math
from collections.abc import Mapping
from datetime import UTC, timedelta
from types import TracebackType
from typing import Final, Self

from earmark.ports import Clock
from earmark.vocabulary import Tier
from router.tenant import Tenant
from router.tiers import TierLimits
from router.token_bucket import TokenBuckets
from runtime.endpoints.audio_today import AudioToday
from runtime.endpoints.jobs_under_way import JobsUnderWay
from runtime.endpoints.problem import Problem

MINUTE_S: Final = 60
DAY_S: Final = 86_400
JOBS_RETRY_S: Final = 2
"""After which a customer with as many jobs as it may have can ask again: one of them may have ended."""
_TOO_MANY: Final = 429


class Admission:
    """A place for one job; given back at the end of its context unless the job was queued by then."""

    def __init__(self, jobs: JobsUnderWay, tenant: str, place: int) -> None:
        """Take the place that was taken."""
        self._jobs, self._tenant, self._place = jobs, tenant, place

    def queued(self, job_id: str) -> None:
        """The job is queued, and ``requests/TENANT/JOB.json`` says so: it counts until it has ended."""
        self._jobs.queued(self._tenant, job_id)
        self.close()

    def close(self) -> None:
        """Give the place back; a second time changes nothing."""
        self._jobs.give_back(self._tenant, self._place)

    def __enter__(self) -> Self:
        """Hold the place."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Give it back."""
        self.close()


class Limiting:
    """Requests, seconds of audio, and jobs at the same time."""

    def __init__(self, tiers: Mapping[Tier, TierLimits], jobs: JobsUnderWay, audio: AudioToday, clock: Clock) -> None:
        """Take the limits of tiers, what knows how much is in use, and the present."""
        self._tiers, self._jobs, self._audio, self._clock = tiers, jobs, audio, clock
        self._requests = TokenBuckets(MINUTE_S)

    def limits_of(self, tenant: Tenant) -> TierLimits:
        """The limits that hold for a customer."""
        return self._tiers[tenant.tier].of(tenant)

    def admit(self, tenant: Tenant) -> dict[str, str]:
        """Count a request; gives the ``RateLimit`` headers of its answer.

        Raises:
            Problem: 429 with ``Retry-After``.
        """
        most = self.limits_of(tenant).requests_per_minute
        draw = self._requests.draw(tenant.name, most, self._clock().timestamp())
        headers = _headers("requests", most, MINUTE_S, draw.left, draw.full_s)
        if not draw.taken:
            raise Problem(
                _TOO_MANY,
                "too_many_requests",
                f"More than {most} requests a minute.",
                f"Wait {draw.retry_s} s, or ask for a higher limit.",
                headers={**headers, "Retry-After": str(draw.retry_s)},
            )
        return headers

    def admit_audio(self, tenant: Tenant) -> None:
        """Before audio is taken, by whatever way: whether the customer has seconds of audio left today.

        What is under way can take it beyond its limit, for nobody knows the length of what was not decoded yet.

        Raises:
            Problem: 429 with ``Retry-After``.
        """
        most = self.limits_of(tenant).audio_s_per_day
        if most is None or self._audio.used_s(tenant.name, self._jobs.count(tenant.name)) < most:
            return
        now = self._clock().astimezone(UTC)
        midnight = now.replace(hour=0, minute=0, second=0, microsecond=0) + timedelta(days=1)
        wait_s = math.ceil((midnight - now).total_seconds())
        raise Problem(
            _TOO_MANY,
            "too_much_audio",
            f"The {most:g} seconds of audio a day are used up or under way.",
            "Wait until 00:00 UTC, or ask for a higher limit.",
            headers={**_headers("audio-seconds", math.floor(most), DAY_S, 0, wait_s), "Retry-After": str(wait_s)},
        )

    def admit_job(self, tenant: Tenant) -> Admission:
        """Before audio is taken: whether the customer has seconds of audio and jobs at the same time left.

        ::

            with parts.limiting.admit_job(tenant) as admission:
                ...  # take the audio, write requests/TENANT/JOB.json, route it
                admission.queued(job_id)  # unless it is known content

        Raises:
            Problem: 429 with ``Retry-After``.
            Unavailable: nobody can tell how many jobs there are.
        """
        self.admit_audio(tenant)
        most = self.limits_of(tenant).concurrent_jobs
        place = self._jobs.take(tenant.name, most)
        if place is None:
            raise Problem(
                _TOO_MANY,
                "too_many_jobs",
                f"{most} analyses wait or run already.",
                "Wait until one of them has ended, or send a batch.",
                headers={
                    "RateLimit-Policy": f'"jobs";q={most}',
                    "RateLimit": '"jobs";r=0',
                    "Retry-After": str(JOBS_RETRY_S),
                },
            )
        return Admission(self._jobs, tenant.name, place)

    def ended(self, tenant: str, job_id: str, audio_s: float = 0.0) -> None:
        """A job was seen to have ended: from now on it counts no more.

        Args:
            tenant: whose.
            job_id: its id.
            audio_s: how long its audio is; counted once.
        """
        if self._jobs.ended(tenant, job_id):
            self._audio.heard(tenant, audio_s)


def _headers(name: str, quota: int, window_s: int, left: int, full_s: int) -> dict[str, str]:
    return {"RateLimit-Policy": f'"{name}";q={quota};w={window_s}', "RateLimit": f'"{name}";r={left};t={full_s}'}
