"""Server-sent events about one analysis: ``queued``, then ``settled``, and a sign of life in between."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import suppress
from typing import Annotated, Final

from fastapi import APIRouter, Header, Request, Response
from starlette.concurrency import run_in_threadpool

from earmark.domain import Record
from earmark.errors import Unavailable
from runtime.api.awaited_jobs import AwaitedJob
from runtime.endpoints.analyses import AnalysisId
from runtime.endpoints.analysis_state import AnalysisState, queued, state_of
from runtime.endpoints.caller import Caller, Reads
from runtime.endpoints.parts import ApiParts, parts_of
from runtime.endpoints.problem import answers
from runtime.endpoints.streaming import BoundedStream
from runtime.endpoints.waited import sought

endpoints = APIRouter(prefix="/v1/analyses", tags=["analyses"])
HEARTBEAT_S: Final = 10.0
"""Seconds of silence after which a comment is sent, so that nobody on the way takes the connection for dead."""
LONGEST_S: Final = 900.0
"""Seconds after which a stream ends; a client that is still there asks again."""
_RETRY: Final = "retry: 2000\n\n"
_EXAMPLE: Final = (
    'event: queued\nid: 1\ndata: {"id": "5f2b8c0de4a94a1b8d2c4e6f70819a3b", "status": "queued"}\n\n'
    ": waiting\n\n"
    'event: settled\nid: 2\ndata: {"id": "5f2b8c0de4a94a1b8d2c4e6f70819a3b", "status": "done"}\n\n'
)


@endpoints.get(
    "/{analysis_id}/events",
    operation_id="watch_analysis",
    summary="Watch an analysis until it has ended",
    response_class=Response,
    responses={
        200: {
            "description": "Server-sent events: `queued`, `settled`; the data of each is an `AnalysisState`.",
            "content": {"text/event-stream": {"schema": {"type": "string"}, "example": _EXAMPLE}},
        },
        **answers(401, 403, 404, 422, 429, 503),
    },
)
async def watch_analysis(
    request: Request,
    caller: Reads,
    analysis_id: AnalysisId,
    last_event_id: Annotated[str | None, Header(description="Ignored: each stream tells all.")] = None,
) -> Response:
    """A stream that ends with `settled`, or after a quarter of an hour without it: then ask again."""
    del last_event_id
    parts, tenant = parts_of(request), caller.tenant.name
    asked, record = await run_in_threadpool(sought, parts, tenant, analysis_id)
    headers = {**request.state.limit_headers, "Cache-Control": "no-store", "X-Accel-Buffering": "no"}
    told = _events(request, parts, caller, asked, record)
    return BoundedStream(told, parts.analyses.streams, media_type="text/event-stream", headers=headers)


async def _events(
    request: Request, parts: ApiParts, caller: Caller, asked: AwaitedJob | None, record: Record | None
) -> AsyncIterator[str]:
    yield _RETRY
    if record is None and asked is not None:
        yield _event("queued", 1, queued(asked, request))
        loop = asyncio.get_running_loop()
        end = loop.time() + LONGEST_S
        while record is None and loop.time() < end and not parts.stopping():
            with suppress(Unavailable):
                record = await parts.waiting.settled(
                    caller.tenant.name, asked.job_id, HEARTBEAT_S, after_generation=asked.after_generation
                )
            if record is None:
                yield ": waiting\n\n"
                if parts.waiting.closed or await _forgotten(parts, asked):
                    return
    if record is not None:
        await run_in_threadpool(
            parts.access.record,
            tenant=caller.tenant.name,
            key_id=caller.key_id,
            action="analysis.read",
            target=record.job_id,
        )
        yield _event("settled", 2, state_of(record, request))


async def _forgotten(parts: ApiParts, asked: AwaitedJob) -> bool:
    """Whether it was erased or cancelled meanwhile; an answer that was seen elsewhere is found by one more look."""
    if await run_in_threadpool(parts.analyses.awaited.stands, asked):
        return False
    return await run_in_threadpool(parts.waiting.look, asked.tenant, asked.job_id, asked.after_generation) is None


def _event(name: str, number: int, state: AnalysisState) -> str:
    """One event; JSON of pydantic has no line breaks."""
    return f"event: {name}\nid: {number}\ndata: {state.model_dump_json()}\n\n"
