"""Batches over HTTP: made from manifests, watched, cancelled, and their results."""

import asyncio
import logging
from collections.abc import AsyncIterator, Iterator
from http import HTTPStatus
from itertools import islice
from typing import Annotated, Any, Final

import anyio
from fastapi import APIRouter, Path, Query, Request, Response
from starlette.concurrency import iterate_in_threadpool, run_in_threadpool
from starlette.requests import ClientDisconnect
from starlette.types import Message, Receive, Scope, Send

from earmark.errors import ConfigurationError
from earmark.log import event
from router.batches.batch import MAX_NAME_CHARS, Batch, BatchState
from runtime.batches.formats import as_bytes
from runtime.batches.parts import open_batches
from runtime.batches.result_format import ResultFormat
from runtime.batches.results import BatchResults, EntryResult
from runtime.endpoints.analysis_state import error_of
from runtime.endpoints.answer_headers import disposition, location
from runtime.endpoints.asked import whole_schema
from runtime.endpoints.batch_models import (
    BatchFailurePage,
    BatchPage,
    BatchRequest,
    BatchStanding,
    failure_of,
    standing_of,
    summary_of,
)
from runtime.endpoints.batch_taking import entry_of, take_batch
from runtime.endpoints.caller import Caller, Reads, Writes
from runtime.endpoints.idempotency_header import IdempotencyKey
from runtime.endpoints.parts import ApiParts, parts_of
from runtime.endpoints.problem import Problem, answers, not_found
from runtime.endpoints.streaming import BoundedStream
from runtime.exports.example import EXAMPLE_RECORD

_log = logging.getLogger(__name__)
endpoints = APIRouter(prefix="/v1/batches", tags=["batches"])
_WHAT: Final = "batch"
PAGE: Final = 50
PAGE_MOST: Final = 200
STALL_S: Final = 60.0
"""Seconds in which a client must take a piece of its results."""
_RESULT: Final = EntryResult(
    entry=1,
    id="track-1",
    source="uploads/acme/1.flac",
    status="done",
    job_id=EXAMPLE_RECORD.job_id,
    duplicate=False,
    record=EXAMPLE_RECORD,
    error=None,
)
_CSV: Final = b"".join(as_bytes([_RESULT], ResultFormat.CSV)).decode()
BatchId = Annotated[str, Path(pattern="^[0-9a-f]{32}$", description="Id of the batch.")]
_MANIFEST: Final[dict[str, Any]] = {"schema": {"type": "string"}}
_BODY: Final[dict[str, Any]] = {
    "requestBody": {
        "required": True,
        "content": {
            "application/jsonl": {
                **_MANIFEST,
                "example": '{"upload": "0f6a1d3c5b7e4a92b8c1d2e3f4a5b6c7", "id": "track-1"}\n'
                '{"uri": "uploads/acme/albums/2.flac"}\n',
            },
            "text/csv": {**_MANIFEST, "example": "uri,id\nuploads/acme/albums/1.flac,track-1\n"},
            "text/plain": {**_MANIFEST, "example": "uploads/acme/albums/1.flac\nuploads/acme/albums/2.flac\n"},
            "application/json": {
                "schema": whole_schema(BatchRequest),
                "example": {"prefix": "uploads/acme/albums/", "name": "Back catalogue"},
            },
        },
    }
}


@endpoints.post(
    "",
    operation_id="create_batch",
    summary="Send a batch",
    status_code=202,
    openapi_extra=_BODY,
    responses={
        202: {
            "description": "It was taken; its entries become analyses one after another.",
            "headers": location("Where it can be watched."),
        },
        **answers(400, 401, 403, 408, 409, 410, 413, 415, 422, 429, 503),
    },
)
async def create_batch(
    request: Request,
    response: Response,
    caller: Writes,
    name: Annotated[str | None, Query(max_length=MAX_NAME_CHARS, description="What you call it.")] = None,
    idempotency_key: IdempotencyKey = None,
) -> BatchStanding:
    """Send many entries at once: a manifest as the body, or JSON with a prefix or some entries.

    A manifest has one entry a line: JSON with `uri` or `upload` and, if you like, your own `id`; CSV whose header has
    these columns; or plain addresses.  An address is `upload:ID` of `POST /v1/uploads`, `uploads/TENANT/NAME`, or
    `gs://BUCKET/NAME` below a source of yours.  Lines that cannot be read are rejected one by one, with their numbers,
    and end nothing.  The same audio twice is analysed once.
    """
    parts = parts_of(request)
    batch = await take_batch(request, parts, caller, idempotency_key or "", name)
    standing = await run_in_threadpool(_standing, parts, caller, batch, request)
    response.headers["Location"] = standing.links.self
    return standing


