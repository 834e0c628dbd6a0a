"""Whether the service lives, whether it can work, and its figures.  These need no key; no proxy should let them out."""

from http import HTTPStatus
from typing import Any, Final, Literal

from fastapi import APIRouter, Request, Response
from pydantic import Field
from starlette.responses import JSONResponse

from earmark.metadata import Frozen
from runtime.endpoints.parts import parts_of
from runtime.metrics.exposition import address_of, is_shown
from runtime.metrics.metric import Server
from runtime.metrics.targets import Target, targets

endpoints = APIRouter(tags=["health"])
_METRICS_TYPE: Final = "text/plain; version=0.0.4; charset=utf-8"
_TARGET: Final[dict[str, Any]] = {"targets": ["127.0.0.1:9100"], "labels": {"role": "worker"}}
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


class TargetLabels(Frozen):
    """What all figures of a process are marked with."""

    role: Server = Field(description="What the process is.")


class TargetGroup(Frozen):
    """A process that serves figures, as Prometheus' `http_sd_configs` has it."""

    model_config = Frozen.model_config | {"json_schema_extra": {"example": _TARGET}}
    targets: tuple[str, ...] = Field(description="Host and port; the path is `/metrics`.")
    labels: TargetLabels


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
    """Requests by route, method and class of status, how long they took, and what became of uploads."""
    return Response(parts_of(request).analyses.metrics.page(), media_type=_METRICS_TYPE)


@endpoints.get(
    "/metrics/targets",
    operation_id="metrics_targets",
    summary="Where Prometheus finds all figures of this machine",
    response_model=list[TargetGroup],
    responses={200: {"content": {"application/json": {"example": [_TARGET]}}}},
)
def metrics_targets(request: Request) -> Response:
    """The API itself and every process on its data folder that serves figures, for `http_sd_configs`."""
    parts = parts_of(request)
    found = targets(parts.settings.data)
    server = request.scope.get("server")
    if not is_shown(parts.settings) and server is not None and server[1] is not None:
        found = [Target(Server.API, address_of(*server)), *found]
    groups = [TargetGroup(targets=(each.address,), labels=TargetLabels(role=each.role)) for each in found]
    return JSONResponse([group.model_dump(mode="json") for group in groups], headers={"Cache-Control": "no-store"})
