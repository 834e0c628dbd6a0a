"""``AnalysisErasing``: what a customer has erased by the id of an analysis: the audio, and all that came of it."""

import threading
import time
from collections.abc import Callable
from typing import Final

from earmark.domain import record_name
from earmark.errors import ConfigurationError, ObjectHeld, ObjectMissing, Unavailable
from earmark.ports import Clock
from earmark.settings import Settings
from retention.scope import Scope
from runtime.api.job_requests import JobRequests
from runtime.backend import RESULTS, Backend
from runtime.retention.desk import Desk
from runtime.retention.erase import make_eraser
from runtime.retention.keeping import wait_for_runs

REASON: Final = "asked for through the API"
AT_ONCE: Final = 4
"""Who may wait for their turn; an erasure goes through all stores, twice."""


class AnalysisErasing:
    """Erases, one at a time."""

    def __init__(
        self,
        settings: Settings,
        backend: Backend,
        requests: JobRequests,
        clock: Clock,
        *,
        pause: Callable[[float], object] = time.sleep,
    ) -> None:
        """Take the adapters, the register of what was asked for, the present, and what waits so many seconds."""
        self._settings, self._backend, self._requests, self._clock = settings, backend, requests, clock
        self._pause = pause
        self._turn = threading.Lock()
        self._places = threading.BoundedSemaphore(AT_ONCE)

    def erase(self, tenant: str, job_id: str, actor: str) -> None:
        """Erase the content of an analysis; takes some seconds.

        Args:
            tenant: whose.
            job_id: the analysis.
            actor: who asks, for the audit log.

        Raises:
            ObjectMissing: there is no such analysis.
            ObjectHeld: it must be kept.
            Unavailable: a store cannot be reached, somebody has the job in hand, or too many erasures wait.
        """
        if not self._places.acquire(blocking=False):
            message = f"{AT_ONCE} erasures wait already"
            raise Unavailable(message)
        try:
            with self._turn:
                self._erase(tenant, job_id, actor)
        finally:
            self._places.release()

    def _erase(self, tenant: str, job_id: str, actor: str) -> None:
        scope = self._scope(tenant, job_id)
        desk = Desk(self._settings, self._backend, self._clock, actor, {})
        eraser, contents = make_eraser(desk, self._pause)
        try:
            request = contents.of_object(scope)
        except ConfigurationError as error:
            raise ObjectMissing(str(error)) from error
        wait_for_runs(desk)
        try:
            receipt = eraser.erase(request, reason=REASON, actor=actor)
        except ConfigurationError as error:  # a hold, and nothing else
            raise ObjectHeld(str(error)) from error
        if receipt.state != "complete":
            message = f"{receipt.left} items of {job_id} are in use still"
            raise Unavailable(message)

    def _scope(self, tenant: str, job_id: str) -> Scope:
        """Something from which all that belongs to the analysis is found."""
        name = record_name(tenant, job_id)
        if self._backend.results.stat(name) is not None:
            return Scope(kind="object", bucket=RESULTS, name=name)
        request = self._requests.find(tenant, job_id)
        address = self._backend.object_of(request.upload.uri) if request else None
        if address is None:
            message = f"Nothing is known of {job_id}"
            raise ObjectMissing(message)
        return Scope(kind="object", bucket=address.bucket, name=address.name)