@endpoints.get("", operation_id="list_batches", summary="List batches", responses=answers(401, 403, 422, 429, 503))
def list_batches(
    request: Request,
    caller: Reads,
    cursor: Annotated[str, Query(pattern="^([0-9a-f]{32})?$", description="`next_cursor` of a page.")] = "",
    limit: Annotated[int, Query(ge=1, le=PAGE_MOST, description="Most items of the page.")] = PAGE,
    status: Annotated[BatchState | None, Query(description="Only those that stand so.")] = None,
) -> BatchPage:
    """Batches, the latest first."""
    parts = parts_of(request)
    every = open_batches(parts.settings, parts.backend, parts.clock).of_tenant(caller.tenant.name, after=cursor)
    found = list(islice((batch for batch in every if status in {None, batch.state}), limit + 1))
    _look(parts, caller, "batch.listed", "batches", f"{min(len(found), limit)} batches")
    items = tuple(summary_of(batch, request) for batch in found[:limit])
    return BatchPage(items=items, next_cursor=items[-1].id if len(found) > limit else None)


@endpoints.get(
    "/{batch_id}",
    operation_id="get_batch",
    summary="See how far a batch has come",
    responses=answers(401, 403, 404, 422, 429, 503),
)
def get_batch(request: Request, caller: Reads, batch_id: BatchId) -> BatchStanding:
    """Counts, how quickly it goes on and how long that will take; some seconds old."""
    parts = parts_of(request)
    batch = _find(parts, caller, batch_id)
    _look(parts, caller, "batch.read", batch.id)
    return _standing(parts, caller, batch, request)


@endpoints.get(
    "/{batch_id}/failures",
    operation_id="list_batch_failures",
    summary="See which entries of a batch have no analysis, and why",
    responses=answers(401, 403, 404, 422, 429, 503),
)
def list_batch_failures(
    request: Request,
    caller: Reads,
    batch_id: BatchId,
    cursor: Annotated[int, Query(ge=0, le=2**53, description="`next_cursor` of a page.")] = 0,
    limit: Annotated[int, Query(ge=1, le=PAGE_MOST, description="Most items of the page.")] = PAGE,
) -> BatchFailurePage:
    """Entries that were rejected or failed, in the order of their lines."""
    parts = parts_of(request)
    batch = _find(parts, caller, batch_id)
    found = _results(parts).page(batch, only="failed", after=cursor, most=limit + 1)
    _look(parts, caller, "batch.failures", batch.id, f"{min(len(found), limit)} entries")
    items = tuple(map(failure_of, found[:limit]))
    return BatchFailurePage(items=items, next_cursor=str(items[-1].entry) if len(found) > limit else None)


@endpoints.post(
    "/{batch_id}/cancel",
    operation_id="cancel_batch",
    summary="Cancel a batch",
    responses=answers(401, 403, 404, 409, 422, 429, 503),
)
def cancel_batch(request: Request, caller: Writes, batch_id: BatchId) -> BatchStanding:
    """Take no further entries, and drop what waits unless somebody else asked for it too.  Results stay."""
    parts = parts_of(request)

    def before(batch: Batch) -> None:
        parts.audit([entry_of(parts, caller, "batch.cancel", batch)])

    batch = open_batches(parts.settings, parts.backend, parts.clock).cancel(caller.tenant.name, batch_id, before=before)
    if batch is None:
        raise not_found(_WHAT)
    if batch.state is not BatchState.CANCELLED:
        raise Problem(HTTPStatus.CONFLICT, "ended", f"It is over: {batch.state}.")
    return _standing(parts, caller, batch, request)


