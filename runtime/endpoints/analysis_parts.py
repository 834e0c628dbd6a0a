"""``AnalysisParts``: what the endpoints of analyses and uploads work with beside ``ApiParts``."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http import HTTPStatus
from typing import Final

from runtime.api.analysis_erasing import AnalysisErasing
from runtime.api.awaited_jobs import AwaitedJobs
from runtime.api.direct_uploads import DirectUploads
from runtime.api.idempotency import IdempotencyKeys
from runtime.api.job_requests import JobRequests
from runtime.api.metrics import ApiMetrics
from runtime.api.readiness import Readiness
from runtime.api.submission import Submission
from runtime.endpoints.bodies import Bodies
from runtime.endpoints.problem import Problem

RETRY_S: Final = 5


class Streams:
    """Places for answers that go on for long."""

    def __init__(self, most: int) -> None:
        """Take how many there are."""
        self._most, self._lock = most, threading.Lock()
        self.open = 0

    @contextmanager
    def place(self) -> Iterator[None]:
        """Hold one.

        Raises:
            Problem: 503, all are taken.
        """
        with self._lock:
            if self.open >= self._most:
                detail = "Too many answers are being streamed at the moment."
                headers = {"Retry-After": str(RETRY_S)}
                raise Problem(HTTPStatus.SERVICE_UNAVAILABLE, "busy", detail, "Try again in a moment.", headers=headers)
            self.open += 1
        try:
            yield
        finally:
            with self._lock:
                self.open -= 1


@dataclass(frozen=True, slots=True)
class AnalysisParts:
    """The parts."""

    bodies: Bodies
    submission: Submission
    requests: JobRequests
    awaited: AwaitedJobs
    idempotency: IdempotencyKeys
    uploads: DirectUploads
    streams: Streams
    erasing: AnalysisErasing
    readiness: Readiness
    metrics: ApiMetrics

    def close(self) -> None:
        """Write what is still to be written, and remove what came and was not taken; it can be used again."""
        self.submission.close()
        self.bodies.close()
