"""``make_parts``: what the endpoints of the API work with, from the adapters of a backend."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Final

from earmark.audit import AuditTrail
from earmark.clock import utc_now
from earmark.ports import Clock
from earmark.settings import Settings
from router.keys import Keys
from router.tiers import load_tiers
from runtime.api.analyses import make_analysis_parts, sweeps_of
from runtime.api.metrics import ApiMetrics
from runtime.backend import Backend
from runtime.batches.parts import open_counting, open_room
from runtime.chores import Chore, every
from runtime.endpoints.access import FOLDER, AccessLog
from runtime.endpoints.audio_today import AudioToday
from runtime.endpoints.authentication import Authentication
from runtime.endpoints.calling_out import CallingOut
from runtime.endpoints.jobs_under_way import JobsUnderWay
from runtime.endpoints.limiting import Limiting
from runtime.endpoints.parts import ApiParts
from runtime.endpoints.waiting import WaitingRoom
from runtime.tenants.tenancy import open_tenants
from runtime.wiring import make_router

AUDIO_REMEMBERED_S: Final = {"local": 10.0, "gcp": 120.0}
"""Seconds for which the audio of a customer's day is remembered, by backend: in BigQuery each look costs money."""
USES_EVERY_S: Final = 30.0


def make_parts(
    settings: Settings, backend: Backend, clock: Clock = utc_now, *, stopping: Callable[[], bool] = lambda: False
) -> ApiParts:
    """The parts; nothing runs yet, and ``chores_of`` says what must.

    Args:
        settings: limits, folders.
        backend: the adapters.
        clock: the present.
        stopping: whether the service is about to end.

    Raises:
        ConfigurationError: a file that the settings name cannot be read.
    """
    metrics = ApiMetrics()
    backend = replace(backend, routed=metrics.router.routed)
    audit = AuditTrail(backend.audit, backend.warehouse, clock, hints=backend.state)
    router = make_router(settings, backend, clock)
    analyses, waiting = make_analysis_parts(settings, backend, router, metrics, clock), WaitingRoom(backend.results)
    metrics.watch(
        waiting=lambda: waiting.waiting, streams=lambda: analyses.streams.open, bodies=lambda: analyses.bodies.coming
    )
    remembered_s = AUDIO_REMEMBERED_S[settings.backend]
    return ApiParts(
        settings=settings,
        backend=backend,
        clock=clock,
        router=router,
        tenants=open_tenants(settings, backend, clock),
        authentication=Authentication(Keys(backend.state, clock), clock),
        limiting=Limiting(
            load_tiers(settings.tier_limits),
            JobsUnderWay(backend.state, backend.results, clock),
            AudioToday(backend.warehouse, clock, remembered_s=remembered_s),
            clock,
        ),
        access=AccessLog(
            Path(settings.data) / FOLDER,
            backend.audit,
            audit,
            clock,
            hints=backend.state,
            durable=settings.synchronous == "FULL",
        ),
        audit=audit,
        waiting=waiting,
        analyses=analyses,
        calling_out=CallingOut(),
        counting=open_counting(settings, backend, clock),
        batch_room=open_room(settings, backend, clock),
        stopping=stopping,
    )


def chores_of(parts: ApiParts) -> Sequence[Chore]:
    """The steps that somebody must take each second while the API runs, and once more at its end (``chores.doing``)."""
    return (parts.access.flush, every(USES_EVERY_S, parts.authentication.note_uses), sweeps_of(parts.analyses))
