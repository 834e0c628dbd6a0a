"""Whether the service lives, whether it can work, and its figures.  These need no key; no proxy should let them out."""

from http import HTTPStatus
from typing import Any, Final, Literal

from fastapi import APIRouter, Request, Response
from pydantic import Field
from starlette.responses import JSONResponse

from earmark.metadata import Frozen
from runtime.endpoints.parts import parts_of

endpoints = APIRouter(tags=["health"])
_METRICS_TYPE: Final = "text/plain; version=0.0.4; charset=utf-8"
_EXAMPLE: Final[dict[str, Any]] = {
    "status": "degraded",
    "reasons": ["worker: none was heard of on this machine"],
    "checks": [{"name": "queue", "ok": True, "needed": True, "detail": "", "took_s": 0.0012}],
}


class Alive(Frozen):
    """The process answers."""

    model_config = Frozen.model_config | {"json_schema_extra": {"example": {"status": "alive"}}}
    status: Literal["alive"] = "alive"


class Check(Frozen):
    """What one part answered."""

    name: str
    ok: bool
    needed: bool = Field(description="Whether nothing can be taken without it.")
    detail: str = Field(description="What is wrong; empty = nothing.")
    took_s: float


class Ready(Frozen):
    """Whether requests should be sent here."""

    model_config = Frozen.model_config | {"json_schema_extra": {"example": _EXAMPLE}}
    status: Literal["ready", "degraded", "not_ready"] = Field(
        description="`degraded`: audio is taken, but something that is not needed for that is away."
    )
    reasons: tuple[str, ...]
    checks: tuple[Check, ...]


@endpoints.get("/healthz", operation_id="health", summary="Whether the process answers")
async def health() -> Alive:
    """Answered by the process alone; nothing else is asked."""
    return Alive()


@endpoints.get(
    "/readyz",
    operation_id="readiness",
    summary="Whether requests should be sent here, and why not",
    response_model=Ready,
    responses={503: {"model": Ready, "description": "Not at the moment."}},
)
def readiness(request: Request) -> Response:
    """Asks queue, stores, warehouse, disk and workers, each within two seconds."""
    parts = parts_of(request)
    found = parts.analyses.readiness.look()
    reasons = [f"{each.name}: {each.detail}" for each in found if not each.ok]
    bad = any(each.needed and not each.ok for each in found)
    if parts.stopping():
        reasons, bad = ["the service is about to end", *reasons], True
    checks = tuple(
        Check(name=each.name, ok=each.ok, needed=each.needed, detail=each.detail, took_s=each.took_s) for each in found
    )
    state = Ready(
        status="not_ready" if bad else "degraded" if reasons else "ready", reasons=tuple(reasons), checks=checks
    )
    status = HTTPStatus.SERVICE_UNAVAILABLE if bad else HTTPStatus.OK
    return JSONResponse(state.model_dump(mode="json"), status, {"Cache-Control": "no-store"})


@endpoints.get(
    "/metrics",
    operation_id="metrics",
    summary="Figures for Prometheus",
    response_class=Response,
    responses={200: {"content": {"text/plain": {"schema": {"type": "string"}}}, "description": "Text format 0.0.4."}},
)
def metrics(request: Request) -> Response:
    """Requests by route, method and class of status, how long they took, and how full the queues are."""
    parts = parts_of(request)
    figures = parts.analyses.metrics
    figures.waiting.set(parts.waiting.waiting)
    figures.streams.set(parts.analyses.streams.open)
    figures.bodies.set(parts.analyses.bodies.coming)
    return Response(figures.page(), media_type=_METRICS_TYPE)
