"""Analyses over HTTP: made from audio, looked at, erased."""

import hashlib
from collections.abc import Mapping
from http import HTTPStatus
from typing import Annotated, Any, Final

from fastapi import APIRouter, Header, Path, Query, Request, Response
from starlette.background import BackgroundTask
from starlette.concurrency import run_in_threadpool

from earmark.domain import Record
from earmark.errors import ObjectHeld, ObjectMissing
from router.addresses import MAX_ADDRESS_CHARS
from runtime.api.awaited_jobs import AwaitedJob
from runtime.endpoints.analysis_state import AnalysisState, queued, state_of
from runtime.endpoints.answer_headers import ETAG, PREFERENCE_APPLIED, RETRY_AFTER, location
from runtime.endpoints.caller import Caller, Deletes, Reads, Writes
from runtime.endpoints.idempotency_header import IdempotencyKey
from runtime.endpoints.parts import ApiParts, parts_of
from runtime.endpoints.preferences import wait_preferred
from runtime.endpoints.problem import Problem, answers, not_found
from runtime.endpoints.taking import take_audio
from runtime.endpoints.waited import settled, sought

endpoints = APIRouter(prefix="/v1/analyses", tags=["analyses"])
RETRY_S: Final = 1
"""Seconds after which it is worth asking for an analysis that waits."""
AnalysisId = Annotated[str, Path(pattern="^[0-9a-f]{32}$", description="Id of the analysis.")]
_BYTES: Final = "(the bytes of song.flac)"
_BINARY: Final = {"schema": {"type": "string", "format": "binary"}, "example": _BYTES}
_KEEP: Final = "Whether the audio is kept as long as the customer's tier says; else it goes with the job."
_BODY: Final[dict[str, Any]] = {
    "requestBody": {
        "required": True,
        "content": {
            "multipart/form-data": {
                "schema": {
                    "type": "object",
                    "required": ["file"],
                    "properties": {
                        "file": {"type": "string", "format": "binary", "description": "The audio."},
                        "keep": {"type": "boolean", "default": True, "description": _KEEP},
                    },
                },
                "example": {"file": _BYTES, "keep": True},
            },
            "application/octet-stream": _BINARY,
            "audio/*": _BINARY,
            "application/json": {
                "schema": {
                    "type": "object",
                    "required": ["uri"],
                    "additionalProperties": False,
                    "properties": {
                        "uri": {
                            "type": "string",
                            "maxLength": MAX_ADDRESS_CHARS,
                            "description": "`upload:ID` of `POST /v1/uploads`, `uploads/TENANT/NAME`, or "
                            "`gs://BUCKET/NAME` below a source of yours.",
                        }
                    },
                },
                "example": {"uri": "upload:0f6a1d3c5b7e4a92b8c1d2e3f4a5b6c7"},
            },
        },
    }
}


@endpoints.post(
    "",
    operation_id="create_analysis",
    summary="Analyse audio",
    response_model=AnalysisState,
    openapi_extra=_BODY,
    responses={
        200: {"description": "The analysis, which has ended.", "headers": {**ETAG, **PREFERENCE_APPLIED}},
        202: {
            "model": AnalysisState,
            "description": "It waits; ask for it at `Location`.",
            "headers": {**location("Where the analysis will be."), **RETRY_AFTER, **PREFERENCE_APPLIED},
        },
        **answers(400, 401, 403, 408, 409, 410, 413, 415, 422, 429, 503),
    },
)
async def create_analysis(
    request: Request,
    caller: Writes,
    keep: Annotated[bool, Query(description=_KEEP)] = True,  # noqa: FBT002  # a query parameter
    prefer: Annotated[
        str | None, Header(description="`wait=N` (RFC 7240): answer with the analysis if it is there in N seconds.")
    ] = None,
    idempotency_key: IdempotencyKey = None,
) -> Response:
    """Send audio as a form with the part `file`, as the body itself, or say where it is as JSON.

    Audio that was analysed before is answered at once.  Otherwise the answer is 202 with a `Location`, or, with
    `Prefer: wait=N`, the analysis itself when it is ready in time.
    """
    del prefer  # there may be several
    parts = parts_of(request)
    wait_s, applied = wait_preferred(request.headers.getlist("prefer"), parts.settings.api_wait_max_s)
    key = idempotency_key or ""
    submitted = await take_audio(request, parts, caller.tenant, key, keep=keep)
    headers = {"Preference-Applied": f"wait={applied}"} if applied is not None else {}
    record = submitted.record
    asked = AwaitedJob.of(submitted.request) if submitted.request is not None else None
    if record is None and asked is not None and wait_s:
        record = await settled(request, asked, wait_s)
    if record is not None:
        return await _ended(request, parts, caller, record, headers)
    assert asked is not None  # noqa: S101  # what has no record was queued
    state = queued(asked, request)
    headers |= {"Location": state.links.self, "Retry-After": str(RETRY_S)}
    return _answer(request, state, HTTPStatus.ACCEPTED, headers)


