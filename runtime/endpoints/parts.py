"""``ApiParts``: what the endpoints work with; made once by ``runtime.api.app``, found in ``app.state.parts``."""

from collections.abc import Callable
from dataclasses import dataclass

from fastapi import Request

from earmark.audit import Auditing
from earmark.ports import Clock
from earmark.settings import Settings
from router.router import Router
from router.tenants import Tenants
from runtime.backend import Backend
from runtime.batches.progress import BatchCounting
from runtime.batches.room import BatchRoom
from runtime.endpoints.access import AccessLog
from runtime.endpoints.analysis_parts import AnalysisParts
from runtime.endpoints.authentication import Authentication
from runtime.endpoints.calling_out import CallingOut
from runtime.endpoints.limiting import Limiting
from runtime.endpoints.waiting import WaitingRoom


@dataclass(frozen=True, slots=True)
class ApiParts:
    """The parts."""

    settings: Settings
    backend: Backend
    clock: Clock
    router: Router
    tenants: Tenants
    authentication: Authentication
    limiting: Limiting
    access: AccessLog
    """Where each look at a customer's data is written down before it is shown."""
    audit: Auditing
    """Where each change is written down before it is made."""
    waiting: WaitingRoom
    analyses: AnalysisParts
    calling_out: CallingOut
    """Runs what goes out on the net while a request waits."""
    counting: BatchCounting
    """Counts of batches, remembered for some seconds."""
    batch_room: BatchRoom
    """Whether a customer's batches are paused."""
    stopping: Callable[[], bool] = lambda: False
    """Whether the service is about to end, so that long answers should."""


def parts_of(request: Request) -> ApiParts:
    """The parts, for an endpoint."""
    parts: ApiParts = request.app.state.parts
    return parts