@endpoints.get(
    "/{batch_id}/results",
    operation_id="get_batch_results",
    summary="Get the results of a batch",
    response_class=Response,
    responses={
        200: {
            "description": "A line or row an entry, in their order, those without an analysis with the reason.",
            "headers": disposition("batch-5e1d5668115b561dcca6b5cc117d2f00.csv"),
            "content": {
                "application/jsonl": {
                    "schema": {"type": "string"},
                    "example": '{"entry": 1, "id": "track-1", "source": "uploads/acme/1.flac", "status": "pending", '
                    '"analysis_id": "5f2b8c0de4a94a1b8d2c4e6f70819a3b", "duplicate": false, "error": {"kind": '
                    '"pending", "message": "It has not been analysed yet.", "remedy": "Ask again later."}, '
                    '"analysis": null}\n',
                },
                "text/csv": {"schema": {"type": "string"}, "example": _CSV},
                "application/vnd.apache.parquet": {"schema": {"type": "string", "format": "binary"}},
            },
        },
        **answers(401, 403, 404, 422, 429, 501, 503),
    },
)
async def get_batch_results(
    request: Request,
    caller: Reads,
    batch_id: BatchId,
    format: Annotated[  # noqa: A002  # what the query parameter is called
        ResultFormat, Query(description="How they are written.")
    ] = ResultFormat.JSONL,
) -> Response:
    """All results as one stream, at any time: what has not ended yet says `pending`."""
    parts = parts_of(request)
    batch = await run_in_threadpool(_find, parts, caller, batch_id)
    await run_in_threadpool(_look, parts, caller, "batch.results", batch.id, format.value)
    try:
        pieces = as_bytes(_results(parts).all(batch, parts.stopping), format)
    except ConfigurationError as error:
        remedy = "Ask for format=csv or jsonl."
        raise Problem(HTTPStatus.NOT_IMPLEMENTED, "not_installed", str(error), remedy) from None
    headers = {
        **request.state.limit_headers,
        "Content-Disposition": f'attachment; filename="batch-{batch.id}.{format.value}"',
        "Cache-Control": "no-store",
    }
    return _ResultStream(_sent(pieces), parts.analyses.streams, media_type=format.media_type, headers=headers)


class _ResultStream(BoundedStream):
    """Ends when the client takes nothing for long, so that nobody holds a place and threads by not reading."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def bounded(message: Message) -> None:
            async with asyncio.timeout(STALL_S):
                await send(message)

        try:
            await super().__call__(scope, receive, bounded)
        except (TimeoutError, ClientDisconnect):
            event(_log, "results.abandoned", path=scope.get("path", ""))  # the server closes the connection


async def _sent(pieces: Iterator[bytes]) -> AsyncIterator[bytes]:
    """Pieces made in threads, which end whatever becomes of the request."""
    try:
        async for piece in iterate_in_threadpool(pieces):
            yield piece
    finally:
        with anyio.CancelScope(shield=True):
            await run_in_threadpool(getattr(pieces, "close", lambda: None))


def _find(parts: ApiParts, caller: Caller, batch_id: str) -> Batch:
    found = open_batches(parts.settings, parts.backend, parts.clock).find(caller.tenant.name, batch_id)
    if found is None:
        raise not_found(_WHAT)
    return found.batch


def _standing(parts: ApiParts, caller: Caller, batch: Batch, request: Request) -> BatchStanding:
    return standing_of(batch, parts.counting.count(batch), request, parts.batch_room.pause_of(batch, caller.tenant))


def _results(parts: ApiParts) -> BatchResults:
    def told(kind: str, message: str, remedy: str, own: str) -> tuple[str, str, str]:
        error = error_of(kind, message, remedy, own)
        return error.kind, error.message, error.remedy

    return BatchResults(parts.backend.results, parts.backend.warehouse, told=told)


def _look(parts: ApiParts, caller: Caller, action: str, target: str, detail: str = "") -> None:
    """Write down that somebody looks, before anything is shown."""
    parts.access.record(tenant=caller.tenant.name, key_id=caller.key_id, action=action, target=target, detail=detail)