@endpoints.get(
    "/{analysis_id}",
    operation_id="get_analysis",
    summary="Look at an analysis",
    response_model=AnalysisState,
    responses={
        200: {
            "description": "As far as it has come; only one that has ended has an `ETag`.",
            "headers": {**ETAG, **RETRY_AFTER, **PREFERENCE_APPLIED},
        },
        304: {
            "description": "It is as it was when `ETag` was given.",
            "headers": {**ETAG, **PREFERENCE_APPLIED},
        },
        **answers(401, 403, 404, 422, 429, 503),
    },
)
async def get_analysis(
    request: Request,
    caller: Reads,
    analysis_id: AnalysisId,
    if_none_match: Annotated[str | None, Header(description="`ETag` of an earlier answer.")] = None,
    prefer: Annotated[str | None, Header(description="`wait=N` (RFC 7240): wait until it has ended.")] = None,
) -> Response:
    """What the audio is, once that is known.  An analysis that was rejected or failed is answered 200, with `error`."""
    del prefer
    parts, tenant = parts_of(request), caller.tenant.name
    wait_s, applied = wait_preferred(request.headers.getlist("prefer"), parts.settings.api_wait_max_s)
    headers = {"Preference-Applied": f"wait={applied}"} if applied is not None else {}
    asked, record = await run_in_threadpool(sought, parts, tenant, analysis_id)
    if record is None and asked is not None and wait_s:
        record = await settled(request, asked, wait_s)
    if record is not None:
        by_itself = asked is not None and asked.batch is None
        return await _ended(request, parts, caller, record, headers, known_as=if_none_match, asked=by_itself)
    assert asked is not None  # noqa: S101  # one of them was found
    return _answer(request, queued(asked, request), HTTPStatus.OK, headers | {"Retry-After": str(RETRY_S)})


@endpoints.delete(
    "/{analysis_id}",
    operation_id="delete_analysis",
    summary="Erase an analysis",
    status_code=204,
    response_class=Response,
    responses={204: {"description": "It was erased."}, **answers(401, 403, 404, 409, 422, 429, 503)},
)
async def delete_analysis(request: Request, caller: Deletes, analysis_id: AnalysisId) -> Response:
    """Erase the analysis, its audio, and everything that came of the same audio.  Takes some seconds; for good.

    The same audio is not taken again afterwards (`erased`).  What must be kept answers 409, and so does what waits as
    a part of a batch.
    """
    parts = parts_of(request)
    try:
        await run_in_threadpool(
            parts.analyses.erasing.erase, caller.tenant.name, analysis_id, actor=f"key:{caller.key_id}"
        )
    except ObjectMissing:
        if await run_in_threadpool(parts.analyses.awaited.in_batch, caller.tenant.name, analysis_id) is None:
            raise not_found() from None
        detail, remedy = "It waits as a part of a batch.", "Cancel the batch, or wait until it has been analysed."
        raise Problem(HTTPStatus.CONFLICT, "not_ready", detail, remedy) from None
    except ObjectHeld:
        detail = "It must be kept at the moment, by a hold."
        raise Problem(HTTPStatus.CONFLICT, "held", detail, "Ask whoever runs the service when it ends.") from None
    return Response(status_code=HTTPStatus.NO_CONTENT, headers=_limit_headers(request))


async def _ended(
    request: Request,
    parts: ApiParts,
    caller: Caller,
    record: Record,
    headers: Mapping[str, str],
    *,
    known_as: str | None = None,
    asked: bool = True,
) -> Response:
    """The answer about an analysis that has ended, once it is written down that it was looked at."""
    await run_in_threadpool(
        parts.access.record,
        tenant=caller.tenant.name,
        key_id=caller.key_id,
        action="analysis.read",
        target=record.job_id,
    )
    state = state_of(record, request)
    etag = f'"{hashlib.sha256(record.model_dump_json().encode()).hexdigest()[:32]}"'
    headers = {**headers, "ETag": etag, "Cache-Control": "private, no-cache"}
    if known_as is not None and etag in {each.strip().removeprefix("W/") for each in known_as.split(",")}:
        return Response(status_code=HTTPStatus.NOT_MODIFIED, headers={**_limit_headers(request), **headers})
    answer = _answer(request, state, HTTPStatus.OK, headers)
    if asked:
        answer.background = BackgroundTask(_forget, parts, record)
    return answer


def _forget(parts: ApiParts, record: Record) -> None:
    """Somebody has seen that the job has ended."""
    parts.analyses.requests.ended(record.tenant, record.job_id)
    audio_s = record.analysis.technical.duration_s if record.analysis else 0.0
    parts.limiting.ended(record.tenant, record.job_id, audio_s)


def _answer(request: Request, state: AnalysisState, status: HTTPStatus, headers: Mapping[str, str]) -> Response:
    content = state.model_dump_json().encode()
    return Response(content, status, {**_limit_headers(request), **headers}, "application/json")


def _limit_headers(request: Request) -> dict[str, str]:
    return dict(request.state.limit_headers)
